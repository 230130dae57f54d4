// SPDX-License-Identifier: Apache-2.0
// Note with a host in memory: what a daemon would call is called here.
#include <tetragon/testing/check.h>
#include <tetragon/testing/fake_host.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

using tetragon::sdk::str;
using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

extern "C" const tetragon_plugin tetragon_plugin_v1;

static tetragon_action_call call_of(std::uint32_t pid, const char* argument) {
  tetragon_action_call call{};
  call.struct_size = sizeof(call);
  call.process.pid = pid;
  call.policy = str("a-policy");
  call.argument = str(argument);
  call.action = str("Note");
  return call;
}

static void is_what_it_says() {
  const tetragon_action_type& action = *tetragon_plugin_v1.action;
  CHECK(tetragon_plugin_v1.kind == TETRAGON_KIND_ACTION && tetragon_plugin_v1.min_host_minor == 2);
  CHECK(action.where == TETRAGON_ACTION_USER && action.bpf_elf_count == 0 && action.execute != nullptr);
  CHECK(tetragon::sdk::view(action.name) == "Note" && action.flags == 0);
}

static void writes_lines(const std::string& file) {
  ::setenv("EXAMPLE_NOTE_FILE", file.c_str(), 1);
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_OK);
  CHECK(plugin.execute(call_of(7, "first")) == TETRAGON_OK);
  CHECK(plugin.execute(call_of(8, "second")) == TETRAGON_OK);
  plugin.finish();
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  CHECK(text.str() == "7 a-policy first\n8 a-policy second\n");
}

static void says_what_failed() {
  ::setenv("EXAMPLE_NOTE_FILE", "/no/such/folder/notes", 1);
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.execute(call_of(7, "")) == TETRAGON_E_SYSTEM);
  CHECK(host.error == "append to '/no/such/folder/notes': No such file or directory");
}

int main() {
  char name[] = "/tmp/note-test-XXXXXX";
  const int fd = ::mkstemp(name);
  CHECK(fd >= 0);
  is_what_it_says();
  writes_lines(name);
  says_what_failed();
  std::remove(name);
  return tetragon::testing::outcome();
}
