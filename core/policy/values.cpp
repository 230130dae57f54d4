// SPDX-License-Identifier: Apache-2.0
#include "core/policy/values.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/util/kernel_names.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

Error invalid(std::string text) {
  return Error(Code::invalid, std::move(text));
}

std::string shown(std::string_view text) {
  return quoted(text.substr(0, 80)) + (text.size() > 80 ? "..." : "");
}

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool word_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_identifier(std::string_view text) noexcept {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') && std::all_of(text.begin(), text.end(), word_character);
}

struct Magnitude {
  bool negative = false;
  uint64_t value = 0;
};

Result<Magnitude> parse_magnitude(std::string_view text, bool decimal_only) {
  const std::string_view whole = text;
  Magnitude result;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    result.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (!decimal_only && text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), result.value, base);
  if (text.empty() || end != text.data() + text.size() || status == std::errc::invalid_argument) {
    return invalid(shown(whole) + " is not a number" +
                   (decimal_only ? "; decimal digits are expected" : "; decimal, 0x, 0o and 0b are understood"));
  }
  if (status == std::errc::result_out_of_range) return invalid(shown(whole) + " does not fit into 64 bits");
  return result;
}

Result<uint32_t> named_number(std::string_view text, std::span<const KernelName> names, std::string_view what,
                              uint32_t largest) {
  if (const auto number = find_number(names, text)) return *number;
  if (all_digits(text)) {
    uint32_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status == std::errc{} && end == text.data() + text.size() && value <= largest) return value;
    return invalid(shown(text) + " is too large for " + std::string(what) + "; at most " + std::to_string(largest));
  }
  std::vector<std::string_view> known;
  for (const KernelName& one : names) known.push_back(one.name);
  const std::string_view near = closest_match(text, known);
  return invalid(shown(text) + " is not " + std::string(what) +
                 (near.empty() ? "" : "; did you mean " + std::string(near) + "?") + "; allowed: a name like " +
                 std::string(names[2].name) + ", or a number");
}

struct FileKind {
  std::string_view name;
  uint32_t bits;
};
constexpr auto file_kinds = std::to_array<FileKind>({{"sock", S_IFSOCK},
                                                     {"socket", S_IFSOCK},
                                                     {"lnk", S_IFLNK},
                                                     {"link", S_IFLNK},
                                                     {"reg", S_IFREG},
                                                     {"regular", S_IFREG},
                                                     {"blk", S_IFBLK},
                                                     {"block", S_IFBLK},
                                                     {"dir", S_IFDIR},
                                                     {"chr", S_IFCHR},
                                                     {"char", S_IFCHR},
                                                     {"fifo", S_IFIFO},
                                                     {"pipe", S_IFIFO}});

// In the order of enum tg_ns.
constexpr auto namespaces = std::to_array<std::string_view>(
    {"Uts", "Ipc", "Mnt", "Pid", "PidForChildren", "Net", "Time", "TimeForChildren", "Cgroup", "User"});

std::string list_of(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

}  // namespace

Result<uint64_t> parse_number(std::string_view text, NumberFormat format) {
  auto magnitude = parse_magnitude(text, format.decimal_only);
  if (!magnitude) return std::move(magnitude).error();
  const unsigned bits = format.width * 8U;
  const uint64_t all = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const uint64_t positive = format.is_signed && !format.bits ? all >> 1U : all;
  const uint64_t negative = format.is_signed ? (all >> 1U) + 1 : 0;
  if (magnitude->value > (magnitude->negative ? negative : positive)) {
    const std::string type =
        std::string(format.is_signed ? "a signed" : "an unsigned") + " number of " + std::to_string(bits) + " bits";
    return invalid(shown(text) + " does not fit into " + type + "; allowed: " +
                   (negative == 0 ? "0" : "-" + std::to_string(negative)) + " to " + std::to_string(positive));
  }
  uint64_t value = magnitude->negative ? 0 - magnitude->value : magnitude->value;
  // A bit pattern of a narrow signed type is extended as the kernel's value is.
  if (format.is_signed && bits < 64 && (value & (uint64_t{1} << (bits - 1))) != 0) value |= ~all;
  return value;
}

Result<Range> parse_range(std::string_view text, NumberFormat format) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return invalid(shown(text) + " is not a range; write min:max");
  auto low = parse_number(text.substr(0, colon), format);
  if (!low) return std::move(low).error().with_context("minimum of the range");
  auto high = parse_number(text.substr(colon + 1), format);
  if (!high) return std::move(high).error().with_context("maximum of the range");
  const bool ordered = format.is_signed ? static_cast<int64_t>(*low) <= static_cast<int64_t>(*high) : *low <= *high;
  if (!ordered) return invalid("the range " + shown(text) + " is empty: its minimum is above its maximum");
  return Range{*low, *high};
}

