// SPDX-License-Identifier: Apache-2.0
// One golden value per argument type.
#include "core/hook/args.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "values.h"

using namespace tetragon;
using namespace tetragon::hook;
using namespace tetragon::hook::testing;
using namespace std::string_literals;

TEST_CASE("numbers, by the policy's type") {
  CHECK(argument_json("int", number(-5)) == R"({"int_arg":-5})");
  CHECK(argument_json("int32", number(0)) == R"({"int_arg":0})");
  CHECK(argument_json("sint8", number(-128)) == R"({"int_arg":-128})");
  CHECK(argument_json("int16", number(-32768)) == R"({"int_arg":-32768})");
  CHECK(argument_json("uint8", number(255)) == R"({"uint_arg":255})");
  CHECK(argument_json("uint16", number(65535)) == R"({"uint_arg":65535})");
  CHECK(argument_json("uint32", number(4294967295)) == R"({"uint_arg":4294967295})");
  CHECK(argument_json("long", number(-1)) == R"({"long_arg":"-1"})");
  CHECK(argument_json("int64", number(INT64_MIN)) == R"({"long_arg":"-9223372036854775808"})");
  CHECK(argument_json("uint64", number(-1)) == R"({"size_arg":"18446744073709551615"})");
  CHECK(argument_json("size_t", number(12)) == R"({"size_arg":"12"})");
  // What the load extended to 64 bits is cut to the type's width again.
  CHECK(argument_json("int", number(0xffffffff)) == R"({"int_arg":-1})");
  CHECK(argument_json("uint32", number(-1)) == R"({"uint_arg":4294967295})");
  CHECK(argument_json("int", number(5), "flags") == R"({"int_arg":5,"label":"flags"})");
}

TEST_CASE("numbers with names") {
  CHECK(argument_json("bpf_cmd", number(5)) == R"({"bpf_cmd_arg":"BPF_PROG_LOAD"})");
  CHECK(argument_json("bpf_cmd", number(0)) == R"({"bpf_cmd_arg":"BPF_MAP_CREATE"})");
  CHECK(argument_json("bpf_cmd", number(77)) == R"({"bpf_cmd_arg":77})");
  CHECK(argument_json("capability", number(21)) == R"({"capability_arg":{"value":21,"name":"CAP_SYS_ADMIN"}})");
  CHECK(argument_json("capability", number(0)) == R"({"capability_arg":{"value":0,"name":"CAP_CHOWN"}})");
  CHECK(argument_json("capability", number(99)) == R"({"capability_arg":{"value":99}})");
  CHECK(argument_json("capability", number(-1)) == R"({"capability_arg":{"value":-1}})");
#if defined(__x86_64__)
  CHECK(argument_json("syscall64", number(59)) == R"({"syscall_id":{"id":59,"abi":"x64"}})");
  CHECK(argument_json("syscall64", number(0x8000000b)) == R"({"syscall_id":{"id":11,"abi":"i386"}})");
  CHECK(argument_json("syscall64", number(0), "nr") == R"({"label":"nr","syscall_id":{"abi":"x64"}})");
#endif
}

TEST_CASE("sets of capabilities") {
  CHECK(argument_json("kernel_cap_t", number(0x1ffffffffff)) == R"({"kernel_cap_t_arg":"000001ffffffffff"})");
  CHECK(argument_json("cap_inheritable", number(0)) == R"({"cap_inheritable_arg":"0000000000000000"})");
  CHECK(argument_json("cap_permitted", number(-1)) == R"({"cap_permitted_arg":"ffffffffffffffff"})");
  CHECK(argument_json("cap_effective", number(0xa0), "caps") ==
        R"({"label":"caps","cap_effective_arg":"00000000000000a0"})");
}

