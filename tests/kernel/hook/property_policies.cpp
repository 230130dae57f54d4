// SPDX-License-Identifier: Apache-2.0
// Random policies: every kind of argument, operator and selector that a raw hit can carry.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/policy/values.h"
#include "property.h"

namespace hook_test {
namespace {

using Kind = Argument::Kind;

const std::vector<Argument>& argument_types() {
  static const std::vector<Argument> types = {{"int8", 1, true, Kind::number, {}, {}},
                                              {"int16", 2, true, Kind::number, {}, {}},
                                              {"int", 4, true, Kind::number, {}, {}},
                                              {"int64", 8, true, Kind::number, {}, {}},
                                              {"uint8", 1, false, Kind::number, {}, {}},
                                              {"uint16", 2, false, Kind::number, {}, {}},
                                              {"uint32", 4, false, Kind::number, {}, {}},
                                              {"size_t", 8, false, Kind::number, {}, {}},
                                              {"string", 8, false, Kind::text, {}, {}},
                                              {"string", 8, false, Kind::text, {}, {}},
                                              {"char_buf", 8, false, Kind::buffer, {}, {}},
                                              {"fd", 4, true, Kind::file, {}, {}},
                                              {"sockaddr", 8, false, Kind::address, {}, {}},
                                              {"sockaddr_un", 8, false, Kind::unix_address, {}, {}},
                                              {"sock", 8, false, Kind::sock, {}, {}},
                                              {"socket", 8, false, Kind::sock, {}, {}},
                                              {"skb", 8, false, Kind::skb, {}, {}},
                                              {"kernel_cap_t", 8, false, Kind::capabilities, {}, {}},
                                              {"cap_inheritable", 8, false, Kind::capabilities, {}, {}},
                                              {"cap_permitted", 8, false, Kind::capabilities, {}, {}},
                                              {"cap_effective", 8, false, Kind::capabilities, {}, {}}};
  return types;
}

// Members of this task that stay as they are during the test.
const std::vector<Argument>& task_members() {
  static const std::vector<Argument> members = [] {
    const auto number = [](uint64_t value) {
      reference::Value made;
      made.number = value;
      return made;
    };
    reference::Value name;
    std::ifstream("/proc/self/comm") >> name.text;
    const reference::Capabilities own = own_capabilities();
    return std::vector<Argument>{
        {"int", 4, true, Kind::number, "tgid", number(static_cast<uint64_t>(::getpid()))},
        {"uint32", 4, false, Kind::number, "cred.uid.val", number(::getuid())},
        {"string", 8, false, Kind::text, "comm", name},
        {"cap_effective", 8, false, Kind::capabilities, "cred.cap_effective", number(own.effective)},
        {"cap_permitted", 8, false, Kind::capabilities, "cred.cap_permitted", number(own.permitted)}};
  }();
  return members;
}

std::string values(const Strings& list) {
  std::string text = "        values:";
  for (const std::string& one : list) text += "\n        - \"" + one + "\"";
  return text + "\n";
}

template <class Make>
std::string some_values(Random& random, size_t most, Make&& make) {
  Strings list;
  for (size_t n = 0, count = 1 + random.below(most); n < count; ++n) list.push_back(make());
  return values(list);
}

}  // namespace

Generator::Generator(Random& random) : random_(random) {
  for (int n = 0; n < 4; ++n) texts_.push_back(word(1 + random_.below(6)));
  for (const size_t size : {23, 24, 25, 48, 127, 144, 145, 252, 253, 255, 256, 257, 600}) {
    if (random_.one_in(4)) texts_.push_back(word(size));
  }
  for (int n = 0; n < 4; ++n) numbers_.push_back(static_cast<int64_t>(random_.below(12)) - 3);
  numbers_.push_back(static_cast<int64_t>(random_.number() >> random_.below(64)));
}

std::string Generator::text_value() {
  std::string text = random_.of(texts_);
  if (random_.one_in(4)) text = text.substr(0, 1 + random_.below(text.size()));
  if (random_.one_in(6)) text = text.substr(random_.below(text.size()));
  return text;
}

std::string Generator::hit_text() {
  std::string text = random_.of(texts_);
  if (random_.one_in(3)) text += random_.of(texts_);
  if (random_.one_in(3)) text = random_.of(texts_) + text;
  if (random_.one_in(4)) text = text.substr(0, random_.below(text.size() + 1));
  if (random_.one_in(8)) text[random_.below(text.size() + 1) % std::max<size_t>(text.size(), 1)] = 'A';
  if (random_.one_in(60)) text.append(word(4200 - std::min<size_t>(text.size(), 4000)));
  return text;
}

uint64_t Generator::hit_number() {
  if (random_.one_in(8)) return random_.number() >> random_.below(64);
  return static_cast<uint64_t>(random_.of(numbers_) + static_cast<int64_t>(random_.below(3)) - 1);
}

uint64_t Generator::hit_capabilities() {
  uint64_t set = random_.one_in(3) ? own_capabilities().effective : 0;
  for (size_t n = random_.below(4); n-- > 0;)
    set ^= uint64_t{1} << *policy::parse_capability(random_.of(kCapabilities));
  return set;
}

uint16_t Generator::port() {
  return random_.of(std::vector<uint16_t>{0, 22, 80, 443, 1023, 1024, 8080, 8081, 65535});
}

std::string Generator::network() {
  return random_.of(Strings{"127.0.0.1", "10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::1", "fd00::/8", "::/0",
                            "192.168.1.128/25", "fe80::1/128"});
}

std::string Generator::word(size_t size) {
  std::string text;
  for (size_t n = 0; n < size; ++n) text += "ab/"[random_.below(3)];
  return text;
}

std::string Generator::number_text(const Argument& argument) {
  uint64_t value = static_cast<uint64_t>(random_.of(numbers_));
  // Into the type's range.
  const unsigned bits = argument.width * 8;
  if (bits < 64) value &= (uint64_t{1} << bits) - 1;
  if (!argument.is_signed) return std::to_string(value);
  const unsigned shift = 64 - bits;
  return std::to_string(static_cast<int64_t>(value << shift) >> shift);
}

std::string Generator::capabilities_text() {
  if (random_.one_in(3)) return std::to_string(random_.one_in(2) ? hit_capabilities() : own_capabilities().effective);
  std::string text = random_.of(kCapabilities);
  if (random_.one_in(3)) text += "," + random_.of(kCapabilities);
  return text;
}

// ---- the policy

std::string Generator::yaml() {
  std::string text =
      "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: random\nspec:\n"
      "  lists:\n  - name: few\n    type: syscalls\n    values: [sys_read, sys_write, sys_close]\n"
      "  - name: all\n    type: generated_syscalls\n"
      "  kprobes:\n  - call: security_file_open\n    syscall: false\n";
  text += "    args:\n";
  for (size_t n = 0, count = 1 + random_.below(4); n < count; ++n) {
    arguments.push_back(random_.of(argument_types()));
    text += "    - index: " + std::to_string(n) + "\n      type: " + arguments.back().type + "\n";
    // The fifth word is every buffer's size.
    if (arguments.back().kind == Kind::buffer) text += "      sizeArgIndex: 5\n";
  }
  for (size_t n = random_.one_in(2) ? 0 : 1 + random_.below(2); n > 0 && arguments.size() + data.size() < 5; --n) {
    text += data.empty() ? "    data:\n" : "";
    data.push_back(random_.of(task_members()));
    text += "    - index: 0\n      type: " + data.back().type +
            "\n      source: current_task\n      resolve: " + data.back().resolve + "\n";
  }
  has_return = random_.one_in(5);
  if (has_return) text += "    return: true\n    returnArg:\n      index: 0\n      type: int\n";
  const size_t selectors = random_.one_in(10) ? 0 : 1 + random_.below(3);
  if (selectors != 0) text += "    selectors:\n";
  for (size_t n = 0; n < selectors; ++n) text += selector();
  return text;
}

std::string Generator::selector() {
  std::string text = process_parts();
  text += filters("matchArgs", arguments, 4);
  if (!data.empty()) text += filters("matchData", data, 3);
  if (has_return && random_.one_in(2)) {
    const std::vector<Argument> returned = {{"int", 4, true, Kind::number, {}, {}}};
    text += "      matchReturnArgs:\n      - index: 0\n        " + filter(returned[0], returned, /*returned=*/true);
  }
  if (random_.one_in(8)) text += "      matchActions:\n      - action: NoPost\n";
  if (text.empty()) text = "      matchActions:\n      - action: Post\n";
  text.replace(4, 2, "- ");
  return text;
}

std::string Generator::filters(const std::string& member, const std::vector<Argument>& all, size_t most) {
  std::string text;
  for (size_t n = random_.below(most); n > 0; --n) {
    const size_t which = random_.below(all.size());
    if (text.empty()) text = "      " + member + ":\n";
    // Two sets of capabilities, new and old.
    if (member == "matchArgs" && all[which].kind == Kind::capabilities && random_.one_in(3)) {
      const auto old = std::find_if(all.begin(), all.end(), [&](const Argument& one) {
        return one.kind == Kind::capabilities && &one != &all[which];
      });
      if (old != all.end()) {
        text += "      - args: [" + std::to_string(which) + ", " + std::to_string(old - all.begin()) +
                "]\n        operator: CapabilitiesGained\n";
        continue;
      }
    }
    text += "      - index: " + std::to_string(which) + "\n        " + filter(all[which], all);
  }
  return text;
}

std::string Generator::process_parts() {
  std::string text;
  const auto part = [&](const std::string& name, const std::string& body) {
    text += "      " + name + ":\n      - " + body;
  };
  const auto not_in = [&] { return std::string(random_.one_in(2) ? "In" : "NotIn"); };
  if (random_.one_in(5)) {
    std::string pids;
    for (size_t n = 0, count = 1 + random_.below(6); n < count; ++n) {
      const uint32_t pid = random_.of(std::vector<uint32_t>{static_cast<uint32_t>(::getpid()), namespace_pid(), 1, 2,
                                                            100001, 100002, 100003, 100004, 100005});
      pids += (pids.empty() ? "" : ", ") + std::to_string(pid);
    }
    part("matchPIDs", "operator: " + not_in() + "\n        values: [" + pids + "]\n" +
                          (random_.one_in(2) ? "        followForks: true\n" : "") +
                          (random_.one_in(3) ? "        isNamespacePID: true\n" : ""));
  }
  for (const char* name : {"matchBinaries", "matchParentBinaries"}) {
    if (!random_.one_in(6)) continue;
    const std::string op = random_.of(Strings{"In", "NotIn", "Prefix", "NotPrefix", "Postfix", "NotPostfix"});
    part(name, "operator: " + op + "\n" + some_values(random_, 3, [&] {
                 const std::string& path = random_.of(kBinaries);
                 if (op.ends_with("Prefix")) return path.substr(0, 2 + random_.below(path.size() - 1));
                 return op.ends_with("Postfix") ? path.substr(random_.below(path.size())) : path;
               }) + (op.ends_with("In") && random_.one_in(2) ? "        followChildren: true\n" : ""));
  }
  if (random_.one_in(6)) {
    static const auto mine = namespaces_of("self");
    size_t ns = random_.below(10);
    ns = mine[ns] == 0 ? size_t{TG_NS_MNT} : ns;  // not in every kernel
    part("matchNamespaces",
         std::string("namespace: ") + kNamespaceNames[ns] + "\n        operator: " + not_in() + "\n" +
             some_values(random_, 6, [&] {
               return random_.of(Strings{"host_ns", std::to_string(mine[ns]), "17", "18", "19", "20"});
             }));
  }
  if (random_.one_in(8)) {
    part("matchNamespaceChanges",
         "operator: " + not_in() + "\n" + some_values(random_, 3, [&] { return kNamespaceNames[random_.below(10)]; }));
  }
  if (random_.one_in(6)) {
    part("matchCapabilities", "type: " + random_.of(Strings{"Effective", "Inheritable", "Permitted"}) +
                                  "\n        operator: " + not_in() + "\n" +
                                  (random_.one_in(4) ? "        isNamespaceCapability: true\n" : "") +
                                  some_values(random_, 3, [&] { return random_.of(kCapabilities); }));
  }
  if (random_.one_in(8)) {
    part("matchCapabilityChanges", "type: " + random_.of(Strings{"Effective", "Inheritable", "Permitted"}) +
                                       "\n        operator: " + not_in() + "\n" +
                                       some_values(random_, 3, [&] { return random_.of(kCapabilities); }));
  }
  return text;
}

// ---- filters

std::string Generator::number_filter(const Argument& argument, bool returned) {
  const std::string op = random_.of(
      Strings{"Equal", "NotEqual", "GT", "LT", "Mask", "InRange", "NotInRange", "InMap", "NotInMap", "Equal"});
  std::string text = "operator: " + op + "\n";
  const auto range = [&] {
    const std::string a = number_text(argument);
    const std::string b = number_text(argument);
    const bool swap = argument.is_signed ? std::stoll(a) > std::stoll(b) : std::stoull(a) > std::stoull(b);
    return swap ? b + ":" + a : a + ":" + b;
  };
  if (op.ends_with("Range")) return text + some_values(random_, 3, range);
  if (op.ends_with("InMap") && argument.width >= 4 && random_.one_in(4)) {
    return text + some_values(random_, 2, [&] {
             return random_.one_in(2) ? number_text(argument) : random_.one_in(4) ? "list:all" : "list:few";
           });
  }
  if (op.ends_with("InMap")) {
    return text + some_values(random_, 10, [&] {
             const std::string wide = range();
             const size_t colon = wide.find(':', 1);
             const bool small = std::stold(wide.substr(colon + 1)) - std::stold(wide.substr(0, colon)) < 50;
             return small && random_.one_in(3) ? wide : number_text(argument);
           });
  }
  return text +
         some_values(random_, op.ends_with("Equal") && !returned ? 11 : 4, [&] { return number_text(argument); });
}

std::string Generator::filter(const Argument& argument, const std::vector<Argument>& all, bool returned) {
  // Steps of all expressions of a hook are limited.
  if (argument.kind == Kind::number && random_.one_in(4) && expressions_ < 8 && steps_ < 30) {
    const unsigned before = steps_;
    const std::string text = expression(all, 2);
    ++steps_;  // the end
    if (steps_ <= 64) {
      ++expressions_;
      return "operator: CelExpr\n" + values({text});
    }
    steps_ = before;
  }
  switch (argument.kind) {
    case Kind::number: return number_filter(argument, returned);
    case Kind::text:
    case Kind::buffer: {
      const std::string op = random_.of(Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix",
                                                "SubString", "SubStringIgnCase"});
      const size_t longest = op.ends_with("Prefix")        ? 256
                             : op.ends_with("Postfix")     ? 127
                             : op.starts_with("SubString") ? 99
                                                           : 4096;
      return "operator: " + op + "\n" + some_values(random_, 5, [&] {
               if (!argument.resolve.empty() && random_.one_in(2)) {
                 const std::string& own = argument.value.text;
                 const size_t from = op.ends_with("Postfix") ? random_.below(own.size()) : 0;
                 return own.substr(from, op.ends_with("Prefix") ? 1 + random_.below(own.size()) : own.size());
               }
               return text_value().substr(0, longest);
             });
    }
    case Kind::file: return path_filter();
    case Kind::address:
    case Kind::sock:
    case Kind::skb: return network_filter(argument);
    case Kind::unix_address: {
      const std::string op = random_.of(Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "Family"});
      if (op == "Family") {
        return "operator: Family\n" + some_values(random_, 2, [&] { return random_.of(Strings{"AF_UNIX", "2"}); });
      }
      return "operator: " + op + "\n" + some_values(random_, 3, [&] {
               return (random_.one_in(2) && op != "Postfix" ? "@" : "") + text_value().substr(0, 90);
             });
    }
    case Kind::capabilities: {
      const std::string op = random_.of(Strings{"Equal", "NotEqual", "GT", "LT", "Mask"});
      return "operator: " + op + "\n" + some_values(random_, 3, [&] { return capabilities_text(); });
    }
  }
  return {};
}