Result<Range> parse_number_or_range(std::string_view text, NumberFormat format) {
  if (text.find(':') != std::string_view::npos) return parse_range(text, format);
  auto number = parse_number(text, format);
  if (!number) return std::move(number).error();
  return Range{*number, *number};
}

Result<Range> parse_port(std::string_view text) {
  return parse_number_or_range(text, {2, /*is_signed=*/false, /*decimal_only=*/true, false});
}

std::string_view list_reference(std::string_view text) noexcept {
  return text.starts_with("list:") ? text.substr(5) : std::string_view{};
}

Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network;
  if (inet_pton(AF_INET, address.c_str(), network.address.data()) == 1) {
    network.bits = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), network.address.data()) == 1) {
    network.v6 = true;
    network.bits = 128;
  } else {
    return invalid(shown(text) + " is not an address; allowed: IPv4 or IPv6, alone or with /BITS");
  }
  if (address.size() != text.substr(0, slash).size() || address.find('\0') != std::string::npos) {
    return invalid(shown(text) + " is not an address");
  }
  if (slash != std::string_view::npos) {
    const std::string_view bits = text.substr(slash + 1);
    unsigned value = 0;
    const auto [end, status] = std::from_chars(bits.data(), bits.data() + bits.size(), value);
    if (!all_digits(bits) || status != std::errc{} || end != bits.data() + bits.size() || value > network.bits) {
      return invalid("in " + shown(text) + " the length of the network is wrong; allowed: /0 to /" +
                     std::to_string(network.bits));
    }
    network.bits = static_cast<uint8_t>(value);
  }
  return network;
}

Result<uint32_t> parse_family(std::string_view text) {
  return named_number(text, address_families(), "an address family", 65535);
}
Result<uint32_t> parse_protocol(std::string_view text) {
  return named_number(text, ip_protocols(), "a protocol", 65535);
}
Result<uint32_t> parse_state(std::string_view text) {
  return named_number(text, tcp_states(), "a state of TCP", 255);
}

Result<uint32_t> parse_file_type(std::string_view text) {
  for (const FileKind& kind : file_kinds) {
    if (kind.name == text) return kind.bits;
  }
  const auto names = file_type_names();
  return invalid(shown(text) + " is not a kind of file; allowed: " + list_of(names));
}

std::vector<std::string_view> file_type_names() {
  std::vector<std::string_view> names;
  for (const FileKind& kind : file_kinds) names.push_back(kind.name);
  return names;
}

Result<uint32_t> parse_capability(std::string_view name) {
  std::string upper(trim(name));
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  // The API's enumeration spells number 1 without CAP_, so policies do too.
  const std::string full = upper.starts_with("CAP_") ? upper : "CAP_" + upper;
  const auto names = capability_names();
  const auto found = std::find(names.begin(), names.end(), full);
  if (found != names.end()) return static_cast<uint32_t>(found - names.begin());
  const std::string_view near = closest_match(full, names);
  return invalid(shown(name) + " is not a capability" +
                 (near.empty() ? "" : "; did you mean " + std::string(near) + "?") +
                 "; allowed: the names of capabilities(7), like CAP_NET_RAW");
}

Result<uint64_t> parse_capability_mask(std::string_view text) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') return parse_number(text, {8, /*is_signed=*/false});
  uint64_t mask = 0;
  for (const std::string_view part : split(text, ',')) {
    auto capability = parse_capability(part);
    if (!capability) return std::move(capability).error();
    mask |= uint64_t{1} << *capability;
  }
  return mask;
}

Result<uint32_t> parse_namespace(std::string_view name) {
  const auto found = std::find(namespaces.begin(), namespaces.end(), name);
  if (found != namespaces.end()) return static_cast<uint32_t>(found - namespaces.begin());
  return invalid(shown(name) + " is not a namespace; allowed: " + list_of(namespaces));
}

std::vector<std::string_view> namespace_names() {
  return {namespaces.begin(), namespaces.end()};
}

Result<uint32_t> parse_namespace_value(std::string_view text) {
  auto number = parse_number(text, {4, /*is_signed=*/false, /*decimal_only=*/true});
  if (!number) {
    return invalid(shown(text) +
                   " is not a namespace's number; allowed: the decimal inode number as /proc/PID/ns shows "
                   "it, or host_ns");
  }
  return static_cast<uint32_t>(*number);
}