TEST_CASE("text") {
  CHECK(argument_json("string", "/etc/passwd") == R"({"string_arg":"/etc/passwd"})");
  CHECK(argument_json("string", "") == R"({"string_arg":""})");
  CHECK(argument_json("string", "a\xff\xfe\"b") == "{\"string_arg\":\"a\xef\xbf\xbd\\\"b\"}");
  // Fixed arrays and data_loc come with what stands behind the end.
  CHECK(argument_json("string", "comm\0\0junk"s) == R"({"string_arg":"comm"})");
  CHECK(argument_json("data_loc", "name\0"s) == R"({"string_arg":"name"})");
  CHECK(argument_json("net_device", "eth0\0\0\0\0\0\0\0\0\0\0\0\0"s) == R"({"string_arg":"eth0"})");
  CHECK(argument_json("filename", "/bin/ls", "what") == R"({"string_arg":"/bin/ls","label":"what"})");
}

TEST_CASE("bytes") {
  for (const char* type : {"char_buf", "char_iovec", "iov_iter", "const_buf"}) {
    CAPTURE(type);
    CHECK(argument_json(type, "a\0b"s) == R"({"bytes_arg":"YQBi"})");
    CHECK(argument_json(type, "") == R"({"bytes_arg":""})");
    CHECK(argument_json(arg_type(type), value_of("abc", 4096, TG_ARG_TRUNCATED), "l") ==
          R"({"truncated_bytes_arg":{"bytes_arg":"YWJj","orig_size":"4096"},"label":"l"})");
    CHECK(argument_json(arg_type(type), value_of("abc", 4)) ==
          R"({"truncated_bytes_arg":{"bytes_arg":"YWJj","orig_size":"4"}})");
    CHECK(argument_json(arg_type(type), value_of("abc", 3)) == R"({"bytes_arg":"YWJj"})");
  }
}

TEST_CASE("paths") {
  const tg_path_arg regular{.flags = 0, .mode = 0100644, .reserved = 0};
  const tg_path_arg cut{.flags = TG_PATH_FLAG_UNRESOLVED, .mode = 0040755, .reserved = 0};
  const tg_path_arg nothing{};
  CHECK(argument_json("file", raw(regular, "/etc/shadow")) ==
        R"({"file_arg":{"path":"/etc/shadow","permission":"-rw-r--r--"}})");
  CHECK(argument_json("fd", raw(cut, "/deep/dir")) ==
        R"({"file_arg":{"path":"/deep/dir","flags":"unresolvedPathComponents","permission":"drwxr-xr-x"}})");
  CHECK(argument_json("kiocb", raw(nothing, "")) == R"({"file_arg":{"path":"/"}})");
  CHECK(argument_json("path", raw(regular, "/x"), "p") ==
        R"({"path_arg":{"path":"/x","permission":"-rw-r--r--"},"label":"p"})");
  CHECK(argument_json("dentry", raw(nothing, "/in/mount")) == R"({"path_arg":{"path":"/in/mount"}})");
  CHECK(argument_json("linux_binprm", raw(cut, "/bin/sh"), "b") ==
        R"({"label":"b","linux_binprm_arg":{"path":"/bin/sh","flags":"unresolvedPathComponents",)"
        R"("permission":"drwxr-xr-x"}})");
}

TEST_CASE("permissions") {
  const auto text = [](uint16_t mode) {
    std::string out;
    append_permission(out, mode);
    return out;
  };
  CHECK(text(0100644) == "-rw-r--r--");
  CHECK(text(0120777) == "lrwxrwxrwx");
  CHECK(text(0060660) == "brw-rw----");
  CHECK(text(0020620) == "crw--w----");
  CHECK(text(0010600) == "prw-------");
  CHECK(text(0140755) == "srwxr-xr-x");
  CHECK(text(0104755) == "-rwsr-xr-x");
  CHECK(text(0106711) == "-rws--s--x");
  CHECK(text(0104644) == "-rwSr--r--");
  CHECK(text(0041777) == "drwxrwxrwt");
  CHECK(text(0041776) == "drwxrwxrwT");
  CHECK(text(0100000) == "----------");
}

