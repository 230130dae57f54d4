// SPDX-License-Identifier: Apache-2.0
// Freeze without a kernel: what the daemon reads before it loads the program.
#include <tetragon/testing/check.h>
#include <tetragon/testing/fake_host.h>

#include <cstring>

using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

extern "C" const tetragon_plugin tetragon_plugin_v1;

int main() {
  const tetragon_action_type& action = *tetragon_plugin_v1.action;
  CHECK(tetragon_plugin_v1.min_host_minor == 2);
  CHECK(action.where == TETRAGON_ACTION_KERNEL && action.execute == nullptr);
  CHECK(tetragon::sdk::view(action.name) == "Freeze");
  // Else monitor mode would stop processes.
  CHECK(action.flags == TETRAGON_ACTION_ENFORCES);
  CHECK(action.bpf_elf_count == 1);
  const tetragon_bytes elf = action.bpf_elfs[0]->elf;
  CHECK(elf.size > 4 && std::memcmp(elf.data, "\177ELF", 4) == 0);
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_OK);
  // The daemon opens it, once per place in a policy.
  CHECK(host.bpf.empty());
  return tetragon::testing::outcome();
}