Result<uint64_t> parse_rate_limit(std::string_view text) {
  uint64_t factor = 1;
  std::string_view digits = text;
  if (!digits.empty()) {
    const char unit = digits.back();
    if (unit == 's' || unit == 'm' || unit == 'h') {
      factor = unit == 's' ? 1 : unit == 'm' ? 60 : 3600;
      digits.remove_suffix(1);
    }
  }
  uint64_t value = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!all_digits(digits) || status != std::errc{} || end != digits.data() + digits.size() ||
      value > 0xffffffff / factor) {
    return invalid(shown(text) + " is not an interval; allowed: a number with s, m or h behind it, like 5m");
  }
  return value * factor;
}

Result<bool> parse_option_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return invalid(shown(text) + " is not true or false");
}

Result<SymbolOffset> parse_symbol_offset(std::string_view text) {
  const std::size_t plus = text.rfind('+');
  SymbolOffset result{std::string(text.substr(0, plus)), 0};
  if (plus != std::string_view::npos) {
    auto offset = parse_number(text.substr(plus + 1), {8, /*is_signed=*/false});
    if (!offset) return std::move(offset).error().with_context("offset behind '+'");
    result.offset = *offset;
  }
  if (result.name.empty()) return invalid(shown(text) + " names no symbol; allowed: NAME or NAME+OFFSET");
  return result;
}

Result<std::vector<ResolveStep>> parse_resolve(std::string_view text) {
  std::vector<ResolveStep> steps;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '[') {
      const std::size_t close = text.find(']', at);
      const std::string_view digits =
          close == std::string_view::npos ? std::string_view{} : text.substr(at + 1, close - at - 1);
      ResolveStep step;
      const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), step.index);
      if (!all_digits(digits) || status != std::errc{} || end != digits.data() + digits.size() ||
          step.index > std::numeric_limits<int32_t>::max()) {
        return invalid("in the path " + shown(text) + " '[' needs a number and ']' behind it");
      }
      steps.push_back(step);
      at = close + 1;
      if (at < text.size() && text[at] != '.' && text[at] != '[') {
        return invalid("in the path " + shown(text) + " a '.' is missing behind ']'; write a.b[0].c");
      }
    } else {
      if (text[at] == '.' && at != 0) ++at;
      std::size_t end = at;
      while (end < text.size() && word_character(text[end])) ++end;
      const std::string_view name = text.substr(at, end - at);
      if (!is_identifier(name)) {
        return invalid("the path " + shown(text) + " is not one: at byte " + std::to_string(at + 1) +
                       " the name of a member is expected; write a.b[0].c");
      }
      steps.push_back({std::string(name), 0});
      at = end;
      if (at < text.size() && text[at] != '.' && text[at] != '[') {
        return invalid("in the path " + shown(text) + " '" + text[at] + "' is not allowed; write a.b[0].c");
      }
    }
  }
  if (steps.empty()) return invalid("the path is empty; write a.b[0].c");
  if (steps.size() > max_resolve_steps) {
    return Error(Code::limit, "the path " + shown(text) + " has " + std::to_string(steps.size()) + " steps; at most " +
                                  std::to_string(max_resolve_steps) + " are possible");
  }
  return steps;
}

Result<SyscallName> parse_syscall_name(std::string_view text) {
  SyscallName result;
  std::string_view name = text;
  if (const std::size_t slash = name.find('/'); slash != std::string_view::npos) {
    result.abi = name.substr(0, slash);
    name.remove_prefix(slash + 1);
    constexpr auto abis = std::to_array<std::string_view>({"x64", "i386", "arm64", "arm32"});
    if (std::find(abis.begin(), abis.end(), result.abi) == abis.end()) {
      return invalid("in " + shown(text) + " the ABI is not known; allowed: " + list_of(abis));
    }
  }
  struct Prefix {
    std::string_view text, abi;
  };
  for (const Prefix prefix : {Prefix{"__x64_", "x64"}, {"__ia32_", "i386"}, {"__arm64_", "arm64"}}) {
    if (!name.starts_with(prefix.text)) continue;
    // arm32 calls enter through the arm64 symbols.
    if (!result.abi.empty() && result.abi != prefix.abi && !(result.abi == "arm32" && prefix.abi == "arm64")) {
      return invalid("in " + shown(text) + " the ABI and the prefix of the symbol contradict each other");
    }
    if (result.abi.empty()) result.abi = prefix.abi;
    name.remove_prefix(prefix.text.size());
    break;
  }
  result.name = name;
  if (!name.starts_with("sys_") || !is_identifier(name) || name.size() == 4) {
    return invalid(shown(text) + " is not a system call; allowed: sys_NAME, __x64_sys_NAME, or ABI/sys_NAME");
  }
  return result;
}

