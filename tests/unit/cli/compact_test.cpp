// SPDX-License-Identifier: Apache-2.0
#include "core/cli/compact.h"

#include <doctest/doctest.h>

#include "compact_fixture.h"

using namespace compact_test;
using tetragon::cli::CompactOptions;

TEST_CASE("exec and exit") {
  Response event;
  event.set_node_name("node");
  fill_process(*event.mutable_process_exec()->mutable_process(), "-a b");
  CHECK(printed(event) == "🚀 process node /usr/bin/app -a b\n");

  fill_process(*event.mutable_process_exit()->mutable_process(), "-a b");
  CHECK(printed(event) == "💥 exit    node /usr/bin/app -a b 0\n");
  event.mutable_process_exit()->set_status(3);
  CHECK(printed(event) == "💥 exit    node /usr/bin/app -a b 3\n");
  event.mutable_process_exit()->set_signal("SIGKILL");
  CHECK(printed(event) == "💥 exit    node /usr/bin/app -a b SIGKILL\n");
}

TEST_CASE("empty parts leave their spaces") {
  Response event;
  event.mutable_process_exec()->mutable_process()->set_binary("/bin/x");
  CHECK(printed(event) == "🚀 process  /bin/x \n");
  event.mutable_process_exec()->clear_process();
  CHECK(printed(event) == "🚀 process   \n");
}

TEST_CASE("pods take the place of the node") {
  Response event;
  event.set_node_name("node");
  auto& process = *event.mutable_process_exec()->mutable_process();
  fill_process(process);
  process.mutable_pod()->set_namespace_("default");
  process.mutable_pod()->set_name("web-1");
  CHECK(printed(event) == "🚀 process default/web-1 /usr/bin/app \n");
}

TEST_CASE("throttle") {
  Response event;
  event.set_node_name("node");
  event.mutable_process_throttle()->set_type(tetragon::THROTTLE_START);
  event.mutable_process_throttle()->set_cgroup("/sys.slice");
  CHECK(printed(event) == "🧬 throttle START /sys.slice\n");
  event.mutable_process_throttle()->set_type(tetragon::THROTTLE_STOP);
  CHECK(printed(event) == "🧬 throttle STOP  /sys.slice\n");
}

TEST_CASE("loader") {
  Response event;
  event.set_node_name("node");
  auto& loader = *event.mutable_process_loader();
  fill_process(*loader.mutable_process());
  loader.set_path("/lib/libc.so.6");
  CHECK(printed(event) == "🧬 loader  node /usr/bin/app /lib/libc.so.6\n");
  loader.set_buildid("\x0a\xff\x10");
  CHECK(printed(event) == "🧬 loader  node /usr/bin/app 0aff10 /lib/libc.so.6\n");
}

TEST_CASE("uprobe, usdt, lsm and test") {
  Response event;
  event.set_node_name("node");
  auto& uprobe = *event.mutable_process_uprobe();
  fill_process(*uprobe.mutable_process());
  uprobe.set_path("/bin/bash");
  uprobe.set_symbol("readline");
  CHECK(printed(event) == "🕵️ uprobe  node /usr/bin/app /bin/bash readline\n");
  uprobe.clear_symbol();
  uprobe.set_offset(0x4f0);
  CHECK(printed(event) == "🕵️ uprobe  node /usr/bin/app /bin/bash +0x4f0\n");

  auto& usdt = *event.mutable_process_usdt();
  fill_process(*usdt.mutable_process());
  usdt.set_path("/bin/x");
  usdt.set_provider("prov");
  usdt.set_name("probe");
  CHECK(printed(event) == "🕵️ usdt    node /usr/bin/app /bin/x prov probe\n");

  auto& lsm = *event.mutable_process_lsm();
  fill_process(*lsm.mutable_process());
  lsm.set_function_name("file_open");
  CHECK(printed(event) == "🔒 LSM     node /usr/bin/app file_open\n");

  event.mutable_test();
  CHECK(printed(event) == "TEST EVENT\n");
}

TEST_CASE("IMA hashes follow LSM events") {
  Response event;
  event.set_node_name("node");
  auto& lsm = *event.mutable_process_lsm();
  fill_process(*lsm.mutable_process());
  lsm.set_function_name("bprm_check_security");
  lsm.add_args()->mutable_linux_binprm_arg()->set_path("/bin/true");
  lsm.set_ima_hash("sha256:abcd");
  CHECK(printed(event) == "🔒 LSM     node /usr/bin/app bprm_check_security\n   /bin/true sha256:abcd\n");
  lsm.mutable_args(0)->mutable_file_arg()->set_path("/bin/false");
  lsm.set_function_name("mmap_file");
  CHECK(printed(event) == "🔒 LSM     node /usr/bin/app mmap_file\n   /bin/false sha256:abcd\n");
  CompactOptions without;
  without.ima_hash = false;
  CHECK(printed(event, without) == "🔒 LSM     node /usr/bin/app mmap_file\n");
}