TEST_CASE("sockets") {
  tg_sock_arg sock{};
  sock.cookie = 0xffff888000000001;
  sock.mark = 7;
  sock.priority = 6;
  sock.family = 2;
  sock.type = 1;
  sock.protocol = 6;
  sock.state = 1;
  sock.sport = 43210;
  sock.dport = 443;
  const uint8_t from[] = {10, 0, 0, 1}, to[] = {192, 168, 255, 0};
  std::memcpy(sock.saddr, from, 4);
  std::memcpy(sock.daddr, to, 4);
  const std::string expected =
      R"({"sock_arg":{"family":"AF_INET","type":"SOCK_STREAM","protocol":"IPPROTO_TCP","mark":7,"priority":6,)"
      R"("saddr":"10.0.0.1","daddr":"192.168.255.0","sport":43210,"dport":443,"cookie":"18446612682070032385",)"
      R"("state":"TCP_ESTABLISHED"}})";
  CHECK(argument_json("sock", raw(sock)) == expected);
  CHECK(argument_json("socket", raw(sock)) == expected);

  sock.family = 10;
  const uint8_t six[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4};
  std::memcpy(sock.saddr, six, 16);
  std::memcpy(sock.daddr, mapped, 16);
  const std::string json = argument_json("sock", raw(sock));
  CHECK(json.find(R"("family":"AF_INET6")") != std::string::npos);
  CHECK(json.find(R"("saddr":"2001:db8::1","daddr":"::ffff:1.2.3.4")") != std::string::npos);

  tg_sock_arg other{};
  other.family = 999;
  other.type = 77;
  other.protocol = 200;
  other.state = 55;
  CHECK(argument_json("sock", raw(other)) ==
        R"({"sock_arg":{"family":"999","type":"77","protocol":"200","state":"55"}})");
  other.family = 1;
  CHECK(argument_json("sock", raw(other)).find("addr") == std::string::npos);
}

TEST_CASE("packets") {
  tg_skb_arg skb{};
  skb.hash = 1;
  skb.len = 60;
  skb.priority = 2;
  skb.mark = 3;
  skb.sec_path_len = 1;
  skb.sec_path_olen = 2;
  skb.family = 2;
  skb.protocol = 17;
  skb.sport = 53;
  skb.dport = 5353;
  skb.saddr[0] = 127;
  skb.saddr[3] = 1;
  skb.daddr[0] = 8;
  CHECK(argument_json("skb", raw(skb)) ==
        R"({"skb_arg":{"hash":1,"len":60,"priority":2,"mark":3,"saddr":"127.0.0.1","daddr":"8.0.0.0","sport":53,)"
        R"("dport":5353,"proto":17,"sec_path_len":1,"sec_path_olen":2,"protocol":"IPPROTO_UDP","family":"AF_INET"}})");
}

TEST_CASE("addresses") {
  tg_sockaddr_arg address{};
  address.family = 2;
  address.port = 22;
  address.addr[0] = 1;
  // Contract: no label on these two.
  CHECK(argument_json("sockaddr", raw(address), "label") ==
        R"({"sockaddr_arg":{"family":"AF_INET","addr":"1.0.0.0","port":22}})");
  tg_sockaddr_un_arg un{};
  un.family = 1;
  CHECK(argument_json("sockaddr_un", raw(un, "/run/x.sock\0\0"s), "label") ==
        R"({"sockaddrun_arg":{"family":"AF_UNIX","path":"/run/x.sock"}})");
  CHECK(argument_json("sockaddr_un", raw(un, "\0abstract"s)) ==
        R"({"sockaddrun_arg":{"family":"AF_UNIX","path":"@abstract"}})");
  CHECK(argument_json("sockaddr_un", raw(un, "\0a\0b\0\0"s)) ==
        R"({"sockaddrun_arg":{"family":"AF_UNIX","path":"@a\u0000b"}})");
  CHECK(argument_json("sockaddr_un", raw(un, "\0"s)) == R"({"sockaddrun_arg":{"family":"AF_UNIX","path":"@"}})");
  CHECK(argument_json("sockaddr_un", raw(un, "\0\0\0"s)) == R"({"sockaddrun_arg":{"family":"AF_UNIX","path":"@"}})");
  CHECK(argument_json("sockaddr_un", raw(un)) == R"({"sockaddrun_arg":{"family":"AF_UNIX"}})");
}

