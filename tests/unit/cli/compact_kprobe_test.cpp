// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "compact_fixture.h"
#include "core/cli/syscalls.h"

using namespace compact_test;

namespace {

constexpr const char* who = "node /usr/bin/app";

void add_file(Response& event, const std::string& path) {
  argument(event).mutable_file_arg()->set_path(path);
}

Response tracepoint(const std::string& subsys, const std::string& name) {
  Response event;
  event.set_node_name("node");
  auto& point = *event.mutable_process_tracepoint();
  fill_process(*point.mutable_process());
  point.set_subsys(subsys);
  point.set_event(name);
  return event;
}

std::string line(const std::string& head, const std::string& details) {
  return head + " " + who + (details.empty() ? "" : " " + details) + "\n";
}

}  // namespace

TEST_CASE("read and write") {
  struct Row {
    const char* function;
    const char* head;
  };
  for (const Row& row : {Row{"__x64_sys_write", "📝 write  "}, Row{"__arm64_sys_write", "📝 write  "},
                         Row{"sys_read", "📚 read   "}, Row{"__ia32_sys_read", "📚 read   "}}) {
    Response event = kprobe(row.function);
    CHECK(printed(event) == line(row.head, " "));
    add_file(event, "/etc/passwd");
    argument(event).set_bytes_arg("data");
    CHECK(printed(event) == line(row.head, "/etc/passwd "));
    argument(event).set_size_arg(4);
    CHECK(printed(event) == line(row.head, "/etc/passwd 4 bytes"));
  }
}

TEST_CASE("open and close") {
  Response event = kprobe("fd_install");
  argument(event).set_int_arg(3);
  add_file(event, "/a");
  CHECK(printed(event) == line("📬 open   ", "/a"));

  event = kprobe("__x64_sys_openat");
  argument(event).set_int_arg(-100);
  argument(event).set_string_arg("/b");
  CHECK(printed(event) == line("📬️ openat ", "/b"));
  event.mutable_process_kprobe()->set_function_name("__x64_sys_open");
  CHECK(printed(event) == line("📬️ open   ", "/b"));

  event = kprobe("__x64_sys_close");
  add_file(event, "/c");
  CHECK(printed(event) == line("📪 close  ", "/c"));
}

TEST_CASE("mount, pivot_root, setuid, clock_settime, proc_exec_connector") {
  Response event = kprobe("__x64_sys_mount");
  argument(event).set_string_arg("/dev/sda");
  argument(event).set_string_arg("/mnt");
  CHECK(printed(event) == line("💾 mount  ", "/dev/sda /mnt"));
  event.mutable_process_kprobe()->set_function_name("__x64_sys_pivot_root");
  CHECK(printed(event) == line("💾 pivot_root", "/dev/sda /mnt"));

  event = kprobe("__x64_sys_setuid");
  argument(event).set_int_arg(0);
  CHECK(printed(event) == line("🔑 setuid ", "0"));
  CHECK(printed(kprobe("__x64_sys_clock_settime")) == line("⏰ clock_settime", ""));
  CHECK(printed(kprobe("proc_exec_connector")) == line("🔧 proc_exec_connector", ""));
}

TEST_CASE("setns") {
  struct Row {
    int flags;
    const char* text;
  };
  for (const Row& row : {Row{0, "any"}, Row{0x02000000, "cgroup"}, Row{0x08000000, "ipc"}, Row{0x40000000, "net"},
                         Row{0x00020000, "mnt"}, Row{0x20000000, "pid"}, Row{0x80, "time"}, Row{0x10000000, "user"},
                         Row{0x04000000, "uts"}, Row{0x00020000 | 0x40000000, "net,mnt"}, Row{0x1, "0x1"}}) {
    Response event = kprobe("__x64_sys_setns");
    argument(event).set_int_arg(5);
    argument(event).set_int_arg(row.flags);
    CHECK(printed(event) == line("🔧 setns  ", row.text));
  }
}

