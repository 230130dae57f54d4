// SPDX-License-Identifier: Apache-2.0
// Random policies, random hits: what the compiler and the engine decide is what the reference model says.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <random>

#include "core/policy/compile.h"
#include "core/policy/parse.h"
#include "core/policy/reference.h"
#include "core/policy/values.h"
#include "engine_fixture.h"

using namespace hook_test;
namespace policy = tetragon::policy;
namespace reference = tetragon::policy::reference;

namespace {

using Strings = std::vector<std::string>;

class NoGroupMaps : public policy::GroupMaps {
 public:
  tetragon::Result<void> update(policy::GroupMap, Bytes, const tg_group_bits&) override { return {}; }
  tetragon::Result<void> remove(policy::GroupMap, Bytes) override { return {}; }
  tetragon::Result<void> set_state(const tg_group_state&) override { return {}; }
};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t number() { return engine_(); }
  uint64_t below(uint64_t limit) { return engine_() % limit; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  std::mt19937_64 engine_;
};

// ---- this process, as the engine and as the model see it

constexpr const char* kNamespaceFiles[] = {
    "uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"};
constexpr const char* kNamespaceNames[] = {
    "Uts", "Ipc", "Mnt", "Pid", "PidForChildren", "Net", "Time", "TimeForChildren", "Cgroup", "User"};

std::array<uint32_t, 10> namespaces_of(const std::string& process) {
  std::array<uint32_t, 10> numbers{};
  for (size_t n = 0; n < numbers.size(); ++n) {
    struct stat status {};
    if (::stat(("/proc/" + process + "/ns/" + kNamespaceFiles[n]).c_str(), &status) == 0) {
      numbers[n] = static_cast<uint32_t>(status.st_ino);
    }
  }
  return numbers;
}

std::string status_line(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return line.substr(key.size() + 1);
  }
  return {};
}

uint32_t namespace_pid() {
  const std::string pids = status_line("NSpid");
  return static_cast<uint32_t>(std::stoul(pids.substr(pids.find_last_of("\t ") + 1)));
}

const Strings kBinaries = {"/bin/a", "/bin/ab", "/usr/bin/a", "/usr/sbin/tool"};
const Strings kCapabilities = {"CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SETUID"};

// ---- files

struct OpenFile {
  int fd = -1;
  std::string path;
  uint32_t mode = 0;
};

const std::vector<OpenFile>& open_files() {
  static const std::vector<OpenFile> files = [] {
    std::vector<OpenFile> all;
    const auto add = [&](int fd) {
      char path[4096];
      const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof(path));
      struct stat status {};
      REQUIRE(::fstat(fd, &status) == 0);
      all.push_back({fd, std::string(path, static_cast<size_t>(size)), status.st_mode});
    };
    for (const char* path : {"/etc/passwd", "/etc", "/dev/null", "/etc/hostname"}) add(::open(path, O_RDONLY));
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    add(pipes[0]);
    return all;
  }();
  return files;
}

// ---- policies

struct Argument {
  std::string type;
  unsigned width = 8;
  bool is_signed = false;
  enum class Kind { number, text, buffer, file, address, unix_address } kind = Kind::number;
};

