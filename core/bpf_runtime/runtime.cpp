// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/runtime.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "bpf/shared/scratch.h"
#include "core/bpf_runtime/failure.h"
#include "core/bpf_runtime/libbpf_log.h"
#include "core/bpf_runtime/preemption.h"
#include "core/bpf_runtime/prepared_elf.h"
#include "core/bpf_runtime/tracepoint_section.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {
namespace {

// Elements of kScratchMap where the kernel does not interrupt programs for other tasks; else what the object declares.
constexpr std::uint32_t kScratches = 3;

}  // namespace

Runtime::Runtime(RuntimeOptions options) : options_(std::move(options)) {
  for (std::size_t n = 0; n < kSharedMaps.size(); ++n) {
    shared_[n].name = kSharedMaps[n];
  }
}

Runtime::~Runtime() = default;

std::uint64_t Runtime::ring_size() const noexcept {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  // The kernel takes 32-bit sizes.
  return std::bit_ceil(std::clamp(options_.ring_bytes, page, std::uint64_t{1} << 31));
}

std::uint32_t Runtime::wakeup_bytes() const noexcept {
  if (options_.wakeup_bytes != 0) {
    return options_.wakeup_bytes;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(ring_size() / 4, 256u << 10));
}

void Runtime::raise_memlock() {
  // Since Linux 5.11 BPF memory is charged to the memory cgroup and the limit does not matter; before, a failure shows
  // up later as ENOMEM with its own hint. So: try, never insist.
  if (!memlock_raised_) {
    memlock_raised_ = true;
    const rlimit infinite{RLIM_INFINITY, RLIM_INFINITY};
    (void)::setrlimit(RLIMIT_MEMLOCK, &infinite);
  }
}

Result<BtfChoice> Runtime::btf() {
  std::lock_guard lock(mutex_);
  if (!btf_choice_) {
    auto found = find_btf(options_.btf);
    if (!found.ok()) {
      return std::move(found).error();
    }
    btf_choice_ = std::move(found).value();
  }
  return *btf_choice_;
}

Result<std::uint32_t> Runtime::tracepoint_args(std::string_view tracepoint) {
  auto choice = btf();
  TETRAGON_TRY(choice);
  std::lock_guard lock(mutex_);
  TETRAGON_TRY(parse_kernel_btf());
  return kernel_btf_->tracepoint_args(tracepoint);
}

Result<void> Runtime::parse_kernel_btf() {
  if (!kernel_btf_) {
    auto loaded = KernelBtf::load(btf_choice_->path);
    TETRAGON_TRY(loaded);
    kernel_btf_.emplace(std::move(loaded).value());
  }
  return {};
}

std::shared_ptr<const KernelExcerpt> Runtime::prepare(PreparedElf& elf) {
  if (!excerpt_ || !elf.demand().within(excerpt_->demand())) {
    // One excerpt for all objects: those of a kind ask for much the same.
    BtfDemand demand = elf.demand();
    if (excerpt_) demand.add(excerpt_->demand());
    if (!parse_kernel_btf().ok()) return nullptr;
    auto made = KernelExcerpt::make(kernel_btf_->raw(), std::move(demand));
    if (!made.ok()) return nullptr;
    excerpt_ = std::move(made).value();
  }
  return elf.resolve(*excerpt_) ? excerpt_ : nullptr;
}

void Runtime::release_btf() {
  std::lock_guard lock(mutex_);
  kernel_btf_.reset();
}

Result<std::unique_ptr<Object>> Runtime::open(std::string_view name, Bytes elf) {
  auto choice = btf();
  TETRAGON_TRY(choice);
  std::lock_guard lock(mutex_);
  raise_memlock();
  const std::string object_name(name);
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  opts.object_name = object_name.c_str();
  // Kernel functions are numbered by the running kernel's own BTF: a file that was named is left to libbpf.
  std::optional<PreparedElf> prepared;
  if (options_.cut_btf && choice->is_kernels_own) prepared = PreparedElf::read(elf);
  const auto excerpt = prepared ? prepare(*prepared) : nullptr;
  if (excerpt) elf = prepared->bytes();
  const std::string btf_path = excerpt ? excerpt->path() : choice->is_kernels_own ? std::string() : choice->path;
  opts.btf_custom_path = btf_path.empty() ? nullptr : btf_path.c_str();
  opts.kernel_log_level = options_.verbose >= 2 ? 2 : 0;
  register_tracepoint_section();
  LibbpfLog log(options_.verbose >= 2);
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), &opts);
  const int sys = errno;
  tell(log);
  if (object == nullptr) {
    return explain("open BPF object " + quoted(name), {}, log, sys);
  }
  // libbpf 1.1 does not know this section; the kernel's type is that of other uprobes.
  for (bpf_program* program = bpf_object__next_program(object, nullptr); program != nullptr;
       program = bpf_object__next_program(object, program)) {
    const std::string_view section = bpf_program__section_name(program);
    if (section.starts_with("uprobe.multi") || section.starts_with("uretprobe.multi")) {
      bpf_program__set_type(program, BPF_PROG_TYPE_KPROBE);
      bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kAttachTypeUprobeMulti));
      if (section.ends_with(".s")) bpf_program__set_flags(program, BPF_F_SLEEPABLE);
    }
  }
  std::unique_ptr<Object> opened(new Object(*this, object_name, object));
  opened->excerpt_ = excerpt;
  find_tracepoints(object, excerpt.get());
  return opened;
}

