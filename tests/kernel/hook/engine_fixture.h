// SPDX-License-Identifier: Apache-2.0
#pragma once

// The selector engine on the running kernel, without a policy: a test fills the engine's configuration and sets by
// hand, hands words over as the arguments of a hit, and sees the record.

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/hook.h"
#include "bpf/shared/hook_args.h"

struct bpf_object;
struct bpf_program;
struct ring_buffer;

namespace hook_test {

// False: bpf(2) cannot be used here, the reason was printed.
bool kernel_allows();
bool kernel_has(const char* kfunc);
// Where a member is in a struct of this kernel, also inside of an unnamed one.
int member_offset(const char* type, std::string_view member);

// Sets of a hook; the numbers of sets are chosen by the test, from 1.
struct Sets {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> numbers;
  std::vector<std::pair<std::uint32_t, std::string>> texts, prefixes, postfixes;
  std::vector<std::string> substrings;
  struct Network {
    std::uint32_t set;
    std::string address;  // bytes in network order, 4 or 16
    std::uint32_t bits;
  };
  std::vector<Network> networks;
};

// Puts a hook together; every add_ answers what a filter needs to name it.
class Hook {
 public:
  tg_hook_config config{};
  Sets sets;

  Hook() { config.id = 7; }
  // Slots are used in order; the argument is the word of the same number.
  tg_slot_config& slot(tg_type type, unsigned flags = TG_SLOT_FILTER);
  tg_slot_config& number(unsigned width, bool is_signed, unsigned flags = TG_SLOT_FILTER);
  tg_slot_config& returned(unsigned width, bool is_signed);
  tg_selector& selector();
  tg_filter& filter(tg_filter_op op, unsigned slot, std::initializer_list<std::uint64_t> values = {});
  tg_filter& filter(tg_filter_op op, unsigned slot, const std::vector<std::uint64_t>& values);
  tg_filter& text_filter(tg_filter_op op, unsigned slot, const std::vector<std::string>& values);
  tg_filter& return_filter(tg_filter_op op, unsigned slot, std::initializer_list<std::uint64_t> values = {});
  void cel(const std::vector<tg_cel_step>& steps, unsigned slot = 0);
  std::uint32_t new_set() { return ++sets_; }

 private:
  tg_filter& put_filter(const tg_filter& made);
  std::uint32_t sets_ = 0;
  unsigned cel_steps_ = 0;
};

struct Arg {
  unsigned slot = 0, flags = 0;
  int status = 0;
  std::uint32_t full_size = 0;
  std::string bytes;
  std::uint64_t number() const;
};

struct Record {
  tg_hook_record head{};
  std::vector<Arg> args;
  const Arg* arg(unsigned slot) const;
};

struct Cost {
  double ns = 0;                   // a run
  std::uint32_t verified = 0;      // instructions the verifier looked at
  std::uint32_t instructions = 0;  // translated
  double load_ms = 0;
};

class Engine {
 public:
  // NULL: did not load; error() has the verifier's words.
  static std::unique_ptr<Engine> load(const Hook& hook);
  // Programs of other types (kinds.bpf.c) by their names, the first for entry. None: that kernel cannot load them,
  // error() says why and refused() whether for lack of rights.
  static std::unique_ptr<Engine> load_kinds(const Hook& hook, const std::vector<std::string>& programs);
  static bool refused();
  static const std::string& error();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One hit with these arguments; what was reported.
  std::vector<Record> enter(std::initializer_list<std::uint64_t> words) {
    return enter(std::span(words.begin(), words.size()));
  }
  std::vector<Record> enter(std::span<const std::uint64_t> words);
  std::vector<Record> leave(std::uint64_t ret);
  // Reported, and by which selector.
  bool hits(std::initializer_list<std::uint64_t> words) { return selector(words) >= 0; }
  int selector(std::initializer_list<std::uint64_t> words);  // -1: not reported

  bpf_program* program(const std::string& name) const;
  std::vector<Record> drain();
  // tg_syscalls
  void add_syscall(std::uint32_t number, std::uint32_t instance);
  void put(const char* map, const void* key, const void* value);

  // Pieces of TG_SLOT_MAX_DATA that the last call brought, joined.
  const std::string& pieces() const { return pieces_; }

  // Process map entry of this process.
  void set_process(const tg_process& process);
  tg_process process();
  void forget_process();
  std::uint64_t lost(tg_loss cause);
  // Memory of the kernel, for objects made up by the test: the address of a place, and what is there.
  static constexpr std::size_t kMadeSize = 2040;
  std::uint64_t made(unsigned place);
  std::uint64_t make(unsigned place, std::string_view bytes);
  // All work spaces of this CPU taken by others, or free again. The test must stay on one CPU.
  void take_scratch(bool taken);

  Cost cost(std::initializer_list<std::uint64_t> words, unsigned rounds = 5, unsigned hits = 20000);
  Cost size(const std::string& program) const;  // without ns
  Cost empty_cost(unsigned rounds = 5, unsigned hits = 20000);

 private:
  Engine() = default;
  bool fill(const Sets& sets);
  int run(bpf_program* program, std::span<const std::uint64_t> words);
  static std::unique_ptr<Engine> load(const Hook& hook, const void* elf, std::size_t size,
                                      const std::vector<std::string>& programs);
  static int take(void* self, void* record, std::size_t size);
  Cost measure(bpf_program* program, std::span<const std::uint64_t> words, unsigned rounds, unsigned hits);
  int map(const char* name) const;

  bpf_object* object_ = nullptr;
  bpf_program* enter_ = nullptr;
  bpf_program* return_ = nullptr;
  bpf_program* empty_ = nullptr;
  ring_buffer* ring_ = nullptr;
  double load_ms_ = 0;
  std::vector<Record> records_;
  std::string pieces_;
  std::vector<std::uint64_t> made_;
};

// Must load.
std::unique_ptr<Engine> load(const Hook& hook);

}  // namespace hook_test
