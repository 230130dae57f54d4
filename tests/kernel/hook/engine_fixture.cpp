// SPDX-License-Identifier: Apache-2.0
#include "engine_fixture.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/bpf_runtime/features.h"
#include "engine.bpf.elf.h"
#include "kinds.bpf.elf.h"

namespace hook_test {
namespace {

constexpr std::array<std::uint32_t, TG_TEXT_SIZE_COUNT> kTextSizes = {TG_TEXT_SIZES};

std::string& last_error() {
  static std::string error;
  return error;
}

int& last_code() {
  static int code = 0;
  return code;
}

int collect_log(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG) {
    return 0;
  }
  char* line = nullptr;
  const int size = ::vasprintf(&line, format, args);
  if (size < 0) {
    return 0;
  }
  // Of the verifier's words, the last ones tell.
  auto& error = last_error();
  error.append(line, static_cast<std::size_t>(size));
  std::free(line);
  constexpr std::size_t kept = 6000;
  if (error.size() > kept) {
    error.erase(0, error.size() - kept);
  }
  return size;
}

std::size_t text_index(std::size_t size) {
  return static_cast<std::size_t>(
      std::find_if(kTextSizes.begin(), kTextSizes.end(), [&](std::uint32_t room) { return size <= room; }) -
      kTextSizes.begin());
}

void put_set(std::uint8_t* to, std::uint32_t set) {
  for (int n = 0; n < 4; ++n) {
    to[n] = static_cast<std::uint8_t>(set >> (24 - 8 * n));
  }
}

// Where the constant is in the object's read-only data.
void* find_const(bpf_object* object, const char* name, std::size_t size) {
  const btf* types = bpf_object__btf(object);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  bpf_map* map = bpf_object__find_map_by_name(object, ".rodata");
  std::size_t whole = 0;
  if (section < 0 || map == nullptr) {
    return nullptr;
  }
  auto* memory = static_cast<char*>(const_cast<void*>(bpf_map__initial_value(map, &whole)));
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(section));
  const btf_var_secinfo* variable = btf_var_secinfos(type);
  for (int n = 0; n < btf_vlen(type); ++n) {
    const btf_type* var = btf__type_by_id(types, variable[n].type);
    if (std::string_view(btf__name_by_offset(types, var->name_off)) == name && variable[n].size == size) {
      return memory + variable[n].offset;
    }
  }
  return nullptr;
}

}  // namespace

bool kernel_allows() {
  static const auto features = tetragon::bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  for (const char* name : {"ring_buffer", "btf"}) {
    if (!features.supported(name)) {
      MESSAGE("SKIPPED: " << name << ": " << features.find(name)->reason);
      return false;
    }
  }
  return true;
}

int member_offset(const char* type, std::string_view member) {
  btf* kernel = btf__load_vmlinux_btf();
  REQUIRE(kernel != nullptr);
  const auto find = [&](const auto& self, std::uint32_t id, int base) -> int {
    const btf_type* found = btf__type_by_id(kernel, id);
    const btf_member* members = btf_members(found);
    for (std::uint32_t n = 0; n < btf_vlen(found); ++n) {
      const std::string_view name = btf__name_by_offset(kernel, members[n].name_off);
      const int at = base + static_cast<int>(btf_member_bit_offset(found, n) / 8);
      if (name == member) {
        return at;
      }
      if (name.empty() && btf_is_composite(btf__type_by_id(kernel, members[n].type))) {
        if (const int inside = self(self, members[n].type, at); inside >= 0) {
          return inside;
        }
      }
    }
    return -1;
  };
  const int id = btf__find_by_name_kind(kernel, type, BTF_KIND_STRUCT);
  REQUIRE(id > 0);
  const int offset = find(find, static_cast<std::uint32_t>(id), 0);
  btf__free(kernel);
  CAPTURE(type);
  CAPTURE(member);
  REQUIRE(offset >= 0);
  return offset;
}

bool kernel_has(const char* kfunc) {
  btf* kernel = btf__load_vmlinux_btf();
  const bool found = kernel != nullptr && btf__find_by_name_kind(kernel, kfunc, BTF_KIND_FUNC) > 0;
  btf__free(kernel);
  return found;
}

