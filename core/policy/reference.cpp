// SPDX-License-Identifier: Apache-2.0
#include "core/policy/reference.h"

#include <algorithm>
#include <map>

#include "core/kernel/syscalls.h"
#include "core/policy/reference_cel.h"
#include "core/policy/values.h"

namespace tetragon::policy::reference {

namespace {

// Texts that do not parse were refused before.
template <class T>
T good(Result<T> value) {
  return value.ok() ? std::move(*value) : T{};
}

// ---- numbers
// ----------------------------------------------------------------------------------------------------------

struct Number {
  bool is_signed = false;
  uint8_t width = 8;

  bool less(uint64_t a, uint64_t b) const {
    return is_signed ? static_cast<int64_t>(a) < static_cast<int64_t>(b) : a < b;
  }
};

bool in_list(const Policy& policy, std::string_view name, const Number& type, uint64_t number) {
  const List* list = policy.find_list(name);
  if (list == nullptr) return false;
  if (*list->type == ListType::generated_syscalls) {
    return number < 0x80000000 && !kernel::syscall_name({}, static_cast<int64_t>(number)).empty();
  }
  for (const auto& value : list->values) {
    const auto call = kernel::parse_syscall(*value);
    if (!call.ok()) continue;
    const uint64_t id = call->id();
    const bool extended = type.is_signed && type.width == 4;
    if ((extended ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(id))) : id) == number) return true;
  }
  return false;
}

bool number_matches(const Policy& policy, const std::string& op, const std::string& text, const Number& type,
                    const std::string& type_name, uint64_t number) {
  const bool set = op == "InMap" || op == "NotInMap";
  const NumberFormat format{type.width, type.is_signed, set, op == "Mask"};
  if (set) {
    if (const auto list = list_reference(text); !list.empty()) return in_list(policy, list, type, number);
    const Range range = good(parse_number_or_range(text, format));
    return !type.less(number, range.low) && !type.less(range.high, number);
  }
  if (op == "InRange" || op == "NotInRange") {
    const Range range = good(parse_range(text, format));
    return !type.less(number, range.low) && !type.less(range.high, number);
  }
  uint64_t wanted = good(parse_number(text, format));
  if (type_name == "capability" && parse_capability(text).ok()) wanted = *parse_capability(text);
  if (op == "GT") return type.less(wanted, number);
  if (op == "LT") return type.less(number, wanted);
  if (op == "Mask") return (number & wanted) != 0;
  return number == wanted;
}

bool capabilities_match(const std::string& op, const std::string& text, uint64_t number) {
  const uint64_t wanted = good(parse_capability_mask(text));
  if (op == "GT") return number > wanted;
  if (op == "LT") return number < wanted;
  if (op == "Mask") return (number & wanted) != 0;
  return number == wanted;
}

// ---- text
// -------------------------------------------------------------------------------------------------------------

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool text_matches(const std::string& op, std::string wanted, const std::string& type, const std::string& text) {
  wanted = text_value(wanted, type);
  std::vector<std::string> spellings = {wanted};
  if (type == "sockaddr_un" && !wanted.empty() && wanted[0] == '@' && op.find("Postfix") == std::string::npos) {
    spellings.push_back(std::string("\0", 1) + wanted.substr(1));
  }
  for (const std::string& one : spellings) {
    if (op == "Equal" || op == "NotEqual") {
      if (text == one) return true;
    } else if (op == "Prefix" || op == "NotPrefix") {
      if (text.compare(0, one.size(), one) == 0) return true;
    } else if (op == "Postfix" || op == "NotPostfix") {
      if (text.size() >= one.size() && text.compare(text.size() - one.size(), one.size(), one) == 0) return true;
    } else if (op == "SubString") {
      if (text.find(one) != std::string::npos) return true;
    } else if (op == "SubStringIgnCase") {
      if (lower_case(text).find(lower_case(one)) != std::string::npos) return true;
    }
  }
  return false;
}

// ---- network
// ----------------------------------------------------------------------------------------------------------

bool is_inet(const Value& value) {
  return value.family == 2 || value.family == 10;
}