Result<void> Runtime::bind_shared_maps(Object& object) {
  for (auto& shared : shared_) {
    bpf_map* map = bpf_object__find_map_by_name(object.object_, std::string(shared.name).c_str());
    if (map == nullptr || !bpf_map__autocreate(map)) {
      continue;
    }
    if (!shared.fd) {
      // Whoever is first makes it: one that was built with other headers would keep out all that come after.
      if (shared.name == kScratchMap && bpf_map__value_size(map) != TG_HOOK_SCRATCH_BYTES) {
        return Error(Code::invalid, "BPF object " + quoted(object.name_) + " declares the shared map " +
                                        quoted(shared.name) + " with value size " +
                                        std::to_string(bpf_map__value_size(map)) + ", this host with " +
                                        std::to_string(TG_HOOK_SCRATCH_BYTES) + ": build it with the SDK of this host");
      }
      if (shared.name == kRingMap) {
        bpf_map__set_max_entries(map, static_cast<std::uint32_t>(ring_size()));
      } else if (shared.name == kProcessMap) {
        bpf_map__set_max_entries(map, options_.process_entries);
      } else if (shared.name == kScratchMap && !preempts_kernel_code()) {
        bpf_map__set_max_entries(map, kScratches);
      }
      continue;
    }
    if (bpf_map__type(map) != shared.type || bpf_map__key_size(map) != shared.key_size ||
        bpf_map__value_size(map) != shared.value_size) {
      return Error(Code::invalid, "BPF object " + quoted(object.name_) + " declares the shared map " +
                                      quoted(shared.name) + " with type " + std::to_string(bpf_map__type(map)) +
                                      ", key size " + std::to_string(bpf_map__key_size(map)) + ", value size " +
                                      std::to_string(bpf_map__value_size(map)) + "; object " + quoted(shared.made_by) +
                                      " made it with type " + std::to_string(shared.type) + ", key size " +
                                      std::to_string(shared.key_size) + ", value size " +
                                      std::to_string(shared.value_size) + ": build both with the same SDK");
    }
    if (const int rc = bpf_map__reuse_fd(map, shared.fd.get()); rc != 0) {
      return explain({"bind map " + quoted(shared.name) + " of BPF object " + quoted(object.name_), {}, {}, {}}, -rc);
    }
  }
  return {};
}

Result<void> Runtime::keep_shared_maps(Object& object) {
  for (auto& shared : shared_) {
    const bpf_map* map = bpf_object__find_map_by_name(object.object_, std::string(shared.name).c_str());
    if (map == nullptr || shared.fd || !bpf_map__autocreate(map)) {
      continue;
    }
    // A descriptor of our own: the map outlives the object that happened to be first.
    UniqueFd fd(::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0));
    if (!fd) {
      return errno_error("keep map " + quoted(shared.name) + " of BPF object " + quoted(object.name_), errno);
    }
    shared.fd = std::move(fd);
    shared.type = bpf_map__type(map);
    shared.key_size = bpf_map__key_size(map);
    shared.value_size = bpf_map__value_size(map);
    shared.made_by = object.name_;
  }
  return {};
}

void Runtime::tell(const LibbpfLog& log) const {
  if (options_.verbose >= 1 && options_.log && !log.text().empty()) {
    options_.log(log.text());
  }
}

Result<int> Runtime::shared_map_fd(std::string_view map) const {
  std::lock_guard lock(mutex_);
  for (const auto& shared : shared_) {
    if (shared.name == map && shared.fd) {
      return shared.fd.get();
    }
  }
  return Error(Code::state, "map " + quoted(map) + " does not exist: no BPF object that declares it is loaded");
}

