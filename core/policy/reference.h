// SPDX-License-Identifier: Apache-2.0
#pragma once

// What selectors mean, in plain C++: the oracle for the compiler and the engine. Works on the policy's own texts and
// shares nothing with lower_*.cpp but the parsing of values.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"

namespace tetragon::policy::reference {

// The value of one argument at a hit.
struct Value {
  bool readable = true;
  uint64_t number = 0;  // numbers, sets of capabilities: as the argument's type reads it, extended to 64 bits
  std::string text;     // text, paths; abstract socket names begin with a NUL
  uint32_t mode = 0;    // i_mode of files
  // network
  uint16_t family = 0, protocol = 0, sport = 0, dport = 0;
  uint8_t state = 0;
  std::array<uint8_t, 16> saddr{}, daddr{};
};

struct Capabilities {
  uint64_t effective = 0, inheritable = 0, permitted = 0;
};

// The process that was hit, now and as it was when its image began.
struct Process {
  bool known = true;                           // to the process map
  std::vector<uint32_t> pids, namespace_pids;  // its own and those it descends from, itself first
  std::vector<std::string> binaries;           // its own and those of the processes it descends from, itself first
  std::vector<std::string> parent_binaries;    // its parent's, and so on
  std::array<uint32_t, 10> namespaces{}, namespaces_then{};  // in the order of the API's enumeration
  Capabilities capabilities, capabilities_then;
};

struct Host {
  std::array<uint32_t, 10> namespaces{};
};

struct Hit {
  std::vector<Value> args, data;  // in the order of the policy
  Process process;
};

// Number of the first selector that matches; -1: none does; -2: the hook has none, so everything matches.
int select(const Policy& policy, const Hook& hook, const Hit& hit, const Host& host);
// matchReturnArgs of the selector.
bool select_return(const Policy& policy, const Hook& hook, int selector, const Value& value);

}  // namespace tetragon::policy::reference
