// SPDX-License-Identifier: Apache-2.0
#pragma once

// The plugin in front of a host in memory.

#include <doctest/doctest.h>
#include <tetragon/plugin.h>
#include <tetragon/testing/fake_host.h>

#include <string>

extern "C" const tetragon_plugin tetragon_plugin_v1;

namespace tetragon::kprobe_plugin {

struct Fixture {
  Fixture() {
    host.arrays = {"tg_sys_enters", "tg_sys_exits"};
    request.section = "kprobes";
    request.targets = {{"__x64_sys_creat", "", 0, 0, 85}};
    request.flags = TETRAGON_HOOK_SYSCALL;
    REQUIRE(plugin.create() == TETRAGON_OK);
    REQUIRE(plugin.start() == TETRAGON_OK);
  }
  // What the listing says; "refused" with the error of the host otherwise.
  std::string add() {
    rc = plugin.hook_add(request.raw());
    return rc == TETRAGON_OK ? host.hooks.back().said.at("backend") : "refused";
  }
  bool says(const std::string& part) const { return host.error.find(part) != std::string::npos; }

  testing::FakeHost host;
  testing::FakeRequest request;
  testing::PluginRunner plugin{host, tetragon_plugin_v1};
  tetragon_rc rc = TETRAGON_OK;
};

}  // namespace tetragon::kprobe_plugin
