// SPDX-License-Identifier: Apache-2.0
#include "core/hook/arg_type.h"

#include <doctest/doctest.h>

#include <string>

#include "tetragon/tetragon.pb.h"

using namespace tetragon::hook;

TEST_CASE("every spelling of the policy language") {
  const char* names[] = {"auto",
                         "int",
                         "sint8",
                         "int8",
                         "uint8",
                         "sint16",
                         "int16",
                         "uint16",
                         "sint32",
                         "int32",
                         "uint32",
                         "sint64",
                         "int64",
                         "long",
                         "uint64",
                         "ulong",
                         "size_t",
                         "string",
                         "filename",
                         "char_buf",
                         "char_iovec",
                         "iov_iter",
                         "const_buf",
                         "data_loc",
                         "fd",
                         "file",
                         "path",
                         "dentry",
                         "kiocb",
                         "sock",
                         "socket",
                         "skb",
                         "sockaddr",
                         "sockaddr_un",
                         "linux_binprm",
                         "net_device",
                         "cred",
                         "bpf_attr",
                         "bpf_map",
                         "user_namespace",
                         "capability",
                         "kernel_cap_t",
                         "bpf_prog",
                         "bpf_cmd",
                         "perf_event",
                         "load_info",
                         "cap_inheritable",
                         "cap_permitted",
                         "cap_effective",
                         "module",
                         "syscall64",
                         "nop",
                         "unsigned long"};
  for (const char* name : names) {
    CAPTURE(name);
    CHECK(arg_type(name) != ArgType::none);
  }
  CHECK(arg_type("sint32") == arg_type("int32"));
  CHECK(arg_type("long") == arg_type("int64"));
  CHECK(arg_type("ulong") == arg_type("uint64"));
  CHECK(arg_type("int") != arg_type("int32"));
}

TEST_CASE("what is no type") {
  for (const char* name : {"", "?", "plugin", "Int", "integer", "file "}) {
    CAPTURE(name);
    CHECK(arg_type(name) == ArgType::none);
  }
  CHECK(to_string(static_cast<ArgType>(250)) == "?");
  CHECK(arg_member(static_cast<ArgType>(250)) == ArgMember::none);
}

TEST_CASE("names and members agree with the schema") {
  const auto* message = tetragon::KprobeArgument::descriptor();
  for (int i = 1; i < static_cast<int>(ArgType::count); ++i) {
    const auto type = static_cast<ArgType>(i);
    CAPTURE(to_string(type));
    if (type != ArgType::plugin) CHECK(arg_type(to_string(type)) == type);
    const auto member = arg_member(type);
    if (member == ArgMember::none) continue;
    const auto* field = message->FindFieldByNumber(static_cast<int>(member));
    REQUIRE(field != nullptr);
    CHECK(field->containing_oneof() != nullptr);
  }
  CHECK(message->FindFieldByNumber(static_cast<int>(ArgMember::sockaddrun_arg))->name() == "sockaddrun_arg");
  CHECK(message->FindFieldByNumber(static_cast<int>(ArgMember::syscall_id))->name() == "syscall_id");
  CHECK(message->FindFieldByNumber(static_cast<int>(ArgMember::linux_binprm_arg))->name() == "linux_binprm_arg");
}