TEST_CASE("credentials and user namespaces") {
  tg_cred_arg cred{};
  cred.uid = 1000;
  cred.gid = 1001;
  cred.suid = 1;
  cred.securebits = 0x2f;
  cred.cap_permitted = 1;
  cred.cap_effective = uint64_t{1} << 40 | 2;
  cred.user_ns_level = 1;
  cred.user_ns_uid = 1000;
  cred.user_ns_inum = 5;
  CHECK(argument_json("cred", raw(cred), "new") ==
        R"({"label":"new","process_credentials_arg":{"uid":1000,"gid":1001,"euid":0,"egid":0,"suid":1,"sgid":0,)"
        R"("fsuid":0,"fsgid":0,"securebits":["SecBitNoRoot","SecBitNoRootLocked","SecBitNoSetUidFixup",)"
        R"("SecBitNoSetUidFixupLocked","SecBitKeepCapsLocked"],"caps":{"permitted":["CAP_CHOWN"],)"
        R"("effective":["DAC_OVERRIDE","CAP_CHECKPOINT_RESTORE"]},)"
        R"("user_ns":{"level":1,"uid":1000,"gid":0,"ns":{"inum":5}}}})");
  tg_user_ns_arg user_ns{};
  user_ns.inum = 4026531837u;
  CHECK(argument_json("user_namespace", raw(user_ns)) ==
        R"({"user_ns_arg":{"level":0,"uid":0,"gid":0,"ns":{"inum":4026531837,"is_host":true}}})");
}

TEST_CASE("BPF objects") {
  tg_bpf_attr_arg attr{};
  attr.prog_type = 2;
  attr.insn_count = 17;
  std::memcpy(attr.name, "0123456789abcdef", 16);  // without a NUL
  const std::string fields = R"({"ProgType":"BPF_PROG_TYPE_KPROBE","InsnCnt":17,"ProgName":"0123456789abcdef"}})";
  CHECK(argument_json("bpf_attr", raw(attr)) == R"({"bpf_attr_arg":)" + fields);
  CHECK(argument_json("bpf_prog", raw(attr)) == R"({"bpf_prog_arg":)" + fields);
  attr.prog_type = 1234;
  attr.name[0] = 0;
  CHECK(argument_json("bpf_attr", raw(attr)) == R"({"bpf_attr_arg":{"ProgType":"1234","InsnCnt":17}})");
  tg_bpf_map_arg map{};
  map.type = 27;
  map.key_size = 4;
  map.value_size = 8;
  map.max_entries = 4096;
  std::memcpy(map.name, "ring", 4);
  CHECK(argument_json("bpf_map", raw(map)) ==
        R"({"bpf_map_arg":{"MapType":"BPF_MAP_TYPE_RINGBUF","KeySize":4,"ValueSize":8,"MaxEntries":4096,)"
        R"("MapName":"ring"}})");
}

TEST_CASE("perf events and modules") {
  tg_perf_event_arg perf{};
  perf.type = 2;
  perf.config = 3;
  perf.probe_offset = 4;
  std::memcpy(perf.function, "do_open", 7);
  CHECK(argument_json("perf_event", raw(perf)) ==
        R"({"perf_event_arg":{"KprobeFunc":"do_open","Type":"PERF_TYPE_TRACEPOINT","Config":"3","ProbeOffset":"4"}})");
  perf.type = 9;
  CHECK(argument_json("perf_event", raw(perf)).find(R"("Type":"9")") != std::string::npos);
  tg_module_arg module{};
  std::memcpy(module.name, "evil", 4);
  module.taints = 1 << 12 | 1 << 13;
  module.has_signature = 1;
  const std::string taints = R"("tainted":["TAINT_OUT_OF_TREE_MODULE","TAINT_UNSIGNED_MODULE"]}})";
  CHECK(argument_json("module", raw(module)) == R"({"module_arg":{"name":"evil",)" + taints);
  CHECK(argument_json("load_info", raw(module)) == R"({"module_arg":{"name":"evil","signature_ok":false,)" + taints);
  module.has_signature = 0;
  CHECK(argument_json("load_info", raw(module)) == R"({"module_arg":{"name":"evil",)" + taints);
}