// ---- Hook

tg_slot_config& Hook::slot(tg_type type, unsigned flags) {
  auto& slot = config.slots[config.slot_count];
  slot.load.from = TG_FROM_ARG;
  slot.load.index = static_cast<__u8>(config.slot_count++);
  slot.load.width = 8;
  slot.type = static_cast<__u8>(type);
  slot.flags = static_cast<__u8>(flags);
  slot.limit = 4096;
  return slot;
}

tg_slot_config& Hook::number(unsigned width, bool is_signed, unsigned flags) {
  auto& made = slot(TG_TYPE_NUMBER, flags);
  made.load.width = static_cast<__u8>(width);
  made.load.flags = is_signed ? TG_LOAD_SIGNED : 0;
  return made;
}

tg_slot_config& Hook::returned(unsigned width, bool is_signed) {
  auto& slot = config.slots[TG_HOOK_RETURN_SLOT];
  slot.load.from = TG_FROM_RETURN;
  slot.load.width = static_cast<__u8>(width);
  slot.load.flags = is_signed ? TG_LOAD_SIGNED : 0;
  slot.type = TG_TYPE_NUMBER;
  config.flags |= TG_HOOK_HAS_RETURN;
  return slot;
}

tg_selector& Hook::selector() {
  return config.selectors[config.selector_count++];
}

tg_filter& Hook::put_filter(const tg_filter& made) {
  if (config.selector_count == 0) {
    selector();
  }
  auto& selector = config.selectors[config.selector_count - 1];
  return selector.filters[selector.filter_count++] = made;
}

tg_filter& Hook::filter(tg_filter_op op, unsigned slot, const std::vector<std::uint64_t>& values) {
  tg_filter made{};
  made.op = static_cast<__u8>(op);
  made.slot = static_cast<__u8>(slot);
  if (op == TG_OP_IN_SET || ((op == TG_OP_SPORT || op == TG_OP_DPORT) && values.size() > TG_HOOK_VALUES)) {
    made.set = new_set();
    for (const std::uint64_t value : values) {
      sets.numbers.emplace_back(made.set, value);
    }
  } else {
    made.value_count = static_cast<__u8>(values.size());
    std::copy(values.begin(), values.end(), made.values);
  }
  return put_filter(made);
}

tg_filter& Hook::filter(tg_filter_op op, unsigned slot, std::initializer_list<std::uint64_t> values) {
  return filter(op, slot, std::vector<std::uint64_t>(values));
}

tg_filter& Hook::return_filter(tg_filter_op op, unsigned slot, std::initializer_list<std::uint64_t> values) {
  auto& selector = config.selectors[config.selector_count - 1];
  const tg_filter made = filter(op, slot, values);
  --selector.filter_count;
  return selector.return_filters[selector.return_filter_count++] = made;
}

tg_filter& Hook::text_filter(tg_filter_op op, unsigned slot, const std::vector<std::string>& values) {
  tg_filter made{};
  made.op = static_cast<__u8>(op);
  made.slot = static_cast<__u8>(slot);
  made.min_size = 0xffff;
  for (const auto& value : values) {
    made.min_size = std::min<__u16>(made.min_size, static_cast<__u16>(value.size()));
    made.max_size = std::max<__u16>(made.max_size, static_cast<__u16>(value.size()));
  }
  if (op == TG_OP_TEXT_SUBSTRING || op == TG_OP_TEXT_SUBSTRING_NOCASE) {
    made.set = static_cast<__u32>(sets.substrings.size()) + 1;
    made.value_count = static_cast<__u8>(values.size());
    sets.substrings.insert(sets.substrings.end(), values.begin(), values.end());
    return put_filter(made);
  }
  made.set = new_set();
  for (const auto& value : values) {
    if (op == TG_OP_TEXT_EQUAL) {
      sets.texts.emplace_back(made.set, value);
    } else if (op == TG_OP_TEXT_POSTFIX) {
      sets.postfixes.emplace_back(made.set, value);
    } else if (value.size() <= TG_PREFIX_MAX) {
      sets.prefixes.emplace_back(made.set, value);
    } else {
      sets.texts.emplace_back(made.set, value);
      auto* const end = made.values + made.value_count;
      if (std::find(made.values, end, value.size()) == end) {
        made.values[made.value_count++] = value.size();
      }
    }
  }
  return put_filter(made);
}

