// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tetragon/sdk/event.h>

namespace signals {

// Bytes to event: pure, so that it can be tested with golden records, fuzzed and replayed.
tetragon_rc decode_sent(tetragon::sdk::Bytes record, tetragon::sdk::EventOut out);

}  // namespace signals