Result<int> Runtime::checked_shared_map(std::string_view map, std::size_t key_size,
                                        std::optional<std::size_t> value_size) {
  std::lock_guard lock(mutex_);
  for (const auto& shared : shared_) {
    if (shared.name != map || !shared.fd) {
      continue;
    }
    if (shared.key_size != key_size || (value_size && shared.value_size != *value_size)) {
      return Error(Code::invalid, "map " + quoted(map) + ", made by " + quoted(shared.made_by) + ", has keys of " +
                                      std::to_string(shared.key_size) + " and values of " +
                                      std::to_string(shared.value_size) +
                                      " bytes: built with another version of the SDK");
    }
    return shared.fd.get();
  }
  return Error(Code::state, "map " + quoted(map) + " does not exist: no BPF object that declares it is loaded");
}

Result<void> Runtime::shared_map_update(std::string_view map, Bytes key, Bytes value) {
  auto fd = checked_shared_map(map, key.size(), value.size());
  TETRAGON_TRY(fd);
  if (bpf_map_update_elem(*fd, key.data(), value.data(), BPF_ANY) == 0) {
    return {};
  }
  // A full hash answers E2BIG, a full trie ENOSPC.
  if (errno == E2BIG || errno == ENOSPC) {
    return Error(Code::limit, "map " + quoted(map) + " is full", errno);
  }
  return errno_error("update map " + quoted(map), errno);
}

Result<void> Runtime::shared_map_delete(std::string_view map, Bytes key) {
  auto fd = checked_shared_map(map, key.size(), std::nullopt);
  TETRAGON_TRY(fd);
  if (bpf_map_delete_elem(*fd, key.data()) == 0) {
    return {};
  }
  if (errno == ENOENT) {
    return Error(Code::not_found, "delete from map " + quoted(map) + ": no such key", errno);
  }
  return errno_error("delete from map " + quoted(map), errno);
}

Result<void> Runtime::shared_map_lookup(std::string_view map, Bytes key, std::span<std::byte> ret_value) {
  auto fd = checked_shared_map(map, key.size(), ret_value.size());
  TETRAGON_TRY(fd);
  if (bpf_map_lookup_elem(*fd, key.data(), ret_value.data()) == 0) {
    return {};
  }
  if (errno == ENOENT) {
    return Error(Code::not_found, "look into map " + quoted(map) + ": no such key", errno);
  }
  return errno_error("look into map " + quoted(map), errno);
}

Result<CpuAccount> Runtime::cpu_account() const {
  auto fd = shared_map_fd(kCpuMap);
  TETRAGON_TRY(fd);
  std::uint32_t value_size = 0;
  {
    std::lock_guard lock(mutex_);
    value_size = shared_[1].value_size;
  }
  if (value_size != sizeof(tg_cpu_state)) {
    return Error(Code::invalid, "map \"tg_cpu\" has values of " + std::to_string(value_size) + " bytes, not " +
                                    std::to_string(sizeof(tg_cpu_state)) + ": built with another version of the SDK");
  }
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) {
    return errno_error("count the CPUs", -cpus);
  }
  static_assert(sizeof(tg_cpu_state) % 8 == 0, "per-CPU values are 8-byte multiples");
  std::vector<tg_cpu_state> states(static_cast<std::size_t>(cpus));
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(*fd, &zero, states.data()) != 0) {
    return errno_error("read map \"tg_cpu\"", errno);
  }
  CpuAccount account;
  account.seq.reserve(states.size());
  for (const auto& state : states) {
    account.seq.push_back(state.seq);
    for (std::size_t cause = 0; cause < TG_LOSS_COUNT; ++cause) {
      account.lost[cause] += state.lost[cause];
    }
  }
  return account;
}

Result<std::uint64_t> Runtime::process_map_count() const {
  auto fd = shared_map_fd(kProcessMap);
  TETRAGON_TRY(fd);
  std::uint64_t count = 0;
  std::uint32_t key = 0;
  std::uint32_t next = 0;
  const std::uint32_t* last = nullptr;
  // An entry deleted meanwhile restarts the walk in the kernel: bounded by the map's size, an estimate is enough.
  while (count <= options_.process_entries && bpf_map_get_next_key(*fd, last, &next) == 0) {
    key = next;
    last = &key;
    ++count;
  }
  return std::min<std::uint64_t>(count, options_.process_entries);
}

}  // namespace tetragon::bpf_runtime
