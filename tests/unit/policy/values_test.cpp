// SPDX-License-Identifier: Apache-2.0
#include "core/policy/values.h"

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "core/util/strings.h"

using namespace tetragon;
using namespace tetragon::policy;
using namespace std::literals;

TEST_CASE("numbers are extended as the kernel's values are") {
  CHECK(*parse_number("-1", {4, true}) == ~uint64_t{0});
  CHECK(*parse_number("255", {1, false}) == 255);
  CHECK(*parse_number("0xff", {1, true, false, /*bits=*/true}) == ~uint64_t{0});
  CHECK(*parse_number("0x80000000", {4, true, false, true}) == 0xffffffff80000000ULL);
  CHECK(*parse_number("18446744073709551615", {8, false}) == ~uint64_t{0});
  CHECK(*parse_number("-9223372036854775808", {8, true}) == uint64_t{1} << 63);
  CHECK(*parse_number("0755", {4, true}) == 0755);
  CHECK(*parse_number("0", {1, false}) == 0);
  for (const char* bad : {"", "-", "+", "0x", "0b", "0o", "08", "1 ", " 1", "1_000", "--1", "0x-1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_number(bad, {8, true}).ok());
  }
  CHECK_FALSE(parse_number("-129", {1, true}).ok());
  CHECK_FALSE(parse_number("9223372036854775808", {8, true}).ok());
  CHECK_FALSE(parse_number("-1", {8, false}).ok());
  CHECK_FALSE(parse_number("0x1", {8, true, /*decimal_only=*/true}).ok());
  CHECK(*parse_number("010", {8, true, /*decimal_only=*/true}) == 10);
}

TEST_CASE("ranges") {
  const auto range = parse_range("-5:5", {4, true});
  REQUIRE(range.ok());
  CHECK(static_cast<int64_t>(range->low) == -5);
  CHECK(range->high == 5);
  CHECK(parse_number_or_range("7", {4, true})->high == 7);
  CHECK_FALSE(parse_range("5:-5", {4, true}).ok());
  CHECK_FALSE(parse_range("1:2:3", {4, true}).ok());
  CHECK(parse_port("1:65535")->high == 65535);
}

TEST_CASE("networks") {
  const auto v4 = parse_network("10.1.2.3/8");
  REQUIRE(v4.ok());
  CHECK(v4->bits == 8);
  CHECK(v4->address[0] == 10);
  CHECK_FALSE(v4->v6);
  const auto v6 = parse_network("fe80::1");
  REQUIRE(v6.ok());
  CHECK(v6->v6);
  CHECK(v6->bits == 128);
  for (const char* bad : {"", "/8", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/+8", "1.2.3.4.5", "::g", "10.0.0.1/8/8"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_network(bad).ok());
  }
  CHECK_FALSE(parse_network(std::string_view("10.0.0.1\0x", 10)).ok());
}

TEST_CASE("names of the kernel") {
  CHECK(*parse_capability("CAP_SYS_ADMIN") == 21);
  CHECK(*parse_capability(" dac_override ") == 1);
  CHECK(*parse_capability("CAP_DAC_OVERRIDE") == 1);
  CHECK(*parse_capability_mask("CAP_CHOWN,CAP_KILL") == 0x21);
  CHECK(*parse_capability_mask("0x1ff") == 0x1ff);
  CHECK_FALSE(parse_capability_mask("").ok());
  CHECK(*parse_family("AF_INET6") == 10);
  CHECK(*parse_family("2") == 2);
  CHECK(*parse_protocol("IPPROTO_MPTCP") == 262);
  CHECK(*parse_state("TCP_CLOSE") == 7);
  CHECK(*parse_file_type("fifo") == S_IFIFO);
  CHECK(*parse_namespace("TimeForChildren") == 7);
  CHECK(*parse_namespace_value("4026531840") == 4026531840U);
  CHECK_FALSE(parse_namespace_value("-1").ok());
}

TEST_CASE("intervals") {
  CHECK(*parse_rate_limit("5") == 5);
  CHECK(*parse_rate_limit("5s") == 5);
  CHECK(*parse_rate_limit("2m") == 120);
  CHECK(*parse_rate_limit("1h") == 3600);
  for (const char* bad : {"", "s", "5d", "-5", "5 s", "99999999999999999999", "4294967295h", "1m5s"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rate_limit(bad).ok());
  }
}

TEST_CASE("paths of members") {
  const auto steps = parse_resolve("mm.owner[3].comm");
  REQUIRE(steps.ok());
  REQUIRE(steps->size() == 4);
  CHECK((*steps)[1].name == "owner");
  CHECK((*steps)[2].name.empty());
  CHECK((*steps)[2].index == 3);
  CHECK(parse_resolve("[0]")->size() == 1);
  CHECK(parse_resolve("[0].a")->size() == 2);
  CHECK(parse_resolve("a.b.c.d.e.f.g.h.i.j")->size() == 10);
  for (const char* bad : {"", ".", ".a", "a.", "a..b", "a b", "a[", "a[]", "a[x]", "a[1", "a]", "1a", "a[-1]", "a[1]b",
                          "a[99999999999]", "a->b"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_resolve(bad).ok());
  }
}

TEST_CASE("system calls, symbols, registers") {
  CHECK(parse_syscall_name("sys_read")->name == "sys_read");
  CHECK(parse_syscall_name("sys_read")->abi.empty());
  CHECK(parse_syscall_name("__ia32_sys_read")->abi == "i386");
  CHECK(parse_syscall_name("arm32/__arm64_sys_read")->abi == "arm32");
  CHECK(parse_syscall_name("x64/sys_read")->name == "sys_read");
  for (const char* bad : {"", "read", "sys_", "x86/sys_read", "i386/__x64_sys_read", "sys_a b", "/sys_read"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_syscall_name(bad).ok());
  }
  CHECK(parse_symbol_offset("main+0x10")->offset == 16);
  CHECK(parse_symbol_offset("main+10")->offset == 10);
  CHECK(parse_symbol_offset("operator new")->name == "operator new");
  CHECK(parse_register_assignment("rip=(%rsp)")->source == RegisterAssignment::Source::memory);
  const auto added = parse_register_assignment("rsp = 8%rsp");
  REQUIRE(added.ok());
  CHECK(added->source == RegisterAssignment::Source::reg);
  CHECK(added->value == 8);
  CHECK(added->reg == "rsp");
  CHECK(parse_register_assignment("rax=-1")->value == -1);
  for (const char* bad : {"", "rax", "=1", "rax=", "rax=%", "rax=(rsp)", "rax=%rsp)", "rax=x%rsp", "rax=8(%rsp"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_register_assignment(bad).ok());
  }
}

TEST_CASE("URLs and host names") {
  const auto why = [](const Result<void>& result) { return result.ok() ? "ok" : result.error().message(); };
  for (const char* good :
       {"http://a", "HTTPS://A.test:443/x?y=http://b#c", "http://u:p%40@a/", "http://[2001:db8::1]:81/",
        "http://192.0.2.1/", "http://a_b-c./", "http://a:/", "https://a?b"}) {
    CAPTURE(good);
    CHECK(why(check_url(good)) == "ok");
  }
  for (const char* bad : {"", "a.test", "ftp://a", "file:///etc/passwd", "http:/a", "http:a", "//a", "httpx://a"}) {
    CAPTURE(bad);
    CHECK(why(check_url(bad)) == quoted(bad) + " must begin with http:// or https://");
  }
  for (const std::string_view bad :
       {"http://a b"sv, "http://a/\r\nX: y"sv, "http://a/\0"sv, "http://\xc3\xa4/"sv, "http://a/\x7f"sv}) {
    CHECK(why(check_url(bad)).find("has a blank, a control character or a byte beyond ASCII at position ") == 0);
  }
  for (const char* bad : {"http://", "http:///x", "http://u@/", "http://:80/"}) {
    CHECK(why(check_url(bad)) == "the host name is missing");
  }
  for (const char* bad : {"http://[::1", "http://[]", "http://[", "http://[g::]/", "http://[1.2.3.4]/"}) {
    CAPTURE(bad);
    CHECK(why(check_url(bad)).find("is no IPv6 address") != std::string::npos);
  }
  for (const char* bad : {"http://a:0", "http://a:65536/", "http://a:8x/", "http://a:1:2/", "http://[::1]8/"}) {
    CAPTURE(bad);
    CHECK(why(check_url(bad)).find("is not one of 1 to 65535") != std::string::npos);
  }
  CHECK(why(check_url("http://a/" + std::string(8192, 'x'))) == "has more than 8192 characters");

  const std::string label(63, 'a');
  for (const std::string& good :
       {std::string("localhost"), std::string("a.test."), std::string("_dmarc.A-b.c"), label + ".x"}) {
    CHECK(why(check_host_name(good)) == "ok");
  }
  CHECK(why(check_host_name("")) == "the host name is missing");
  CHECK(why(check_host_name(".")) == "the host name is missing");
  CHECK(why(check_host_name("a..b")).find("a part of 0 characters") != std::string::npos);
  CHECK(why(check_host_name(label + "a.b")).find("a part of 64 characters") != std::string::npos);
  CHECK(why(check_host_name(label + "." + label + "." + label + "." + label)).find("at most 253") != std::string::npos);
  for (const char* bad : {"a b", "a:80", "::1", "a/b", "a\n", "\xc3\xa4.test"}) {
    CHECK(why(check_host_name(bad)).find("write names beyond ASCII as xn--") != std::string::npos);
  }
}

TEST_CASE("names of policies and values of texts") {
  CHECK(dns_1123_suggestion("Example_NS 1") == "example-ns-1");
  CHECK(dns_1123_suggestion("--a..b-.c-") == "a.b.c");
  CHECK(dns_1123_suggestion("___").empty());
  CHECK(text_value(std::string_view("a\0", 2), "string") == "a");
  CHECK(text_value(std::string_view("a\0", 2), "char_buf").size() == 2);
  CHECK(list_reference("list:a") == "a");
  CHECK(list_reference("a").empty());
}
