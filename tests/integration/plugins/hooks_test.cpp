// SPDX-License-Identifier: Apache-2.0
// Hooks of policies: their objects live as long as the hook, whatever the plugin does.
#include <doctest/doctest.h>

#include <string>

#include "core/bpf_runtime/features.h"
#include "core/plugin_host/hook.h"
#include "folder.h"

using tetragon::Result;
using tetragon::plugin_host::HookSetup;
using tetragon::plugin_host::Status;

namespace {

struct Request {
  explicit Request(const char* what) {
    attribute = {sizeof(attribute), 0, {"do", 2}, {what, std::char_traits<char>::length(what)}};
    raw.struct_size = sizeof(raw);
    raw.policy = {"p", 1};
    raw.section = {"others", 6};
    raw.attribute_count = 1;
    raw.attributes = &pointer;
  }
  tetragon_hook_attribute attribute{};
  const tetragon_hook_attribute* pointer = &attribute;
  tetragon_hook_request raw{};
};

}  // namespace

TEST_CASE("hooks of policies") {
  const auto features = tetragon::bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  if (!features.supported("large") || !features.supported("btf")) {
    MESSAGE("SKIPPED: " << features.find("large")->reason << "; " << features.find("btf")->reason);
    return;
  }
  Folder folder;
  folder.put("hooks");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  const auto plugin = host.host.serves("others");
  REQUIRE(plugin != 0);
  CHECK(host.host.serves("things") == plugin);
  CHECK(host.host.serves("kprobes") == 0);

  int before = 0, after = 0;
  const auto setup = [&] {
    return HookSetup{[&](tetragon::bpf_runtime::Object&) -> Result<void> {
                       ++before;
                       return {};
                     },
                     [&](tetragon::bpf_runtime::Object&, std::uint32_t deliver) -> Result<void> {
                       CHECK(deliver == 0);
                       ++after;
                       return {};
                     }};
  };
  {
    auto added = host.host.add_hook(plugin, setup(), Request("all").raw);
    REQUIRE(added.ok());
    CHECK((*added)->said().at("section") == "others");
    CHECK((*added)->plugin() == plugin);
    CHECK(before == 1);
    CHECK(after == 1);
    CHECK(host.runtime.live_objects() == 1);
  }
  // Detached before the plugin hears of it.
  CHECK(host.runtime.live_objects() == 0);
  CHECK(host.logged("test.hooks: removed: closed"));

  auto failed = host.host.add_hook(plugin, setup(), Request("fail").raw);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message().find("half of the hook is attached") != std::string::npos);
  CHECK(host.runtime.live_objects() == 0);

  HookSetup refuses;
  refuses.before_load = [](tetragon::bpf_runtime::Object&) -> Result<void> {
    return tetragon::Error(tetragon::Code::invalid, "it has no tg_hook");
  };
  auto refused = host.host.add_hook(plugin, std::move(refuses), Request("all").raw);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().find("it has no tg_hook") != std::string::npos);
  CHECK(host.runtime.live_objects() == 0);
  host.host.stop_all();
  CHECK(host.host.serves("things") == 0);
}

TEST_CASE("hooks without objects") {
  Folder folder;
  const std::string file = folder.put("hooks");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  const auto plugin = host.host.serves("things");
  REQUIRE(plugin != 0);
  {
    auto added = host.host.add_hook(plugin, {}, Request("nothing").raw);
    REQUIRE(added.ok());
    CHECK((*added)->kernel_memory() == 0);
  }
  CHECK(host.logged("removed: it had nothing"));
  auto thrown = host.host.add_hook(plugin, {}, Request("throw").raw);
  REQUIRE_FALSE(thrown.ok());
  CHECK(thrown.error().message().find("hook_add threw an exception: no hook today") != std::string::npos);
  CHECK(host.entry(file).status == Status::started);
  CHECK(host.host.refresh().ok());
  CHECK(host.logged("test.hooks: refreshed"));
}

TEST_CASE("plugin of 1.0") {
  Folder folder;
  const std::string file = folder.put("of_1_0");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  CHECK(host.entry(file).reason == "");
  REQUIRE(host.entry(file).status == Status::started);
  CHECK(host.host.refresh().ok());
  CHECK(host.host.sections().empty());
  CHECK(host.host.arg_types().empty());
  auto added = host.host.add_hook(host.entry(file).number, {}, Request("all").raw);
  REQUIRE_FALSE(added.ok());
  CHECK(added.error().message().find("serves no section") != std::string::npos);
}