Result<RegisterAssignment> parse_register_assignment(std::string_view text) {
  const Error wrong = invalid(shown(text) +
                              " is not an assignment; allowed: REG=NUMBER, REG=%REG, REG=OFFSET%REG, REG=(%REG), "
                              "REG=OFFSET(%REG)");
  const std::size_t equal = text.find('=');
  if (equal == std::string_view::npos) return wrong;
  RegisterAssignment result;
  result.target = trim(text.substr(0, equal));
  std::string_view source = trim(text.substr(equal + 1));
  if (!is_identifier(result.target) || source.empty()) return wrong;
  const std::size_t percent = source.find('%');
  if (percent == std::string_view::npos) {
    auto value = parse_number(source, {8, /*is_signed=*/true, false, /*bits=*/true});
    if (!value) return wrong;
    result.value = static_cast<int64_t>(*value);
    return result;
  }
  std::string_view before = source.substr(0, percent);
  std::string_view reg = source.substr(percent + 1);
  result.source = RegisterAssignment::Source::reg;
  if (before.ends_with('(')) {
    if (!reg.ends_with(')')) return wrong;
    before.remove_suffix(1);
    reg.remove_suffix(1);
    result.source = RegisterAssignment::Source::memory;
  }
  if (!is_identifier(reg)) return wrong;
  result.reg = reg;
  if (!before.empty()) {
    auto value = parse_number(before, {8, /*is_signed=*/true});
    if (!value) return wrong;
    result.value = static_cast<int64_t>(*value);
  }
  return result;
}

Result<void> check_url(std::string_view text) {
  constexpr std::size_t longest = 8192;
  if (text.size() > longest) return invalid("has more than " + std::to_string(longest) + " characters");
  const auto bad = std::find_if(text.begin(), text.end(), [](char c) { return c <= 0x20 || c >= 0x7f; });
  if (bad != text.end()) {
    return invalid("has a blank, a control character or a byte beyond ASCII at position " +
                   std::to_string(bad - text.begin()) + "; write %20 and the like");
  }
  std::string scheme(text.substr(0, text.find("://")));
  for (char& c : scheme) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  if ((scheme != "http" && scheme != "https") || scheme.size() == text.size()) {
    return invalid(shown(text) + " must begin with http:// or https://");
  }
  text.remove_prefix(scheme.size() + 3);
  text = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(text.rfind('@') + 1);  // none: npos + 1
  std::string_view host = text.substr(0, text.find(':')), port = text.substr(host.size());
  if (text.starts_with('[')) {
    const std::size_t end = std::min(text.find(']'), text.size() - 1);
    in6_addr address;
    host = text.substr(0, end + 1);
    port = text.substr(end + 1);
    if (inet_pton(AF_INET6, std::string(text.substr(1, end - 1)).c_str(), &address) != 1 || !host.ends_with(']')) {
      return invalid("the host " + shown(host) + " is no IPv6 address");
    }
  } else {
    TETRAGON_TRY(check_host_name(host));
  }
  if (port.empty() || port == ":") return {};
  uint16_t number = 0;
  const auto [end, code] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
  if (port[0] != ':' || code != std::errc() || end != port.data() + port.size() || number == 0) {
    return invalid("the port " + shown(port.substr(1)) + " is not one of 1 to 65535");
  }
  return {};
}

Result<void> check_host_name(std::string_view text) {
  const std::string_view whole = text;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return invalid("the host name is missing");
  if (text.size() > 253)
    return invalid("the host name has " + std::to_string(text.size()) + " characters; at most 253");
  for (const std::string_view label : split(text, '.')) {
    if (label.empty() || label.size() > 63) {
      return invalid("the host name " + shown(whole) + " has a part of " + std::to_string(label.size()) +
                     " characters; allowed: 1 to 63 between dots");
    }
    if (!std::all_of(label.begin(), label.end(), [](char c) { return word_character(c) || c == '-'; })) {
      return invalid("the host name " + shown(whole) +
                     " has characters other than letters, digits, '-', '_' and '.'; write names beyond ASCII as xn--");
    }
  }
  return {};
}

bool is_dns_1123_subdomain(std::string_view name) noexcept {
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool edge = before == '.' || before == '-';
    if (c == '.' ? edge : c == '-' ? before == '.' : !letter) return false;
    before = c;
  }
  return before != '.' && before != '-';
}

std::string dns_1123_suggestion(std::string_view name) {
  std::string result;
  for (char c : name.substr(0, 253)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && c != '.') c = '-';
    const bool edge = result.empty() || result.back() == '.';
    if (!letter && edge) continue;
    if (c == '.' && result.back() == '-') result.pop_back();
    result += c;
  }
  while (!result.empty() && (result.back() == '-' || result.back() == '.')) result.pop_back();
  return is_dns_1123_subdomain(result) ? result : std::string();
}

std::string_view text_value(std::string_view value, std::string_view type) noexcept {
  if (type != "char_buf" && value.ends_with('\0')) value.remove_suffix(1);
  return value;
}

}  // namespace tetragon::policy