void Hook::cel(const std::vector<tg_cel_step>& steps, unsigned slot) {
  tg_filter made{};
  made.op = TG_OP_CEL;
  made.slot = static_cast<__u8>(slot);
  made.set = cel_steps_ + 1;
  for (const auto& step : steps) {
    config.cel[cel_steps_++] = step;
  }
  config.cel[cel_steps_++] = {};
  put_filter(made);
}

// ---- records

std::uint64_t Arg::number() const {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
  return value;
}

const Arg* Record::arg(unsigned slot) const {
  const auto found = std::find_if(args.begin(), args.end(), [&](const Arg& arg) { return arg.slot == slot; });
  return found == args.end() ? nullptr : &*found;
}

// ---- Engine

bool Engine::refused() {
  return last_code() == -EPERM;
}

const std::string& Engine::error() {
  return last_error();
}

int Engine::map(const char* name) const {
  return bpf_map__fd(bpf_object__find_map_by_name(object_, name));
}

std::unique_ptr<Engine> Engine::load(const Hook& hook) {
  auto engine = load(hook, tetragon_bpf_engine, sizeof(tetragon_bpf_engine), {});
  if (engine) {
    engine->enter_ = engine->program("hook_enter");
    engine->return_ = engine->program("hook_return");
    engine->empty_ = engine->program("hook_empty");
  }
  return engine;
}

std::unique_ptr<Engine> Engine::load_kinds(const Hook& hook, const std::vector<std::string>& programs) {
  return load(hook, tetragon_bpf_kinds, sizeof(tetragon_bpf_kinds), programs);
}

bpf_program* Engine::program(const std::string& name) const {
  bpf_program* found = bpf_object__find_program_by_name(object_, name.c_str());
  REQUIRE(found != nullptr);
  return found;
}

void Engine::add_syscall(std::uint32_t number, std::uint32_t instance) {
  ++instance;
  REQUIRE(bpf_map_update_elem(map("tg_syscalls"), &number, &instance, BPF_ANY) == 0);
}

void Engine::put(const char* name, const void* key, const void* value) {
  REQUIRE(bpf_map_update_elem(map(name), key, value, BPF_ANY) == 0);
}

