// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_PLUGIN_H
#define TETRAGON_PLUGIN_H

// The one header a plugin written in C++ needs.

#include <tetragon/abi.h>
#include <tetragon/sdk/plugin.h>

#endif  // TETRAGON_PLUGIN_H