TEST_CASE("sockets") {
  Response event = kprobe("tcp_connect");
  auto& sock = *argument(event).mutable_sock_arg();
  sock.set_saddr("10.0.0.1");
  sock.set_sport(4242);
  sock.set_daddr("::1");
  sock.set_dport(443);
  const std::string text = "tcp 10.0.0.1:4242 -> ::1:443";
  CHECK(printed(event) == line("🔌 connect", text));
  event.mutable_process_kprobe()->set_function_name("tcp_close");
  CHECK(printed(event) == line("🧹 close  ", text));
  event.mutable_process_kprobe()->set_function_name("tcp_sendmsg");
  CHECK(printed(event) == line("📤 sendmsg", text + " "));
  argument(event).set_int_arg(77);
  CHECK(printed(event) == line("📤 sendmsg", text + " bytes 77"));
  CHECK(printed(kprobe("tcp_connect")) == "🔌 connect node /usr/bin/app \n");
}

TEST_CASE("BPF and perf") {
  Response event = kprobe("bpf_check");
  auto& attr = *argument(event).mutable_bpf_attr_arg();
  attr.set_progtype("BPF_PROG_TYPE_KPROBE");
  attr.set_progname("probe");
  attr.set_insncnt(12);
  CHECK(printed(event) == line("🐝 bpf_load", "BPF_PROG_TYPE_KPROBE probe instruction count 12"));

  event = kprobe("security_perf_event_alloc");
  argument(event).mutable_perf_event_arg()->set_type("PERF_TYPE_TRACEPOINT");
  event.mutable_process_kprobe()->mutable_args(0)->mutable_perf_event_arg()->set_kprobefunc("do_exit");
  CHECK(printed(event) == line("🐝 perf_event_alloc", "PERF_TYPE_TRACEPOINT do_exit"));

  for (const char* function : {"security_bpf_map_alloc", "security_bpf_map_create"}) {
    event = kprobe(function);
    auto& map = *argument(event).mutable_bpf_map_arg();
    map.set_maptype("BPF_MAP_TYPE_HASH");
    map.set_mapname("m");
    map.set_keysize(4);
    map.set_valuesize(8);
    map.set_maxentries(16);
    CHECK(printed(event) == line("🗺 bpf_map_create", "BPF_MAP_TYPE_HASH m key size 4 value size 8 max entries 16"));
  }
}

TEST_CASE("file security hooks") {
  struct Row {
    int mask;
    const char* head;
  };
  for (const Row& row : {Row{2, "📝 write  "}, Row{4, "📚 read   "}, Row{1, "❓ security_file_permission"}}) {
    Response event = kprobe("security_file_permission");
    add_file(event, "/f");
    argument(event).set_int_arg(row.mask);
    CHECK(printed(event) == line(row.head, "/f"));
  }
  CHECK(printed(kprobe("security_file_permission")) == "❓ security_file_permission node /usr/bin/app \n");

  struct Map {
    unsigned bits;
    const char* head;
  };
  for (const Map& row :
       {Map{0, "📝 mmap-  "}, Map{1, "📝 mmap-r "}, Map{3, "📝 mmap-rw"}, Map{7, "📝 mmap-rwx"}, Map{5, "📝 mmap-rx"}}) {
    Response event = kprobe("security_mmap_file");
    add_file(event, "/f");
    argument(event).set_uint_arg(row.bits);
    CHECK(printed(event) == line(row.head, "/f"));
  }

  Response event = kprobe("security_path_truncate");
  argument(event).mutable_path_arg()->set_path("/p");
  CHECK(printed(event) == line("📝 truncate", "/p"));
  event = kprobe("security_file_truncate");
  add_file(event, "/f");
  CHECK(printed(event) == line("📝 truncate", "/f"));
}

TEST_CASE("other functions keep their whole name") {
  CHECK(printed(kprobe("__x64_sys_lseek")) == line("❓ syscall", "__x64_sys_lseek"));
}

