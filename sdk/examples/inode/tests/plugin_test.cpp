// SPDX-License-Identifier: Apache-2.0
// The plugin with a host in memory: no daemon, no kernel, no root.
#include <tetragon/testing/check.h>
#include <tetragon/testing/fake_host.h>

#include <cstdint>
#include <string>
#include <vector>

using tetragon::sdk::str;
using tetragon::sdk::view;
using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

extern "C" const tetragon_plugin tetragon_plugin_v1;

static void reads_what_it_says() {
  const tetragon_arg_type& type = *tetragon_plugin_v1.hook->arg_types[0];
  CHECK(view(type.name) == "inode_number");
  CHECK(type.member_count == 1 && view(type.members[0]->path) == "f_inode.i_ino");
  const std::uint64_t inode = 5'000'000'000;
  tetragon_arg arg{};
  arg.struct_size = sizeof(arg);
  CHECK(type.decode({&inode, sizeof(inode)}, &arg) == TETRAGON_OK);
  CHECK(arg.kind == TETRAGON_ARG_SIZE && arg.value.u == inode);
  CHECK(type.decode({&inode, 4}, &arg) == TETRAGON_E_INVALID);
}

static tetragon_rc parse(const char* text, std::vector<std::string>& values) {
  values.clear();
  return tetragon_plugin_v1.hook->operators[0]->parse_value(str(text), &values, [](void* ctx, tetragon_str one) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(view(one));
  });
}

static void splits_values() {
  std::vector<std::string> values;
  CHECK(parse("12", values) == TETRAGON_OK && values == std::vector<std::string>{"12"});
  CHECK(parse("12|15|20", values) == TETRAGON_OK && (values == std::vector<std::string>{"12", "15", "20"}));
  CHECK(parse("", values) == TETRAGON_E_INVALID);
  CHECK(parse("12||20", values) == TETRAGON_E_INVALID);
  CHECK(parse("12|", values) == TETRAGON_E_INVALID);
}

static void lives() {
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_OK);
  CHECK(host.bpf.empty());
}

int main() {
  reads_what_it_says();
  splits_values();
  lives();
  return tetragon::testing::outcome();
}