bool address_matches(const std::string& text, const std::array<uint8_t, 16>& address, uint16_t family) {
  const Network network = good(parse_network(text));
  if (family != (network.v6 ? 10 : 2)) return false;
  for (unsigned bit = 0; bit < network.bits; ++bit) {
    const unsigned mask = 0x80U >> (bit % 8);
    if ((network.address[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

bool network_matches(const std::string& op, const std::vector<At<std::string>>& values, const Value& value) {
  const auto any = [&](auto&& test) {
    return std::any_of(values.begin(), values.end(), [&](const At<std::string>& one) { return test(*one); });
  };
  const auto port_in = [&](uint16_t port) {
    return is_inet(value) && any([&](const std::string& text) {
             const Range range = good(parse_port(text));
             return port >= range.low && port <= range.high;
           });
  };
  if (op.ends_with("SAddr")) {
    return any([&](const std::string& text) { return address_matches(text, value.saddr, value.family); });
  }
  if (op.ends_with("DAddr")) {
    return any([&](const std::string& text) { return address_matches(text, value.daddr, value.family); });
  }
  if (op.ends_with("SPortPriv")) return is_inet(value) && value.sport < 1024;
  if (op.ends_with("DPortPriv")) return is_inet(value) && value.dport < 1024;
  if (op.ends_with("SPort")) return port_in(value.sport);
  if (op.ends_with("DPort")) return port_in(value.dport);
  if (op == "Protocol")
    return any([&](const std::string& text) { return good(parse_protocol(text)) == value.protocol; });
  if (op == "Family") return any([&](const std::string& text) { return good(parse_family(text)) == value.family; });
  if (op == "State") return any([&](const std::string& text) { return good(parse_state(text)) == value.state; });
  return false;
}

// ---- one filter
// ---------------------------------------------------------------------------------------------------------

bool filter_matches(const Policy& policy, const ArgSelector& filter, const std::vector<Arg>& args,
                    const std::vector<Value>& values, bool by_position) {
  const std::string& op = *filter.op;
  size_t at = args.size();
  if (!filter.args.empty()) {
    at = *filter.args[0];
  } else if (by_position) {
    at = *filter.index;
  } else {
    for (size_t n = args.size(); n-- > 0;) {
      if (*args[n].index == *filter.index) at = n;  // the first one
    }
  }
  if (at >= args.size() || at >= values.size()) return false;
  const Value& value = values[at];
  const std::string& type_name = *args[at].type;
  const ArgumentType* type = find_argument_type(type_name);
  const Group group = type == nullptr ? group_none : type->group;
  const bool negated = op.starts_with("Not");

  bool matches = false;
  if (op == "CelExpr") {
    std::vector<ExpressionArgument> named;
    const auto add = [&](size_t n) {
      const ArgumentType* one = find_argument_type(*args[n].type);
      named.push_back({values[n].number, one != nullptr && one->is_signed});
    };
    for (const auto& position : filter.args) add(*position);
    for (size_t n = 0; filter.args.empty() && n < args.size(); ++n) add(n);
    matches = expression_is_true(*filter.values.at(0), named);
  } else if (op == "CapabilitiesGained") {
    const size_t old = *filter.args.at(1);
    matches = value.readable && values.at(old).readable && (value.number & ~values.at(old).number) != 0;
  } else if (value.readable) {
    const auto any = [&](auto&& test) {
      return std::any_of(filter.values.begin(), filter.values.end(),
                         [&](const At<std::string>& one) { return test(*one); });
    };
    if (op == "FileType" || op == "NotFileType") {
      matches = any([&](const std::string& text) { return good(parse_file_type(text)) == (value.mode & 0170000); });
    } else if (op == "Family" || group == group_network || group == group_sockaddr) {
      matches = network_matches(op, filter.values, value);
    } else if (group == group_number) {
      const Number number{type->is_signed, type->width == 0 ? uint8_t{8} : type->width};
      matches = any(
          [&](const std::string& text) { return number_matches(policy, op, text, number, type_name, value.number); });
    } else if (group == group_capabilities) {
      matches = any([&](const std::string& text) { return capabilities_match(op, text, value.number); });
    } else {
      matches = any([&](const std::string& text) { return text_matches(op, text, type_name, value.text); });
    }
  }
  return negated ? !matches : matches;
}

// ---- the process
// --------------------------------------------------------------------------------------------------------

bool decided(const std::string& op, bool found) {
  return op.starts_with("Not") ? !found : found;
}

bool pids_match(const PidSelector& pids, const Process& process) {
  const std::vector<uint32_t>& chain = *pids.is_namespace_pid ? process.namespace_pids : process.pids;
  bool found = false;
  for (size_t n = 0; n < chain.size(); ++n) {
    if (n > 0 && (!*pids.follow_forks || !process.known)) break;
    for (const auto& wanted : pids.values) found = found || *wanted == chain[n];
  }
  return decided(*pids.op, found);
}

bool binaries_match(const BinarySelector& binaries, const std::vector<std::string>& chain, bool known) {
  bool found = false;
  for (size_t n = 0; known && n < chain.size(); ++n) {
    if (n > 0 && !*binaries.follow_children) break;
    for (const auto& wanted : binaries.values) {
      const std::string& path = chain[n];
      const bool prefix = binaries.op->ends_with("Prefix");
      const bool postfix = binaries.op->ends_with("Postfix");
      found = found || (prefix ? path.starts_with(*wanted) : postfix ? path.ends_with(*wanted) : path == *wanted);
    }
  }
  return decided(*binaries.op, found);
}

uint64_t set_of(const Capabilities& capabilities, const std::string& type) {
  if (type == "Inheritable") return capabilities.inheritable;
  return type == "Permitted" ? capabilities.permitted : capabilities.effective;
}

uint64_t mask_of(const std::vector<At<std::string>>& names) {
  uint64_t mask = 0;
  for (const auto& name : names) mask |= uint64_t{1} << good(parse_capability(*name));
  return mask;
}

bool process_matches(const Selector& selector, const Process& process, const Host& host) {
  constexpr size_t user = 9;
  for (const PidSelector& pids : selector.match_pids) {
    if (!pids.values.empty() && !pids_match(pids, process)) return false;
  }
  for (const BinarySelector& one : selector.match_binaries) {
    if (!one.values.empty() && !binaries_match(one, process.binaries, process.known)) return false;
  }
  for (const BinarySelector& one : selector.match_parent_binaries) {
    if (!one.values.empty() && !binaries_match(one, process.parent_binaries, process.known)) return false;
  }
  for (const NamespaceSelector& one : selector.match_namespaces) {
    const uint32_t ns = good(parse_namespace(*one.ns));
    bool found = false;
    for (const auto& value : one.values) {
      const uint32_t wanted = *value == host_namespace ? host.namespaces[ns] : good(parse_namespace_value(*value));
      found = found || wanted == process.namespaces[ns];
    }
    if (!decided(*one.op, found)) return false;
  }
  for (const NamespaceChangesSelector& one : selector.match_namespace_changes) {
    bool changed = false;
    for (const auto& name : one.values) {
      const uint32_t ns = good(parse_namespace(*name));
      changed = changed || (process.known && process.namespaces[ns] != process.namespaces_then[ns]);
    }
    if (!decided(*one.op, changed)) return false;
  }
  for (const CapabilitySelector& one : selector.match_capabilities) {
    if (*one.is_namespace_capability && process.namespaces[user] == host.namespaces[user]) return false;
    if (!decided(*one.op, (set_of(process.capabilities, *one.type) & mask_of(one.values)) != 0)) return false;
  }
  for (const CapabilitySelector& one : selector.match_capability_changes) {
    const uint64_t changed = set_of(process.capabilities, *one.type) ^ set_of(process.capabilities_then, *one.type);
    if (!decided(*one.op, process.known && (changed & mask_of(one.values)) != 0)) return false;
  }
  return true;
}

}  // namespace

int select(const Policy& policy, const Hook& hook, const Hit& hit, const Host& host) {
  if (hook.selectors.empty()) return -2;
  for (size_t n = 0; n < hook.selectors.size(); ++n) {
    const Selector& selector = hook.selectors[n];
    const bool matches =
        process_matches(selector, hit.process, host) &&
        std::all_of(selector.match_args.begin(), selector.match_args.end(),
                    [&](const ArgSelector& one) {
                      return filter_matches(policy, one, hook.args, hit.args, /*by_position=*/false);
                    }) &&
        std::all_of(selector.match_data.begin(), selector.match_data.end(), [&](const ArgSelector& one) {
          return filter_matches(policy, one, hook.data, hit.data, /*by_position=*/true);
        });
    if (matches) return static_cast<int>(n);
  }
  return -1;
}

bool select_return(const Policy& policy, const Hook& hook, int selector, const Value& value) {
  if (selector < 0 || !hook.return_arg) return true;
  const Selector& matched = hook.selectors[static_cast<size_t>(selector)];
  return std::all_of(matched.match_return_args.begin(), matched.match_return_args.end(), [&](const ArgSelector& one) {
    ArgSelector first = one;
    first.index.value = 0;
    return filter_matches(policy, first, {*hook.return_arg}, {value}, /*by_position=*/true);
  });
}

}  // namespace tetragon::policy::reference