std::string Generator::path_filter() {
  const std::string op = random_.of(
      Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix", "FileType", "NotFileType"});
  if (op.ends_with("FileType")) {
    return "operator: " + op + "\n" + some_values(random_, 3, [&] {
             return random_.of(Strings{"reg", "dir", "chr", "fifo"});
           });
  }
  return "operator: " + op + "\n" + some_values(random_, 3, [&] {
           const std::string& path = random_.of(open_files()).path;
           if (op.ends_with("Prefix")) return path.substr(0, 1 + random_.below(path.size()));
           return op.ends_with("Postfix") ? path.substr(random_.below(path.size())) : path;
         });
}

std::string Generator::network_filter(const Argument& argument) {
  Strings operators = {"SAddr", "NotSAddr", "SPort", "NotSPort", "SPortPriv", "NotSPortPriv", "Family"};
  if (argument.kind != Kind::address) {
    for (const char* more : {"DAddr", "NotDAddr", "DPort", "NotDPort", "DPortPriv", "NotDPortPriv", "Protocol"}) {
      operators.emplace_back(more);
    }
    if (argument.kind == Kind::sock) operators.emplace_back("State");
  }
  const std::string op = random_.of(operators);
  const auto some = [&](size_t most, const Strings& list) {
    return "operator: " + op + "\n" + some_values(random_, most, [&] { return random_.of(list); });
  };
  if (op.ends_with("Priv")) return "operator: " + op + "\n";
  if (op == "Family") return some(2, {"AF_INET", "AF_INET6", "16"});
  if (op == "Protocol") return some(3, {"IPPROTO_TCP", "IPPROTO_UDP", "1", "132"});
  if (op == "State") return some(3, {"TCP_ESTABLISHED", "TCP_CLOSE", "TCP_TIME_WAIT", "10", "12"});
  if (op.ends_with("Addr")) {
    return "operator: " + op + "\n" + some_values(random_, 4, [&] { return network(); });
  }
  return "operator: " + op + "\n" + some_values(random_, 7, [&] {
           const uint16_t low = port();
           const unsigned high = std::min<unsigned>(65535, low + static_cast<unsigned>(random_.below(20)));
           return random_.one_in(3) ? std::to_string(low) + ":" + std::to_string(high) : std::to_string(low);
         });
}

// ---- expressions

std::string Generator::number_expression(const std::vector<Argument>& all, bool is_signed, unsigned depth) {
  ++steps_;
  if (depth > 0 && random_.one_in(2)) {
    const std::string op = random_.of(Strings{"+", "-", "*", "/", "%"});
    const std::string left = number_expression(all, is_signed, depth - 1);
    return "(" + left + " " + op + " " + number_expression(all, is_signed, depth - 1) + ")";
  }
  if (depth > 0 && random_.one_in(5)) {
    return (is_signed ? "int(" : "uint(") + number_expression(all, !is_signed, depth - 1) + ")";
  }
  if (depth > 0 && is_signed && random_.one_in(8)) return "-(" + number_expression(all, true, depth - 1) + ")";
  const size_t which = random_.below(all.size());
  if (all[which].kind == Kind::number && !random_.one_in(4)) {
    const std::string name = "arg" + std::to_string(which);
    if (all[which].is_signed == is_signed) return name;
    return (is_signed ? "int(" : "uint(") + name + ")";
  }
  const int64_t number = random_.of(numbers_);
  if (is_signed) return number == INT64_MIN ? "7" : std::to_string(number);
  return std::to_string(static_cast<uint64_t>(number)) + "u";
}

std::string Generator::expression(const std::vector<Argument>& all, unsigned depth) {
  ++steps_;
  if (depth > 0 && random_.one_in(3)) {
    const std::string left = expression(all, depth - 1);
    return "(" + left + (random_.one_in(2) ? " && " : " || ") + expression(all, depth - 1) + ")";
  }
  if (depth > 0 && random_.one_in(5)) return "!(" + expression(all, depth - 1) + ")";
  const bool is_signed = random_.one_in(2);
  if (depth > 0 && random_.one_in(6)) {
    const std::string condition = expression(all, 0);
    const std::string yes = number_expression(all, is_signed, 1);
    const std::string no = number_expression(all, is_signed, 0);
    return "((" + condition + " ? " + yes + " : " + no + ") > " + number_expression(all, is_signed, 0) + ")";
  }
  const std::string op = random_.of(Strings{"==", "!=", "<", "<=", ">", ">="});
  const std::string left = number_expression(all, is_signed, 1);
  return left + " " + op + " " + number_expression(all, is_signed, 1);
}

}  // namespace hook_test
