// SPDX-License-Identifier: Apache-2.0
#pragma once

// The texts inside of policies: numbers, ranges, ports, networks, names, intervals. Pure; used by validation and by the
// compiler, so that what was accepted compiles. Errors say what is wrong with the text and what is allowed, without
// its place.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"
#include "core/util/result.h"

namespace tetragon::policy {

struct NumberFormat {
  uint8_t width = 8;  // bytes
  bool is_signed = true;
  bool decimal_only = false;  // else 0x, 0o, 0b and a leading 0 say the base
  bool bits = false;          // a bit pattern: signed types also take their unsigned range
};

// The number as 64 bits, extended like the value it is compared with.
Result<uint64_t> parse_number(std::string_view text, NumberFormat format);

struct Range {
  uint64_t low = 0, high = 0;  // both included
};
// "min:max"
Result<Range> parse_range(std::string_view text, NumberFormat format);
// "a" or "a:b"
Result<Range> parse_number_or_range(std::string_view text, NumberFormat format);
Result<Range> parse_port(std::string_view text);
constexpr uint64_t max_set_numbers = 1U << 18U;  // of all ranges of one InMap, which are written out one by one

// "list:NAME": NAME; empty otherwise.
std::string_view list_reference(std::string_view text) noexcept;

struct Network {
  bool v6 = false;
  std::array<uint8_t, 16> address{};  // IPv4: the first four
  uint8_t bits = 0;                   // of the prefix
};
Result<Network> parse_network(std::string_view text);

Result<uint32_t> parse_family(std::string_view text);     // AF_INET or 2
Result<uint32_t> parse_protocol(std::string_view text);   // IPPROTO_TCP or 6
Result<uint32_t> parse_state(std::string_view text);      // TCP_LISTEN or 10
Result<uint32_t> parse_file_type(std::string_view text);  // bits of S_IFMT
// The names that parse_file_type knows.
std::vector<std::string_view> file_type_names();

Result<uint32_t> parse_capability(std::string_view name);  // CAP_NET_RAW
// A mask as a number, or capabilities joined by commas.
Result<uint64_t> parse_capability_mask(std::string_view text);

// enum tg_ns of "Mnt"
Result<uint32_t> parse_namespace(std::string_view name);
std::vector<std::string_view> namespace_names();
constexpr std::string_view host_namespace = "host_ns";
Result<uint32_t> parse_namespace_value(std::string_view text);  // inode number; not for host_namespace

// "5", "5s", "5m", "5h"
Result<uint64_t> parse_rate_limit(std::string_view text);

// "true", "1", ... as Go reads a bool
Result<bool> parse_option_bool(std::string_view text);

// "name+0x10"
struct SymbolOffset {
  std::string name;
  uint64_t offset = 0;
};
Result<SymbolOffset> parse_symbol_offset(std::string_view text);

// "a.b[2].c": at most max_resolve_steps names and indices.
struct ResolveStep {
  std::string name;  // empty: an index
  uint64_t index = 0;
};
constexpr std::size_t max_resolve_steps = 10;
Result<std::vector<ResolveStep>> parse_resolve(std::string_view text);

// A system call of a list or an enforcer: "sys_read", "__x64_sys_read", "i386/sys_read".
struct SyscallName {
  std::string name;  // "sys_read", without prefixes
  std::string abi;   // x64, i386, arm64, arm32; empty: this machine's
};
Result<SyscallName> parse_syscall_name(std::string_view text);

// argRegs of a uprobe's Override: "rax=0", "rip=(%rsp)", "rsp=8%rsp"
struct RegisterAssignment {
  enum class Source { constant, reg, memory };
  std::string target;
  Source source = Source::constant;
  std::string reg;    // of reg and memory
  int64_t value = 0;  // the constant, or what is added to the register
};
Result<RegisterAssignment> parse_register_assignment(std::string_view text);

// argUrl of GetUrl: http or https, with a host that can be one.
Result<void> check_url(std::string_view text);
// argFqdn of DnsLookup; a dot at the end is possible.
Result<void> check_host_name(std::string_view text);

bool is_dns_1123_subdomain(std::string_view name) noexcept;
// The nearest name that is one, for the error; empty when nothing is left.
std::string dns_1123_suggestion(std::string_view name);

// Bytes of one NUL at the end that a value of Equal for `type` does not mean: char_buf compares all bytes.
std::string_view text_value(std::string_view value, std::string_view type) noexcept;

}  // namespace tetragon::policy