TEST_CASE("what could not be read") {
  CHECK(argument_json(ArgType::int_, failed(-EFAULT)) == R"({"error_arg":{"Message":"Bad address"}})");
  CHECK(argument_json(ArgType::file, failed(-1), "f") == R"({"label":"f","error_arg":{"Message":"Bad address"}})");
  CHECK(argument_json(ArgType::fd, failed(-EBADF)) == R"({"error_arg":{"Message":"-9"}})");
  CHECK(argument_json(ArgType::char_buf, failed(-EFAULT)) ==
        R"({"bytes_arg":"Q2hhckJ1ZkVycm9yUGFnZUZhdWx0"})");  // CharBufErrorPageFault
  CHECK(argument_json(ArgType::char_buf, failed(-ENOMEM)) == R"({"bytes_arg":"Q2hhckJ1ZkVycm9yRU5PTUVN"})");
  CHECK(argument_json(ArgType::char_buf, failed(-E2BIG)) == R"({"bytes_arg":"Q2hhckJ1ZkVycm9yQnVmVG9vTGFyZ2U="})");
  CHECK(argument_json(ArgType::char_buf, failed(-5), "b") ==
        R"({"bytes_arg":"Q2hhckJ1ZkVycm9yVW5rbm93bg==","label":"b"})");
  std::string wire;
  append_missing_argument("x", wire);
  CHECK(to_json("tetragon.KprobeArgument", wire) == R"({"label":"x","error_arg":{"Message":"not in the record"}})");
}

TEST_CASE("bytes that are shorter than the type") {
  for (int i = 1; i < static_cast<int>(ArgType::plugin); ++i) {
    const auto type = static_cast<ArgType>(i);
    const ArgMember member = arg_member(type);
    CAPTURE(to_string(type));
    if (member == ArgMember::none || member == ArgMember::string_arg || member == ArgMember::bytes_arg) continue;
    CHECK(argument_json(type, value_of("")) == "refused");
    CHECK(argument_json(type, value_of("1234567")) == "refused");
  }
}

TEST_CASE("types of plugins decide themselves") {
  static int32_t kind;
  tetragon_arg_type type{};
  type.struct_size = sizeof(type);
  type.decode = [](tetragon_bytes bytes, tetragon_arg* arg) -> tetragon_rc {
    if (bytes.size == 0) return TETRAGON_E_INVALID;
    arg->kind = static_cast<uint32_t>(kind);
    if (kind == TETRAGON_ARG_STRING) {
      arg->value.s = {static_cast<const char*>(bytes.data), bytes.size};
    } else if (kind == TETRAGON_ARG_BYTES) {
      arg->value.b = bytes;
    } else {
      arg->value.i = -2;
    }
    return TETRAGON_OK;
  };
  const auto json = [&](int32_t wanted, std::string_view bytes) {
    kind = wanted;
    std::string wire;
    if (!append_plugin_argument(type, value_of(bytes), "l", wire)) return std::string("refused");
    return to_json("tetragon.KprobeArgument", wire);
  };
  CHECK(json(TETRAGON_ARG_STRING, "t\xff") == "{\"string_arg\":\"t\xef\xbf\xbd\",\"label\":\"l\"}");
  CHECK(json(TETRAGON_ARG_BYTES, "abc") == R"({"bytes_arg":"YWJj","label":"l"})");
  CHECK(json(TETRAGON_ARG_INT, "x") == R"({"int_arg":-2,"label":"l"})");
  CHECK(json(TETRAGON_ARG_UINT, "x") == R"({"uint_arg":4294967294,"label":"l"})");
  CHECK(json(TETRAGON_ARG_LONG, "x") == R"({"long_arg":"-2","label":"l"})");
  CHECK(json(TETRAGON_ARG_SIZE, "x") == R"({"size_arg":"18446744073709551614","label":"l"})");
  CHECK(json(99, "x") == "refused");
  CHECK(json(TETRAGON_ARG_STRING, "") == "refused");
  std::string wire;
  CHECK(append_plugin_argument(type, failed(-14), "l", wire));
  CHECK(to_json("tetragon.KprobeArgument", wire) == R"({"label":"l","error_arg":{"Message":"Bad address"}})");
}
