// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/syscalls.h"

#include <doctest/doctest.h>

using namespace tetragon::kernel;

TEST_CASE("a function named otherwise than its call is found by both names") {
  for (const char* text : {"sys_umount", "sys_umount2", "__x64_sys_umount"}) {
    CAPTURE(text);
    const auto call = parse_syscall(std::string("x64/") + (text[0] == '_' ? text + 6 : text));
    REQUIRE(call.ok());
    CHECK(call->number == 166);
    CHECK(call->function() == "__x64_sys_umount");
  }
  CHECK(parse_syscall("x64/sys_stat")->function() == "__x64_sys_newstat");
  CHECK(parse_syscall("i386/sys_umount2")->function() == "__ia32_sys_umount2");
}

TEST_CASE("system calls: names and numbers agree in every table") {
  for (const char* abi : {"x64", "i386", "arm64"}) {
    const auto all = all_syscalls(abi);
    CHECK(all.size() > 300);
    std::uint32_t last = 0;
    for (const Syscall& call : all) {
      CHECK_MESSAGE((call.number > last || call.number == 0), abi << " " << call.name);
      last = call.number;
      CHECK(syscall_name(abi, call.number) == call.name);
      CHECK(syscall_number(abi, call.name).has_value());
    }
  }
  CHECK(syscall_number("x64", "openat") == 257);
  CHECK(syscall_number("i386", "openat") == 295);
  CHECK(syscall_number("arm64", "openat") == 56);
  CHECK(syscall_number("x64", "listmount") == 458);
  CHECK_FALSE(syscall_number("x64", "no_such_call").has_value());
}

TEST_CASE("system calls: every spelling of policies") {
  struct Case {
    const char *text, *abi, *name, *function;
    std::uint32_t id;
  };
  for (const Case& one : {Case{"x64/sys_read", "x64", "read", "__x64_sys_read", 0},
                          {"__x64_sys_openat", "x64", "openat", "__x64_sys_openat", 257},
                          {"i386/sys_openat", "i386", "openat", "__ia32_sys_openat", 295 | kCompatSyscall},
                          {"__ia32_sys_open", "i386", "open", "__ia32_sys_open", 5 | kCompatSyscall},
                          {"arm64/sys_read", "arm64", "read", "__arm64_sys_read", 63},
                          {"i386/__ia32_sys_open", "i386", "open", "__ia32_sys_open", 5 | kCompatSyscall}}) {
    const auto call = parse_syscall(one.text);
    REQUIRE_MESSAGE(call.ok(), one.text);
    CHECK(call->abi == one.abi);
    CHECK(call->name == one.name);
    CHECK(call->function() == one.function);
    CHECK(call->id() == one.id);
  }
  CHECK(parse_syscall("sys_read")->abi == native_abi());
}

TEST_CASE("system calls: wrong spellings say what is allowed") {
  CHECK(parse_syscall("mips/sys_read").error().message() ==
        "\"mips/sys_read\": unknown ABI \"mips\"; allowed: x64, i386, arm64");
  CHECK(parse_syscall("x64/sys_raed").error().message() ==
        "\"x64/sys_raed\": ABI x64 has no such system call; did you mean \"sys_read\"?");
  CHECK(parse_syscall("i386/__x64_sys_read").error().message() ==
        "\"i386/__x64_sys_read\": the prefix says another ABI than \"i386\"");
}

TEST_CASE("system calls: functions") {
  CHECK(is_syscall_function("sys_open"));
  CHECK(is_syscall_function("__x64_sys_open"));
  CHECK_FALSE(is_syscall_function("security_file_open"));
  CHECK(with_syscall_prefix("security_file_open") == "security_file_open");
  CHECK(with_syscall_prefix("__ia32_sys_open") == "__ia32_sys_open");
#if defined(__x86_64__)
  CHECK(with_syscall_prefix("sys_open") == "__x64_sys_open");
#endif
}