TEST_CASE("the capability mark ends at column 120") {
  Response event;
  event.set_node_name("node");
  auto& process = *event.mutable_process_exec()->mutable_process();
  fill_process(process, "x");
  for (int i = 0; i < 21; ++i) {
    process.mutable_cap()->add_effective(static_cast<tetragon::CapabilitiesType>(i));
  }
  std::string line = "🚀 process node /usr/bin/app x";  // 32 bytes
  REQUIRE(line.size() == 32);
  CHECK(printed(event) == line + "\n");
  process.mutable_cap()->add_effective(tetragon::CAP_SYS_ADMIN);
  CHECK(printed(event) == line + " " + std::string(120 - 32 - 15, ' ') + "🛑 CAP_SYS_ADMIN\n");

  CompactOptions colors;
  colors.colors = true;
  // Four coloured parts with 9 bytes of codes each; the mark's own codes fill its field too.
  CHECK(printed(event, colors) ==
        "\x1b[34m🚀 process\x1b[0m \x1b[32mnode\x1b[0m \x1b[35m/usr/bin/app\x1b[0m \x1b[36mx\x1b[0m " +
            std::string(120 - 32 - 4 * 9 - 15 - 9, ' ') + "\x1b[35m🛑 CAP_SYS_ADMIN\x1b[0m\n");

  process.set_arguments(std::string(200, 'y'));
  CHECK(printed(event).ends_with("yy 🛑 CAP_SYS_ADMIN\n"));
}

TEST_CASE("colours") {
  CompactOptions colors;
  colors.colors = true;
  Response event;
  event.set_node_name("node");
  fill_process(*event.mutable_process_exit()->mutable_process());
  CHECK(printed(event, colors) ==
        "\x1b[34m💥 exit   \x1b[0m \x1b[32mnode\x1b[0m \x1b[35m/usr/bin/app\x1b[0m \x1b[36m\x1b[0m \x1b[31m0\x1b[0m\n");
  event.mutable_process_throttle()->set_type(tetragon::THROTTLE_START);
  CHECK(printed(event, colors) == "\x1b[31m🧬 throttle\x1b[0m START \x1b[36m\x1b[0m\n");
  auto& loader = *event.mutable_process_loader();
  fill_process(*loader.mutable_process());
  loader.set_path("/l");
  CHECK(printed(event, colors).ends_with(" \x1b[33m/l\x1b[0m\n"));
}

TEST_CASE("timestamps") {
  CompactOptions options;
  options.timestamps = true;
  Response event;
  event.set_node_name("node");
  fill_process(*event.mutable_process_exec()->mutable_process());
  event.mutable_time()->set_seconds(1700000000);
  event.mutable_time()->set_nanos(42);
  CHECK(printed(event, options) == "2023-11-14T22:13:20.000000042Z 🚀 process node /usr/bin/app \n");
  event.clear_time();
  CHECK(printed(event, options) == std::string(31, ' ') + "🚀 process node /usr/bin/app \n");
}

TEST_CASE("plugin events") {
  Response event;
  event.set_node_name("node");
  auto& plugin = *event.mutable_process_plugin();
  fill_process(*plugin.mutable_process());
  plugin.set_plugin("acme.net");
  plugin.set_event("dns_query");
  plugin.add_args()->set_string_arg("example.org");
  plugin.add_args()->set_int_arg(-7);
  auto& labelled = *plugin.add_args();
  labelled.set_size_arg(9);
  labelled.set_label("bytes");
  plugin.add_args()->set_bytes_arg("\x01\xfe");
  CHECK(printed(event) == "🧩 plugin  node /usr/bin/app acme.net dns_query example.org -7 bytes=9 01fe\n");
}

TEST_CASE("lost events come first") {
  Response event;
  event.set_node_name("node");
  event.mutable_lost_events()->set_count(12);
  event.mutable_lost_events()->set_cause("queue full");
  CHECK(printed(event) == "⚠ lost    12 events (queue full)\n");
  fill_process(*event.mutable_process_exec()->mutable_process());
  CHECK(printed(event) == "⚠ lost    12 events (queue full)\n🚀 process node /usr/bin/app \n");
  CompactOptions colors;
  colors.colors = true;
  CHECK(printed(event, colors).starts_with("\x1b[33m⚠ lost    12 events (queue full)\x1b[0m\n"));
}

TEST_CASE("events without a form are shown, never an error") {
  Response event;
  event.set_node_name("node");
  event.mutable_rate_limit_info()->set_number_of_dropped_process_events(8);
  CHECK(printed(event) == "🚦 limit   node 8 events left out by the export rate limit\n");

  // Field 40, length-delimited, empty: an event of a later version.
  Response later;
  REQUIRE(later.ParseFromString(std::string("\xc2\x02\x00", 3)));
  later.set_node_name("node");
  CHECK(printed(later) == "❓ unknown node event 40, which this tetra does not know\n");
  CHECK(printed(Response()) == "❓ unknown  no event\n");
}

TEST_CASE("one event is one line, whatever it contains") {
  Response event;
  event.set_node_name("no\nde");
  auto& process = *event.mutable_process_exec()->mutable_process();
  process.set_binary("/bin/\x1b[2Jsh");
  process.set_arguments("a\r\nb\x07");
  CHECK(printed(event) == "🚀 process no\\x0ade /bin/\\x1b[2Jsh a\\x0d\\x0ab\\x07\n");
}
