// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random policies and random hits on them, for the comparison of the engine with the reference model.

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/reference.h"
#include "engine_fixture.h"

namespace hook_test {

namespace policy = tetragon::policy;
namespace reference = tetragon::policy::reference;
using Strings = std::vector<std::string>;

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

constexpr size_t kNamespaces = 10;
extern const char* const kNamespaceNames[kNamespaces];
std::array<uint32_t, kNamespaces> namespaces_of(const std::string& process);
std::string status_line(const std::string& key);  // of /proc/self/status
uint32_t namespace_pid();
reference::Capabilities own_capabilities();

struct OpenFile {
  int fd = -1;
  std::string path;
  uint32_t mode = 0;
};
const std::vector<OpenFile>& open_files();

inline const Strings kBinaries = {"/bin/a", "/bin/ab", "/usr/bin/a", "/usr/sbin/tool"};
inline const Strings kCapabilities = {"CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SETUID"};

// ---- policies

struct Argument {
  enum class Kind { number, text, buffer, file, address, unix_address, sock, skb, capabilities };
  std::string type;
  unsigned width = 8;
  bool is_signed = false;
  Kind kind = Kind::number;
  std::string resolve;     // of the current task
  reference::Value value;  // which then is the same at every hit
};

class Generator {
 public:
  explicit Generator(Random& random);
  std::string yaml();

  std::string hit_text();
  uint64_t hit_number();
  uint64_t hit_capabilities();
  uint16_t port();
  std::string network();

  std::vector<Argument> arguments, data;
  bool has_return = false;

 private:
  std::string word(size_t size);
  std::string text_value();
  std::string number_text(const Argument& argument);
  std::string call_number(const Argument& argument);
  std::string capabilities_text();
  std::string number_filter(const Argument& argument, bool returned);
  std::string path_filter();
  std::string network_filter(const Argument& argument);
  std::string capabilities_filter();
  std::string filter(const Argument& argument, const std::vector<Argument>& all, bool returned = false);
  std::string number_expression(const std::vector<Argument>& all, bool is_signed, unsigned depth);
  std::string expression(const std::vector<Argument>& all, unsigned depth);
  std::string process_parts();
  std::string filters(const std::string& member, const std::vector<Argument>& all, size_t most);
  std::string selector();

  Random& random_;
  Strings texts_;
  std::vector<int64_t> numbers_;
  unsigned steps_ = 0, expressions_ = 0;  // of CelExpr
};

// ---- hits

uint64_t extended(uint64_t word, unsigned width, bool is_signed);

struct RandomHit {
  reference::Hit hit;
  std::array<uint64_t, 5> words{};
  std::vector<std::string> memory;
};
RandomHit random_hit(Random& random, Generator& generator, Engine& engine);
reference::Process random_process(Random& random);
tg_process entry_of(const reference::Process& process, const policy::Hook& hook, const tg_hook_config& config);

}  // namespace hook_test
