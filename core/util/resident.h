// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tetragon {

// After starting, and after loading policies: gives back what only that needed. Freed heap goes to the system. Pages of
// the program and its libraries leave the address space, not the page cache: code that runs again maps them again.
void release_resident();

}  // namespace tetragon
