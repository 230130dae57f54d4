// SPDX-License-Identifier: Apache-2.0
#include <tetragon/plugin.h>

#include <stdexcept>

namespace {

class CreateThrows {
 public:
  static tetragon::sdk::Result<CreateThrows> create(tetragon::sdk::Host) { throw std::runtime_error("no luck today"); }
  tetragon::sdk::Result<void> start() { return {}; }
  void stop() noexcept {}
};

}  // namespace

TETRAGON_HOOK_PLUGIN(CreateThrows, "bad.create-throws", "1.0.0", "create throws inside the facade");