std::unique_ptr<Engine> Engine::load(const Hook& hook, const void* elf, std::size_t size,
                                     const std::vector<std::string>& programs) {
  last_error().clear();
  libbpf_set_print(collect_log);
  std::unique_ptr<Engine> engine(new Engine);
  engine->object_ = bpf_object__open_mem(elf, size, nullptr);
  if (engine->object_ == nullptr) {
    return nullptr;
  }
  tg_hook_config config = hook.config;
  const Sets& sets = hook.sets;
  std::array<std::uint32_t, TG_TEXT_SIZE_COUNT> texts{};
  for (const auto& [set, text] : sets.texts) {
    ++texts[text_index(text.size())];
  }
  const auto keep = [&](const char* name, std::size_t entries, std::uint32_t use = 0) {
    bpf_map* map = bpf_object__find_map_by_name(engine->object_, name);
    REQUIRE(map != nullptr);
    config.uses |= entries != 0 ? use : 0;
    bpf_map__set_autocreate(map, entries != 0);
    if (entries != 0) {
      bpf_map__set_max_entries(map, static_cast<std::uint32_t>(entries));
    }
  };
  for (std::size_t n = 0; n < kTextSizes.size(); ++n) {
    keep(("tg_text_" + std::to_string(kTextSizes[n])).c_str(), texts[n]);
    config.text_maps |= texts[n] != 0 ? 1u << n : 0;
  }
  keep("tg_numbers", sets.numbers.size(), TG_USES_NUMBERS);
  keep("tg_prefixes", sets.prefixes.size(), TG_USES_PREFIXES);
  keep("tg_postfixes", sets.postfixes.size(), TG_USES_POSTFIXES);
  keep("tg_substrings", sets.substrings.size(), TG_USES_SUBSTRINGS);
  const auto networks = [&](std::size_t bytes) {
    return static_cast<std::size_t>(std::count_if(sets.networks.begin(), sets.networks.end(),
                                                  [&](const auto& n) { return n.address.size() == bytes; }));
  };
  keep("tg_addresses4", networks(4), TG_USES_ADDRESSES4);
  keep("tg_addresses6", networks(16), TG_USES_ADDRESSES6);
  for (const tg_slot_config& slot : config.slots) {
    config.uses |= slot.type >= TG_TYPE_FILE && slot.type <= TG_TYPE_BINPRM ? TG_USES_PATHS : 0;
    config.uses |= slot.type >= TG_TYPE_SOCK && slot.type <= TG_TYPE_SOCKADDR_UN ? TG_USES_NET : 0;
  }
  keep("tg_syscalls", (config.flags & TG_HOOK_BY_NUMBER) != 0 ? 2 * TG_SYSCALLS32 : 0);
  keep("tg_calls", (config.flags & TG_HOOK_HAS_RETURN) != 0 ? 2048 : 0);
  keep("tg_followed_fds", (config.flags & TG_HOOK_FOLLOWED_FDS) != 0 ? 1024 : 0);
  keep("tg_tracked_socks", (config.flags & TG_HOOK_TRACKED_SOCKS) != 0 ? 1024 : 0);
  keep("tg_ring", 1u << 20);
  void* place = find_const(engine->object_, "tg_hook", sizeof(config));
  REQUIRE(place != nullptr);
  std::memcpy(place, &config, sizeof(config));

  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, engine->object_) {
    const std::string name = bpf_program__name(program);
    bpf_program__set_autoload(program,
                              programs.empty() || std::find(programs.begin(), programs.end(), name) != programs.end());
  }

  const auto begin = std::chrono::steady_clock::now();
  if (const int failed = bpf_object__load(engine->object_); failed != 0) {
    last_code() = failed;
    return nullptr;
  }
  engine->load_ms_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  engine->ring_ = ring_buffer__new(engine->map("tg_ring"), take, engine.get(), nullptr);
  REQUIRE(engine->ring_ != nullptr);
  REQUIRE(engine->fill(sets));
  return engine;
}

std::unique_ptr<Engine> load(const Hook& hook) {
  auto engine = Engine::load(hook);
  INFO(Engine::error());
  REQUIRE(engine);
  return engine;
}

Engine::~Engine() {
  ring_buffer__free(ring_);
  bpf_object__close(object_);
}

bool Engine::fill(const Sets& sets) {
  const std::uint8_t one = 1;
  bool good = true;
  const auto put = [&](const std::string& name, const void* key) {
    good = good && bpf_map_update_elem(map(name.c_str()), key, &one, BPF_ANY) == 0;
  };
  for (const auto& [set, value] : sets.numbers) {
    const tg_number_key key{set, 0, value};
    put("tg_numbers", &key);
  }
  for (const auto& [set, text] : sets.texts) {
    const auto room = kTextSizes[text_index(text.size())];
    std::vector<char> key(sizeof(tg_text_head) + room);
    const tg_text_head head{set, static_cast<__u32>(text.size())};
    std::memcpy(key.data(), &head, sizeof(head));
    std::copy(text.begin(), text.end(), key.begin() + sizeof(head));
    put("tg_text_" + std::to_string(room), key.data());
  }
  for (const auto& [set, text] : sets.prefixes) {
    tg_prefix_key key{};
    key.prefix_bits = static_cast<__u32>(32 + text.size() * 8);
    put_set(key.set, set);
    std::copy(text.begin(), text.end(), key.bytes);
    put("tg_prefixes", &key);
  }
  for (const auto& [set, text] : sets.postfixes) {
    tg_postfix_key key{};
    key.prefix_bits = static_cast<__u32>(32 + text.size() * 8);
    put_set(key.set, set);
    std::copy(text.rbegin(), text.rend(), key.bytes);
    put("tg_postfixes", &key);
  }
  for (const auto& network : sets.networks) {
    if (network.address.size() == 4) {
      tg_address4_key key{};
      key.prefix_bits = 32 + network.bits;
      put_set(key.set, network.set);
      std::memcpy(key.address, network.address.data(), sizeof(key.address));
      put("tg_addresses4", &key);
    } else {
      tg_address6_key key{};
      key.prefix_bits = 32 + network.bits;
      put_set(key.set, network.set);
      std::memcpy(key.address, network.address.data(), sizeof(key.address));
      put("tg_addresses6", &key);
    }
  }
  for (std::uint32_t n = 0; n < sets.substrings.size(); ++n) {
    tg_substring value{};
    value.size = static_cast<__u32>(sets.substrings[n].size());
    std::copy(sets.substrings[n].begin(), sets.substrings[n].end(), value.text);
    good = good && bpf_map_update_elem(map("tg_substrings"), &n, &value, BPF_ANY) == 0;
  }
  return good;
}