class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {
    for (int n = 0; n < 4; ++n) texts_.push_back(word(1 + random_.below(6)));
    for (const size_t size : {23, 24, 25, 48, 127, 144, 145, 252, 253, 255, 256, 257, 600}) {
      if (random_.one_in(4)) texts_.push_back(word(size));
    }
    for (int n = 0; n < 4; ++n) numbers_.push_back(static_cast<int64_t>(random_.below(12)) - 3);
    numbers_.push_back(static_cast<int64_t>(random_.number() >> random_.below(64)));
  }

  std::string yaml() {
    const std::vector<Argument> types = {
        {"int8", 1, true, Argument::Kind::number},       {"int16", 2, true, Argument::Kind::number},
        {"int", 4, true, Argument::Kind::number},        {"int64", 8, true, Argument::Kind::number},
        {"uint8", 1, false, Argument::Kind::number},     {"uint16", 2, false, Argument::Kind::number},
        {"uint32", 4, false, Argument::Kind::number},    {"size_t", 8, false, Argument::Kind::number},
        {"string", 8, false, Argument::Kind::text},      {"string", 8, false, Argument::Kind::text},
        {"char_buf", 8, false, Argument::Kind::buffer},  {"fd", 4, true, Argument::Kind::file},
        {"sockaddr", 8, false, Argument::Kind::address}, {"sockaddr_un", 8, false, Argument::Kind::unix_address}};
    std::string text =
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: random\nspec:\n  kprobes:\n"
        "  - call: security_file_open\n    syscall: false\n";
    const size_t count = 1 + random_.below(4);
    text += "    args:\n";
    for (size_t n = 0; n < count; ++n) {
      arguments.push_back(random_.of(types));
      text += "    - index: " + std::to_string(n) + "\n      type: " + arguments.back().type + "\n";
      // The fifth word is every buffer's size.
      if (arguments.back().kind == Argument::Kind::buffer) text += "      sizeArgIndex: 5\n";
    }
    has_return = random_.one_in(5);
    if (has_return) text += "    return: true\n    returnArg:\n      index: 0\n      type: int\n";
    const size_t selectors = random_.one_in(10) ? 0 : 1 + random_.below(3);
    if (selectors != 0) text += "    selectors:\n";
    for (size_t n = 0; n < selectors; ++n) text += selector();
    return text;
  }

  std::string text_value() {
    std::string text = random_.of(texts_);
    if (random_.one_in(4)) text = text.substr(0, 1 + random_.below(text.size()));
    if (random_.one_in(6)) text = text.substr(random_.below(text.size()));
    return text;
  }
  std::string hit_text() {
    std::string text = random_.of(texts_);
    if (random_.one_in(3)) text += random_.of(texts_);
    if (random_.one_in(3)) text = random_.of(texts_) + text;
    if (random_.one_in(4)) text = text.substr(0, random_.below(text.size() + 1));
    if (random_.one_in(8)) text[random_.below(text.size() + 1) % std::max<size_t>(text.size(), 1)] = 'A';
    if (random_.one_in(60)) text.append(word(4200 - std::min<size_t>(text.size(), 4000)));
    return text;
  }
  uint64_t hit_number() {
    if (random_.one_in(8)) return random_.number() >> random_.below(64);
    return static_cast<uint64_t>(random_.of(numbers_) + static_cast<int64_t>(random_.below(3)) - 1);
  }
  uint16_t port() { return random_.of(std::vector<uint16_t>{0, 22, 80, 443, 1023, 1024, 8080, 8081, 65535}); }
  std::string network() {
    return random_.of(Strings{"127.0.0.1", "10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::1", "fd00::/8", "::/0",
                              "192.168.1.128/25", "fe80::1/128"});
  }

  std::vector<Argument> arguments;
  bool has_return = false;

 private:
  std::string word(size_t size) {
    std::string text;
    for (size_t n = 0; n < size; ++n) text += "ab/"[random_.below(3)];
    return text;
  }

  std::string number_text(const Argument& argument) {
    uint64_t value = static_cast<uint64_t>(random_.of(numbers_));
    // Into the type's range.
    const unsigned bits = argument.width * 8;
    if (bits < 64) value &= (uint64_t{1} << bits) - 1;
    if (!argument.is_signed) return std::to_string(value);
    const unsigned shift = 64 - bits;
    return std::to_string(static_cast<int64_t>(value << shift) >> shift);
  }

  std::string values(const Strings& list) {
    std::string text = "        values:";
    for (const std::string& one : list) text += "\n        - \"" + one + "\"";
    return text + "\n";
  }
  template <class Make>
  std::string some_values(size_t most, Make&& make) {
    Strings list;
    for (size_t n = 0, count = 1 + random_.below(most); n < count; ++n) list.push_back(make());
    return values(list);
  }

  std::string number_filter(const Argument& argument, bool returned) {
    const std::string op = random_.of(
        Strings{"Equal", "NotEqual", "GT", "LT", "Mask", "InRange", "NotInRange", "InMap", "NotInMap", "Equal"});
    std::string text = "operator: " + op + "\n";
    const auto range = [&] {
      const std::string a = number_text(argument);
      const std::string b = number_text(argument);
      const bool swap = argument.is_signed ? std::stoll(a) > std::stoll(b) : std::stoull(a) > std::stoull(b);
      return swap ? b + ":" + a : a + ":" + b;
    };
    if (op.ends_with("Range")) return text + some_values(3, range);
    if (op.ends_with("InMap")) {
      return text + some_values(10, [&] {
               const std::string wide = range();
               const size_t colon = wide.find(':', 1);
               const bool small = std::stold(wide.substr(colon + 1)) - std::stold(wide.substr(0, colon)) < 50;
               return small && random_.one_in(3) ? wide : number_text(argument);
             });
    }
    return text + some_values(op.ends_with("Equal") && !returned ? 11 : 4, [&] { return number_text(argument); });
  }

  std::string filter(const Argument& argument) {
    switch (argument.kind) {
      case Argument::Kind::number: return number_filter(argument, /*returned=*/false);
      case Argument::Kind::text:
      case Argument::Kind::buffer: {
        const std::string op = random_.of(Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix",
                                                  "SubString", "SubStringIgnCase"});
        const size_t longest = op.ends_with("Prefix")        ? 256
                               : op.ends_with("Postfix")     ? 127
                               : op.starts_with("SubString") ? 99
                                                             : 4096;
        return "operator: " + op + "\n" + some_values(5, [&] { return text_value().substr(0, longest); });
      }
      case Argument::Kind::file: {
        const std::string op = random_.of(
            Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix", "FileType", "NotFileType"});
        if (op.ends_with("FileType")) {
          return "operator: " + op + "\n" + some_values(3, [&] {
                   return random_.of(Strings{"reg", "dir", "chr", "fifo"});
                 });
        }
        return "operator: " + op + "\n" + some_values(3, [&] {
                 const std::string& path = random_.of(open_files()).path;
                 if (op.ends_with("Prefix")) return path.substr(0, 1 + random_.below(path.size()));
                 return op.ends_with("Postfix") ? path.substr(random_.below(path.size())) : path;
               });
      }
      case Argument::Kind::address: {
        const std::string op =
            random_.of(Strings{"SAddr", "NotSAddr", "SPort", "NotSPort", "SPortPriv", "NotSPortPriv", "Family"});
        const std::string text = "operator: " + op + "\n";
        if (op.ends_with("Priv")) return text;
        if (op == "Family")
          return text + some_values(2, [&] { return random_.of(Strings{"AF_INET", "AF_INET6", "16"}); });
        if (op.ends_with("Addr")) return text + some_values(4, [&] { return network(); });
        return text + some_values(7, [&] {
                 const uint16_t low = port();
                 const unsigned high = std::min<unsigned>(65535, low + static_cast<unsigned>(random_.below(20)));
                 return random_.one_in(3) ? std::to_string(low) + ":" + std::to_string(high) : std::to_string(low);
               });
      }
      case Argument::Kind::unix_address: {
        const std::string op = random_.of(Strings{"Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "Family"});
        if (op == "Family")
          return "operator: Family\n" + some_values(2, [&] { return random_.of(Strings{"AF_UNIX", "2"}); });
        return "operator: " + op + "\n" + some_values(3, [&] {
                 return (random_.one_in(2) && op != "Postfix" ? "@" : "") + text_value().substr(0, 90);
               });
      }
    }
    return {};
  }

  std::string selector() {
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
      part(name, "operator: " + op + "\n" + some_values(3, [&] {
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
               some_values(6, [&] {
                 return random_.of(Strings{"host_ns", std::to_string(mine[ns]), "17", "18", "19", "20"});
               }));
    }
    if (random_.one_in(8)) {
      part("matchNamespaceChanges",
           "operator: " + not_in() + "\n" + some_values(3, [&] { return kNamespaceNames[random_.below(10)]; }));
    }
    if (random_.one_in(6)) {
      part("matchCapabilities", "type: " + random_.of(Strings{"Effective", "Inheritable", "Permitted"}) +
                                    "\n        operator: " + not_in() + "\n" +
                                    (random_.one_in(4) ? "        isNamespaceCapability: true\n" : "") +
                                    some_values(3, [&] { return random_.of(kCapabilities); }));
    }
    if (random_.one_in(8)) {
      part("matchCapabilityChanges", "type: " + random_.of(Strings{"Effective", "Inheritable", "Permitted"}) +
                                         "\n        operator: " + not_in() + "\n" +
                                         some_values(3, [&] { return random_.of(kCapabilities); }));
    }
    const size_t filters = random_.below(4);
    if (filters != 0) text += "      matchArgs:\n";
    for (size_t n = 0; n < filters; ++n) {
      const size_t which = random_.below(arguments.size());
      text += "      - index: " + std::to_string(which) + "\n        " + filter(arguments[which]);
    }
    if (has_return && random_.one_in(2)) {
      text += "      matchReturnArgs:\n      - index: 0\n        " +
              number_filter({"int", 4, true, Argument::Kind::number}, /*returned=*/true);
    }
    if (random_.one_in(8)) text += "      matchActions:\n      - action: NoPost\n";
    if (text.empty()) text = "      matchActions:\n      - action: Post\n";
    text.replace(4, 2, "- ");
    return text;
  }

  Random& random_;
  Strings texts_;
  std::vector<int64_t> numbers_;
};

// ---- hits

uint64_t extended(uint64_t word, unsigned width, bool is_signed) {
  const unsigned shift = 64 - width * 8;
  return is_signed ? static_cast<uint64_t>(static_cast<int64_t>(word << shift) >> shift) : word << shift >> shift;
}

struct RandomHit {
  reference::Hit hit;
  std::array<uint64_t, 5> words{};
  std::vector<std::string> memory;
};

void add_address(Random& random, Generator& generator, reference::Value& value, std::string& memory) {
  value.family = random.of(std::vector<uint16_t>{AF_INET, AF_INET6, 16});
  memory.assign(64, '\0');
  std::memcpy(memory.data(), &value.family, 2);
  if (value.family == 16) return;
  const auto network = policy::parse_network(generator.network());
  for (size_t n = 0; n < 16; ++n) value.saddr[n] = network->address[n];
  if (value.family == AF_INET) std::fill(value.saddr.begin() + 4, value.saddr.end(), uint8_t{0});
  if (random.one_in(2))
    value.saddr[random.below(value.family == AF_INET ? 4 : 16)] ^= static_cast<uint8_t>(random.below(256));
  value.sport = generator.port();
  const uint16_t order = htons(value.sport);
  std::memcpy(memory.data() + 2, &order, 2);
  std::memcpy(memory.data() + (value.family == AF_INET ? 4 : 8), value.saddr.data(), value.family == AF_INET ? 4 : 16);
}

void add_unix_address(Random& random, Generator& generator, reference::Value& value, std::string& memory) {
  value.family = random.one_in(8) ? AF_INET : AF_UNIX;
  memory.assign(sizeof(sockaddr_un) + 2, '\0');
  std::memcpy(memory.data(), &value.family, 2);
  if (value.family != AF_UNIX) return;
  std::string path = generator.hit_text().substr(0, 90);
  if (random.one_in(2)) path.insert(0, 1, '\0');
  std::memcpy(memory.data() + 2, path.data(), path.size());
  value.text = path;
}

RandomHit random_hit(Random& random, Generator& generator) {
  RandomHit made;
  made.memory.resize(5);
  uint64_t buffer_size = 0;
  bool has_buffer = false;
  for (size_t n = 0; n < generator.arguments.size(); ++n) {
    const Argument& argument = generator.arguments[n];
    reference::Value value;
    std::string& memory = made.memory[n];
    uint64_t& word = made.words[n];
    const bool bad = argument.kind != Argument::Kind::number && random.one_in(12);
    switch (argument.kind) {
      case Argument::Kind::number:
        word = generator.hit_number();
        value.number = extended(word, argument.width, argument.is_signed);
        break;
      case Argument::Kind::text:
        value.text = generator.hit_text().substr(0, 4096);
        memory = value.text;
        break;
      case Argument::Kind::buffer:
        memory = generator.hit_text().substr(0, 4096);  // what is cut has no known end: other rules
        if (has_buffer) {
          memory.resize(buffer_size, 'a');  // one size for all of them
        }
        has_buffer = true;
        buffer_size = memory.size();
        value.text = memory.substr(0, 4096);
        break;
      case Argument::Kind::file: {
        const OpenFile& file = random.of(open_files());
        word = bad ? 4000 : static_cast<uint64_t>(file.fd);
        value.text = file.path;
        value.mode = file.mode;
        break;
      }
      case Argument::Kind::address: add_address(random, generator, value, memory); break;
      case Argument::Kind::unix_address: add_unix_address(random, generator, value, memory); break;
    }
    if (argument.kind != Argument::Kind::number && argument.kind != Argument::Kind::file) {
      word = bad ? random.below(2) * 8 : reinterpret_cast<uint64_t>(memory.data());
    }
    // Of an empty buffer nothing is read.
    value.readable = !bad || (argument.kind == Argument::Kind::buffer && memory.empty());
    made.hit.args.push_back(value);
  }
  made.words[4] = buffer_size;
  return made;
}

// ---- processes

bool follows(const policy::PidSelector& pids, const reference::Process& process) {
  const auto& chain = *pids.is_namespace_pid ? process.namespace_pids : process.pids;
  for (const auto& wanted : pids.values) {
    if (std::find(chain.begin(), chain.end(), *wanted) != chain.end()) return true;
  }
  return false;
}

bool member(const policy::BinarySelector& binaries, const Strings& chain) {
  for (size_t n = 0; n < chain.size() && (n == 0 || *binaries.follow_children); ++n) {
    for (const auto& wanted : binaries.values) {
      if (binaries.op->ends_with("Prefix")    ? chain[n].starts_with(*wanted)
          : binaries.op->ends_with("Postfix") ? chain[n].ends_with(*wanted)
                                              : chain[n] == *wanted) {
        return true;
      }
    }
  }
  return false;
}

void set_bit(__u64* groups, unsigned group, bool on) {
  if (on) groups[group / 64] |= uint64_t{1} << (group % 64);
}

reference::Process random_process(Random& random) {
  static const auto mine = namespaces_of("self");
  static const uint32_t inner = namespace_pid();
  static const reference::Capabilities capabilities = {std::stoull(status_line("CapEff"), nullptr, 16),
                                                       std::stoull(status_line("CapInh"), nullptr, 16),
                                                       std::stoull(status_line("CapPrm"), nullptr, 16)};
  reference::Process process;
  process.known = !random.one_in(10);
  process.pids = {static_cast<uint32_t>(::getpid())};
  process.namespace_pids = {inner};
  for (size_t n = 0, count = random.below(3); n < count; ++n) {
    process.pids.push_back(100001 + static_cast<uint32_t>(random.below(5)));
    process.namespace_pids.push_back(100001 + static_cast<uint32_t>(random.below(5)));
  }
  for (size_t n = 0, count = 1 + random.below(3); n < count; ++n) process.binaries.push_back(random.of(kBinaries));
  for (size_t n = 0, count = 1 + random.below(3); n < count; ++n)
    process.parent_binaries.push_back(random.of(kBinaries));
  process.namespaces = mine;
  process.namespaces_then = mine;
  for (auto& one : process.namespaces_then) {
    if (random.one_in(8)) one ^= 1;
  }
  process.capabilities = capabilities;
  process.capabilities_then = capabilities;
  const auto change = [&](uint64_t& set) {
    if (random.one_in(3)) set ^= uint64_t{1} << *policy::parse_capability(random.of(kCapabilities));
  };
  change(process.capabilities_then.effective);
  change(process.capabilities_then.inheritable);
  change(process.capabilities_then.permitted);
  return process;
}

tg_process entry_of(const reference::Process& process, const policy::Hook& hook, const tg_hook_config& config) {
  tg_process entry{};
  entry.key = {4711, static_cast<__u32>(::getpid()), 0};
  for (size_t n = 0; n < process.namespaces_then.size(); ++n) entry.namespaces[n] = process.namespaces_then[n];
  entry.cap_effective = process.capabilities_then.effective;
  entry.cap_inheritable = process.capabilities_then.inheritable;
  entry.cap_permitted = process.capabilities_then.permitted;
  for (size_t n = 0; n < hook.selectors.size(); ++n) {
    const policy::Selector& selector = hook.selectors[n];
    const tg_selector& compiled = config.selectors[n];
    for (const auto& one : selector.match_pids) {
      if (*one.follow_forks) set_bit(entry.groups, compiled.pids.group, follows(one, process));
    }
    for (const auto& one : selector.match_binaries) {
      set_bit(entry.groups, compiled.binaries.group, member(one, process.binaries));
    }
    for (const auto& one : selector.match_parent_binaries) {
      set_bit(entry.parent_groups, compiled.parent_binaries.group, member(one, process.parent_binaries));
    }
  }
  return entry;
}

Hook engine_hook(const policy::CompiledHook& compiled) {
  Hook hook;
  hook.config = compiled.config;
  hook.config.id = 7;
  hook.sets.numbers.assign(compiled.sets.numbers.begin(), compiled.sets.numbers.end());
  hook.sets.texts = compiled.sets.texts;
  hook.sets.prefixes = compiled.sets.prefixes;
  hook.sets.postfixes = compiled.sets.postfixes;
  hook.sets.substrings = compiled.sets.substrings;
  const auto add = [&](const policy::HookSets::Address& one, size_t size) {
    hook.sets.networks.push_back({one.set, std::string(reinterpret_cast<const char*>(one.bytes), size), one.bits});
  };
  for (const auto& one : compiled.sets.addresses4) add(one, 4);
  for (const auto& one : compiled.sets.addresses6) add(one, 16);
  return hook;
}

std::string shown(const RandomHit& hit) {
  std::string text;
  for (const auto& value : hit.hit.args) {
    text += "\n  readable " + std::to_string(value.readable) + " number " + std::to_string(value.number) + " text " +
            std::to_string(value.text.size()) + " \"" + value.text.substr(0, 300) + "\" family " +
            std::to_string(value.family) + " port " + std::to_string(value.sport);
  }
  return text;
}

}  // namespace

TEST_CASE("property: the engine decides as the reference model") {
  if (!kernel_allows()) {
    return;
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(::sched_getcpu(), &cpus);
  ::sched_setaffinity(0, sizeof(cpus), &cpus);

  const char* given = std::getenv("TETRAGON_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  const char* wanted = std::getenv("TETRAGON_PROPERTY_SECONDS");
  const auto seconds = std::chrono::seconds(wanted != nullptr ? std::stoul(wanted) : 8);
  MESSAGE("TETRAGON_SEED=" << seed);

  tetragon::kernel::Facts facts({"/sys/kernel/btf/vmlinux", "", /*without_symbols=*/true});
  reference::Host host;
  host.namespaces = tetragon::kernel::host_namespaces();
  static const auto mine = namespaces_of("self");
  for (size_t n = 0; n < mine.size(); ++n) {
    if (host.namespaces[n] == 0) host.namespaces[n] = mine[n];  // pid 1 may be none of our business
  }
  const auto end = std::chrono::steady_clock::now() + seconds;
  size_t policies = 0;
  size_t hits = 0;
  size_t matched = 0;
  double hit_seconds = 0;
  // Every policy has a seed of its own: one that fails can be run alone.
  for (uint64_t n = 0; std::chrono::steady_clock::now() < end; ++n) {
    Random random(seed + n);
    Generator generator(random);
    const std::string yaml = generator.yaml();
    INFO("TETRAGON_SEED=" << seed + n << "\n" << yaml);
    const policy::Parsed parsed = policy::parse(yaml, "random");
    for (const auto& finding : parsed.findings) {
      CHECK_MESSAGE(finding.warning, policy::to_string(finding, "random"));
    }
    NoGroupMaps maps;
    policy::Groups groups(maps);
    policy::Environment environment;
    environment.facts = &facts;
    environment.groups = &groups;
    std::copy(host.namespaces.begin(), host.namespaces.end(), environment.host_namespaces.begin());
    auto compiled = policy::compile_or_error(parsed.policy, environment);
    REQUIRE_MESSAGE(compiled.ok(), compiled.error().message());
    REQUIRE(compiled->hooks.size() == 1);
    const policy::Hook& hook = parsed.policy.hooks[0];
    const auto engine = load(engine_hook(compiled->hooks[0]));
    ++policies;

    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 400; ++i) {
      RandomHit one = random_hit(random, generator);
      one.hit.process = random_process(random);
      if (one.hit.process.known) {
        engine->set_process(entry_of(one.hit.process, hook, compiled->hooks[0].config));
      } else {
        engine->forget_process();
      }
      int expected = reference::select(parsed.policy, hook, one.hit, host);
      const bool silent =
          expected >= 0 && (compiled->hooks[0].config.selectors[expected].flags & TG_SELECTOR_NO_POST) != 0;
      const auto records = engine->enter(one.words);
      int got = records.empty() ? -1 : records[0].head.selector == 255 ? -2 : records[0].head.selector;
      if (silent) expected = -1;
      ++hits;
      matched += expected != -1 ? 1 : 0;
      if (got != expected) {
        FAIL("expected selector " << expected << ", got " << got << shown(one));
      }
      if (generator.has_return) {
        reference::Value value;
        const uint64_t ret = generator.hit_number();
        value.number = extended(ret, 4, true);
        const bool reported = reference::select_return(parsed.policy, hook, expected, value) && expected != -1;
        const auto left = engine->leave(ret);
        const bool said = !left.empty() && left[0].head.phase == TG_PHASE_RETURN;
        if (said != reported) {
          FAIL("return value " << static_cast<int32_t>(ret) << ": expected " << reported << ", got " << said);
        }
      }
    }
    hit_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  MESSAGE(policies << " policies, " << hits << " hits (" << matched << " matched), "
                   << static_cast<size_t>(static_cast<double>(hits) / hit_seconds) << " hits a second");
  CHECK(policies > 0);
  CHECK(matched > 0);
}
