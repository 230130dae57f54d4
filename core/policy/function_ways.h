// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of the kernel that two policies hook in ways that do not go together: a kprobe that makes a function return
// (bpf_override_return), and a BPF trampoline (fentry, fexit, fmod_ret). The trampoline goes on with the function
// whatever the kprobe has said, so what is denied would be done. That holds for fentry alone, too, which calls nothing
// itself: seen on 6.12.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/compiled.h"

namespace tetragon::policy {

class FunctionWays {
  struct Users {
    unsigned overrides = 0, trampolines = 0;
  };
  struct Table {
    std::mutex mutex;
    std::map<std::string, Users, std::less<>> functions;
  };

 public:
  // As long as a hook is attached.
  class Claim {
   public:
    Claim(std::shared_ptr<Table> table, unsigned Users::*way, std::vector<std::string> functions);
    ~Claim();
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    std::shared_ptr<Table> table_;
    unsigned Users::*way_;
    std::vector<std::string> functions_;
  };

  // Attributes for the hook's plugin, by what is attached to its functions: kOverridden, kTrampolined.
  std::map<std::string, std::string> attributes(const CompiledHook& hook) const;
  // `backend`: what the plugin has said. Null: nothing to keep.
  std::unique_ptr<Claim> claim(const CompiledHook& hook, std::string_view backend);

  static constexpr const char* kOverridden = "overridden";    // value: the function
  static constexpr const char* kTrampolined = "trampolined";  // likewise

 private:
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace tetragon::policy