int Engine::run(bpf_program* program, std::span<const std::uint64_t> words) {
  std::array<std::uint64_t, 8> ctx{};
  std::copy_n(words.begin(), std::min(words.size(), ctx.size()), ctx.begin());
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.ctx_in = ctx.data();
  options.ctx_size_in = sizeof(ctx);
  return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

int Engine::take(void* self, void* record, std::size_t size) {
  auto* engine = static_cast<Engine*>(self);
  const auto* bytes = static_cast<const char*>(record);
  tg_record head;
  REQUIRE(size >= sizeof(head));
  std::memcpy(&head, bytes, sizeof(head));
  CHECK(head.size == size);
  if (head.kind == TG_KIND_HOOK_DATA) {
    tg_hook_data data;
    REQUIRE(size >= sizeof(data));
    std::memcpy(&data, bytes, sizeof(data));
    REQUIRE(size == sizeof(data) + data.piece_size);
    engine->pieces_.append(bytes + sizeof(data), data.piece_size);
    return 0;
  }
  Record made;
  REQUIRE(head.kind == TG_KIND_HOOK);
  REQUIRE(size >= sizeof(made.head));
  std::memcpy(&made.head, bytes, sizeof(made.head));
  std::size_t at = sizeof(made.head);
  for (unsigned n = 0; n < made.head.arg_count; ++n) {
    tg_hook_arg arg;
    REQUIRE(at + sizeof(arg) <= size);
    std::memcpy(&arg, bytes + at, sizeof(arg));
    at += sizeof(arg);
    REQUIRE(at + arg.size <= size);
    made.args.push_back({arg.slot, arg.flags, arg.status, arg.full_size, std::string(bytes + at, arg.size)});
    at += (arg.size + 7u) & ~7u;
  }
  CHECK(at == size);
  engine->records_.push_back(std::move(made));
  return 0;
}

std::vector<Record> Engine::drain() {
  records_.clear();
  pieces_.clear();
  ring_buffer__consume(ring_);
  return std::move(records_);
}

std::vector<Record> Engine::enter(std::span<const std::uint64_t> words) {
  REQUIRE(run(enter_, words) == 0);
  return drain();
}

std::vector<Record> Engine::leave(std::uint64_t ret) {
  REQUIRE(run(return_, std::span(&ret, 1)) == 0);
  return drain();
}

int Engine::selector(std::initializer_list<std::uint64_t> words) {
  const auto records = enter(words);
  REQUIRE(records.size() <= 1);
  return records.empty() ? -1 : records[0].head.selector;
}

void Engine::set_process(const tg_process& process) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  REQUIRE(bpf_map_update_elem(map("execve_map"), &pid, &process, BPF_ANY) == 0);
}

tg_process Engine::process() {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  tg_process found{};
  REQUIRE(bpf_map_lookup_elem(map("execve_map"), &pid, &found) == 0);
  return found;
}

