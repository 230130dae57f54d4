// SPDX-License-Identifier: Apache-2.0
// Random hits on a random policy: words and memory for the engine, the same as values for the model.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "core/policy/values.h"
#include "property.h"

namespace hook_test {

// ---- this process

const char* const kNamespaceNames[kNamespaces] = {
    "Uts", "Ipc", "Mnt", "Pid", "PidForChildren", "Net", "Time", "TimeForChildren", "Cgroup", "User"};

constexpr const char* kNamespaceFiles[] = {
    "uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"};
std::array<uint32_t, kNamespaces> namespaces_of(const std::string& process) {
  std::array<uint32_t, kNamespaces> numbers{};
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

reference::Capabilities own_capabilities() {
  static const reference::Capabilities own = {std::stoull(status_line("CapEff"), nullptr, 16),
                                              std::stoull(status_line("CapInh"), nullptr, 16),
                                              std::stoull(status_line("CapPrm"), nullptr, 16)};
  return own;
}

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

// ---- hits

uint64_t extended(uint64_t word, unsigned width, bool is_signed) {
  const unsigned shift = 64 - width * 8;
  return is_signed ? static_cast<uint64_t>(static_cast<int64_t>(word << shift) >> shift) : word << shift >> shift;
}

namespace {

std::array<uint8_t, 16> random_address(Random& random, Generator& generator, bool v6) {
  const auto network = policy::parse_network(generator.network());
  std::array<uint8_t, 16> address{};
  for (size_t n = 0; n < (v6 ? 16 : 4); ++n) address[n] = network->address[n];
  if (random.one_in(2)) address[random.below(v6 ? 16 : 4)] ^= static_cast<uint8_t>(random.below(256));
  return address;
}

void add_address(Random& random, Generator& generator, reference::Value& value, std::string& memory) {
  value.family = random.of(std::vector<uint16_t>{AF_INET, AF_INET6, 16});
  memory.assign(64, '\0');
  std::memcpy(memory.data(), &value.family, 2);
  if (value.family == 16) return;
  const bool v6 = value.family == AF_INET6;
  value.saddr = random_address(random, generator, v6);
  value.sport = generator.port();
  const uint16_t order = htons(value.sport);
  std::memcpy(memory.data() + 2, &order, 2);
  std::memcpy(memory.data() + (v6 ? 8 : 4), value.saddr.data(), v6 ? 16 : 4);
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

// Members of objects that a hit makes up in memory of the kernel, in this kernel's layout.
struct Layout {
  int family = member_offset("sock_common", "skc_family"), state = member_offset("sock_common", "skc_state");
  int sport = member_offset("sock_common", "skc_num"), dport = member_offset("sock_common", "skc_dport");
  int saddr = member_offset("sock_common", "skc_rcv_saddr"), daddr = member_offset("sock_common", "skc_daddr");
  int saddr6 = member_offset("sock_common", "skc_v6_rcv_saddr"), daddr6 = member_offset("sock_common", "skc_v6_daddr");
  int protocol = member_offset("sock", "sk_protocol"), sock = member_offset("socket", "sk");
  int head = member_offset("sk_buff", "head"), tail = member_offset("sk_buff", "tail");
  int header = member_offset("sk_buff", "network_header"), link_protocol = member_offset("sk_buff", "protocol");
};

template <class T>
void put(std::string& memory, size_t at, const T& value) {
  REQUIRE(at + sizeof(T) <= memory.size());
  std::memcpy(memory.data() + at, &value, sizeof(T));
}

int cred_member(const std::string& name) {
  static const int effective = member_offset("cred", "cap_effective"),
                   permitted = member_offset("cred", "cap_permitted"),
                   inheritable = member_offset("cred", "cap_inheritable");
  return name == "cap_effective" ? effective : name == "cap_permitted" ? permitted : inheritable;
}

constexpr size_t kSecond = 1024;  // the object that the first one points to

uint64_t make_sock(Random& random, Generator& generator, Engine& engine, unsigned place, bool in_socket,
                   reference::Value& value) {
  static const Layout layout;
  constexpr uint8_t time_wait = 6, new_syn_received = 12;
  std::string memory(Engine::kMadeSize, '\0');
  const size_t sock = in_socket ? kSecond - 128 : 0;
  if (in_socket) put(memory, layout.sock, engine.made(place) + sock);
  value.family = random.of(std::vector<uint16_t>{AF_INET, AF_INET6, AF_UNIX, 16});
  value.state = random.of(std::vector<uint8_t>{1, 7, time_wait, 10, new_syn_received});
  value.protocol = random.of(std::vector<uint16_t>{IPPROTO_TCP, IPPROTO_UDP, 1, 132});
  put(memory, sock + layout.family, value.family);
  put(memory, sock + layout.state, value.state);
  put(memory, sock + layout.protocol, value.protocol);
  const uint16_t sport = generator.port(), dport = generator.port();
  put(memory, sock + layout.sport, sport);
  put(memory, sock + layout.dport, htons(dport));
  const bool v6 = value.family == AF_INET6;
  if (v6 || value.family == AF_INET) {
    value.sport = sport;
    value.dport = dport;
    value.saddr = random_address(random, generator, v6);
    value.daddr = random_address(random, generator, v6);
    std::memcpy(memory.data() + sock + (v6 ? layout.saddr6 : layout.saddr), value.saddr.data(), v6 ? 16 : 4);
    std::memcpy(memory.data() + sock + (v6 ? layout.daddr6 : layout.daddr), value.daddr.data(), v6 ? 16 : 4);
    // A small socket, which only TCP has.
    if (value.state == time_wait || value.state == new_syn_received) value.protocol = IPPROTO_TCP;
  }
  return engine.make(place, memory);
}

uint64_t make_packet(Random& random, Generator& generator, Engine& engine, unsigned place, reference::Value& value) {
  static const Layout layout;
  constexpr size_t offset = 64;
  std::string memory(Engine::kMadeSize, '\0');
  put(memory, layout.head, engine.made(place) + kSecond);
  put(memory, layout.header, static_cast<uint16_t>(offset));
  const bool v6 = random.one_in(2);
  const bool late = random.one_in(4);  // on the way out: no protocol yet
  const bool other = random.one_in(8);
  put(memory, layout.link_protocol, htons(late ? 0 : other ? 0x0806 : v6 ? 0x86dd : 0x0800));
  const size_t header = kSecond + offset;
  const size_t size = v6 ? 40 : 20 + 4 * random.below(3);
  const bool cut = random.one_in(8);  // headers that are not all there
  put(memory, layout.tail, static_cast<uint32_t>(offset + (cut ? 12 : size + 8)));
  const auto protocol = random.of(std::vector<uint8_t>{IPPROTO_TCP, IPPROTO_UDP, 1, 132});
  const auto saddr = random_address(random, generator, v6), daddr = random_address(random, generator, v6);
  const uint16_t sport = generator.port(), dport = generator.port();
  put(memory, header, static_cast<uint8_t>(v6 ? 0x60 : 0x40 + size / 4));
  put(memory, header + (v6 ? 6 : 9), protocol);
  std::memcpy(memory.data() + header + (v6 ? 8 : 12), saddr.data(), v6 ? 16 : 4);
  std::memcpy(memory.data() + header + (v6 ? 24 : 16), daddr.data(), v6 ? 16 : 4);
  const bool fragment = !v6 && random.one_in(8);
  if (fragment) put(memory, header + 6, htons(100));
  put(memory, header + size, htons(sport));
  put(memory, header + size + 2, htons(dport));
  if (!cut && (late || !other)) {
    value.family = v6 ? AF_INET6 : AF_INET;
    value.protocol = protocol;
    value.saddr = saddr;
    value.daddr = daddr;
    if (!fragment && protocol != 1) {
      value.sport = sport;
      value.dport = dport;
    }
  }
  return engine.make(place, memory);
}

}  // namespace

RandomHit random_hit(Random& random, Generator& generator, Engine& engine) {
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
      case Argument::Kind::sock:
        word = make_sock(random, generator, engine, static_cast<unsigned>(n), argument.type == "socket", value);
        break;
      case Argument::Kind::skb: word = make_packet(random, generator, engine, static_cast<unsigned>(n), value); break;
      case Argument::Kind::capabilities:
        value.number = generator.hit_capabilities();
        memory.assign(Engine::kMadeSize, '\0');
        // The sets by name are members of struct cred.
        put(memory, argument.type == "kernel_cap_t" ? 0 : cred_member(argument.type), value.number);
        word = engine.make(static_cast<unsigned>(n), memory);
        break;
    }
    if (argument.kind != Argument::Kind::number && argument.kind != Argument::Kind::file) {
      if (word == 0) word = reinterpret_cast<uint64_t>(memory.data());
      if (bad) word = random.below(2) * 8;
    }
    // Of an empty buffer nothing is read.
    value.readable = !bad || (argument.kind == Argument::Kind::buffer && memory.empty());
    made.hit.args.push_back(value);
  }
  for (const Argument& one : generator.data) made.hit.data.push_back(one.value);
  made.words[4] = buffer_size;
  return made;
}

// ---- processes

namespace {

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

}  // namespace

reference::Process random_process(Random& random) {
  static const auto mine = namespaces_of("self");
  static const uint32_t inner = namespace_pid();
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
  process.capabilities = own_capabilities();
  process.capabilities_then = own_capabilities();
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

}  // namespace hook_test