TEST_CASE("other functions show what they were called with") {
  Response event = kprobe("__x64_sys_ptrace");
  argument(event).set_int_arg(16);
  auto& pid = argument(event);
  pid.set_long_arg(-1);
  pid.set_label("pid");
  argument(event).mutable_error_arg()->set_message("Bad address");
  argument(event).set_string_arg("a\nb");
  event.mutable_process_kprobe()->mutable_return_()->set_int_arg(-3);
  CHECK(printed(event) == line("❓ syscall", "__x64_sys_ptrace 16 pid=-1 (Bad address) a\\x0ab = -3"));

  event = kprobe("commit_creds");
  auto& cred = *argument(event).mutable_process_credentials_arg();
  cred.mutable_uid()->set_value(1000);
  cred.mutable_euid()->set_value(0);
  auto& program = *argument(event).mutable_bpf_attr_arg();
  program.set_progtype("BPF_PROG_TYPE_KPROBE");
  program.set_progname("p");
  program.set_insncnt(2);
  auto& map = *argument(event).mutable_bpf_map_arg();
  map.set_maptype("BPF_MAP_TYPE_HASH");
  map.set_mapname("m");
  auto& call = *argument(event).mutable_syscall_id();
  call.set_id(5);
  call.set_abi("i386");
  argument(event).mutable_user_ns_arg()->mutable_ns()->set_inum(77);
  CHECK(printed(event) == line("❓ syscall",
                               "commit_creds uid 1000 gid 0 euid 0 egid 0 BPF_PROG_TYPE_KPROBE p instruction count 2 "
                               "BPF_MAP_TYPE_HASH m i386/5 user namespace 77"));
}

TEST_CASE("stack traces") {
  Response event = kprobe("__x64_sys_lseek");
  auto& probe = *event.mutable_process_kprobe();
  auto& inner = *probe.add_kernel_stack_trace();
  inner.set_symbol("do_sys");
  inner.set_offset(0x10);
  auto& outer = *probe.add_kernel_stack_trace();
  outer.set_address(0xffff);
  outer.set_symbol("entry");
  auto& user = *probe.add_user_stack_trace();
  user.set_module("/lib/libc.so");
  user.set_offset(0xab);
  auto& named = *probe.add_user_stack_trace();
  named.set_address(0x1000);
  named.set_symbol("main");
  named.set_module("/bin/x");
  const std::string head = line("❓ syscall", "__x64_sys_lseek");
  CHECK(printed(event) == head +
                              "Kernel:\n"
                              "   0x0: do_sys+0x10\n"
                              "   0xffff: entry+0x0\n"
                              "User:\n"
                              "   0x0: (/lib/libc.so+0xab)\n"
                              "   0x1000: main (/bin/x+0x0)\n");
  tetragon::cli::CompactOptions without;
  without.stack_traces = false;
  CHECK(printed(event, without) == head);
}

TEST_CASE("tracepoints") {
  CHECK(printed(tracepoint("sched", "sched_switch")) == "⁉️ tracepoint node /usr/bin/app sched sched_switch\n");
}

TEST_CASE("system call tracepoints") {
  auto add = [](Response& event) -> tetragon::KprobeArgument& {
    return *event.mutable_process_tracepoint()->add_args();
  };
  const std::string head = "☎  syscall node /usr/bin/app ";

  Response event = tracepoint("raw_syscalls", "sys_enter");
  CHECK(printed(event) == head + "unknown\n");
  auto& id = *add(event).mutable_syscall_id();
  id.set_id(257);
  id.set_abi("x64");
  const std::string prefix = tetragon::cli::native_abi() == "x64" ? "" : "x64/";
  CHECK(printed(event) == head + prefix + "openat\n");
  add(event).set_size_arg(0xffffff9c);
  add(event).set_size_arg(0x7fff0010);
  add(event).set_string_arg("odd");
  CHECK(printed(event) ==
        head + prefix + "openat(int dfd=-100, const char *filename=0x7fff0010, int flags=\"odd\", umode_t mode=?)\n");

  event = tracepoint("raw_syscalls", "sys_enter");
  add(event).mutable_syscall_id()->set_id(5);
  event.mutable_process_tracepoint()->mutable_args(0)->mutable_syscall_id()->set_abi("i386");
  CHECK(printed(event) == head + "i386/open\n");

  event = tracepoint("raw_syscalls", "sys_enter");
  add(event).set_long_arg(99999);
  CHECK(printed(event) == head + "unknown\n");
}