void Engine::forget_process() {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  bpf_map_delete_elem(map("execve_map"), &pid);
}

std::uint64_t Engine::made(unsigned place) {
  if (made_.empty()) {
    REQUIRE(run(program("hook_made"), {}) == 0);
    std::array<std::uint64_t, (kMadeSize + 8) / 8> value{};
    for (unsigned n = 0; bpf_map_lookup_elem(map("made_objects"), &n, value.data()) == 0; ++n) {
      made_.push_back(value[0]);
    }
  }
  return made_.at(place);
}

std::uint64_t Engine::make(unsigned place, std::string_view bytes) {
  const std::uint64_t address = made(place);
  std::array<char, kMadeSize + 8> value{};
  std::memcpy(value.data(), &address, sizeof(address));
  REQUIRE(bytes.size() <= kMadeSize);
  std::copy(bytes.begin(), bytes.end(), value.begin() + sizeof(address));
  REQUIRE(bpf_map_update_elem(map("made_objects"), &place, value.data(), BPF_ANY) == 0);
  return address;
}

std::uint64_t Engine::lost(tg_loss cause) {
  std::vector<tg_cpu_state> cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const std::uint32_t zero = 0;
  REQUIRE(bpf_map_lookup_elem(map("tg_cpu"), &zero, cpus.data()) == 0);
  std::uint64_t sum = 0;
  for (const auto& cpu : cpus) {
    sum += cpu.lost[cause];
  }
  return sum;
}

void Engine::take_scratch(bool taken) {
  bpf_map* scratch = bpf_object__find_map_by_name(object_, "tg_hook_scratch");
  const std::size_t size = bpf_map__value_size(scratch);
  const std::size_t owner = size - sizeof(std::uint64_t);  // the last member
  std::vector<char> values(((size + 7) & ~std::size_t{7}) * static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::size_t at = 0; taken && at < values.size(); at += (size + 7) & ~std::size_t{7}) {
    values[at + owner] = 1;
  }
  for (std::uint32_t n = 0; n < bpf_map__max_entries(scratch); ++n) {
    REQUIRE(bpf_map_update_elem(bpf_map__fd(scratch), &n, values.data(), BPF_ANY) == 0);
  }
}

Cost Engine::size(const std::string& name) const {
  bpf_prog_info found{};
  std::uint32_t size = sizeof(found);
  REQUIRE(bpf_obj_get_info_by_fd(bpf_program__fd(program(name)), &found, &size) == 0);
  return {0, found.verified_insns, static_cast<std::uint32_t>(found.xlated_prog_len / 8), load_ms_};
}

Cost Engine::measure(bpf_program* program, std::span<const std::uint64_t> words, unsigned rounds, unsigned hits) {
  Cost cost;
  cost.load_ms = load_ms_;
  const int fd = bpf_program__fd(program);
  const auto info = [&] {
    bpf_prog_info found{};
    std::uint32_t size = sizeof(found);
    REQUIRE(bpf_obj_get_info_by_fd(fd, &found, &size) == 0);
    return found;
  };
  const auto fixed = info();
  cost.verified = fixed.verified_insns;
  cost.instructions = fixed.xlated_prog_len / 8;
  const int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
  REQUIRE(stats >= 0);
  std::vector<double> ns;
  for (unsigned round = 0; round < rounds; ++round) {
    const auto before = info();
    for (unsigned n = 0; n < hits; ++n) {
      run(program, words);
    }
    const auto after = info();
    ns.push_back(static_cast<double>(after.run_time_ns - before.run_time_ns) /
                 static_cast<double>(after.run_cnt - before.run_cnt));
    drain();
  }
  ::close(stats);
  std::sort(ns.begin(), ns.end());
  cost.ns = ns[ns.size() / 2];
  return cost;
}

Cost Engine::cost(std::initializer_list<std::uint64_t> words, unsigned rounds, unsigned hits) {
  return measure(enter_, std::span(words.begin(), words.size()), rounds, hits);
}

Cost Engine::empty_cost(unsigned rounds, unsigned hits) {
  return measure(empty_, {}, rounds, hits);
}

}  // namespace hook_test
