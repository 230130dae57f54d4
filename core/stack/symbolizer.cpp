// SPDX-License-Identifier: Apache-2.0
#include "core/stack/symbolizer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/elf/symbols.h"
#include "core/stack/kernel_table.h"
#include "core/util/fd.h"
#include "core/util/file.h"
#include "core/util/hex.h"
#include "core/util/log.h"
#include "core/util/self.h"
#include "core/util/strings.h"

namespace tetragon::stack {
namespace {

constexpr size_t kMaxMapsText = size_t{8} << 20;     // what is behind has no names
constexpr uint64_t kMaxUserGap = uint64_t{1} << 20;  // of a function without a size
constexpr int64_t kModulesCheck = kNsPerSec;
// Start times in /proc are in ticks, and the clock of the event is read a little later.
constexpr int64_t kStartSlack = 20 * kNsPerMs;

// The first lines of it; empty: nothing could be read. A process may have mappings without end.
std::string read_lines(const std::string& path, size_t limit) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return text;
  constexpr size_t kPiece = size_t{64} << 10;
  while (text.size() < limit) {
    const size_t before = text.size();
    text.resize(std::min(limit, before + kPiece));
    const ssize_t got = ::read(fd.get(), text.data() + before, text.size() - before);
    text.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  text.resize(text.rfind('\n') + 1);
  return text;
}

// Name and address of each; how often they are in use changes all the time.
std::string list_modules(const std::string& procfs) {
  std::string list;
  const auto text = tetragon::read_file(procfs + "/modules");
  if (!text.ok()) return list;
  size_t at = 0;
  while (at < text->size()) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    at = end + 1;
    const size_t address = line.find(" 0x");
    list.append(line.substr(0, line.find(' ')));
    if (address != std::string_view::npos) list.append(line.substr(address, line.find(' ', address + 1) - address));
    list += '\n';
  }
  return list;
}

// The mapped file itself, also where the path leads elsewhere by now; the path in the process' root where the kernel
// does not allow that. Never waits for the other end of a pipe.
UniqueFd open_mapped(const std::string& folder, const Mapping& mapping, const MappedFile& file) {
  const std::string range = elf::hex(mapping.start).substr(2) + "-" + elf::hex(mapping.end).substr(2);
  UniqueFd fd(::open((folder + "/map_files/" + range).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd) return fd;
  fd = UniqueFd(::open((folder + "/root" + file.path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (fd && (::fstat(fd.get(), &st) != 0 || st.st_ino != file.inode)) fd.reset();
  return fd;
}

Result<SymbolTable> read_functions(UniqueFd fd, const std::string& name, size_t max_bytes) {
  auto file = elf::ElfFile::from_fd(std::move(fd), name);
  if (!file) return std::move(file).error();
  SymbolTable::Builder builder(max_bytes);
  TETRAGON_TRY(
      elf::for_each_function(*file, max_bytes, [&](std::string_view symbol, uint64_t offset, uint64_t size, int rank) {
        builder.add(symbol, offset, size, rank);
      }));
  SymbolTable table = std::move(builder).build();
  if (const auto id = file->build_id(); id.ok()) table.set_build_id(hex_text(*id));
  return table;
}

// A return address is behind its call, which may be the last instruction of its function; only the innermost address is
// the place itself.
uint64_t place_of(const std::vector<Frame>& frames, size_t index) {
  return frames[index].address - (index == 0 ? 0 : 1);
}

// Between the hooked code and the program that asked for the stack.
bool is_machinery(std::string_view symbol) {
  constexpr std::string_view prefixes[] = {"bpf_prog_", "bpf_trampoline_", "bpf_trace_run", "__bpf_trace_",
                                           "__traceiter_"};
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) { return symbol.starts_with(prefix); });
}

}  // namespace

Symbolizer::Symbolizer(Options options, const Clock& clock)
    : clock_(clock),
      state_(std::make_shared<State>()),
      worker_(options.worker, state_->mutex),
      kernel_worker_(options.kernel_worker, state_->mutex) {
  state_->options = std::move(options);
  frames_.reserve(kMaxFrames);
}

// ---- kernel
// -----------------------------------------------------------------------------------------------------------

bool Symbolizer::read_kernel(bool only_if_changed) {
  if (state_->kernel_reading) return true;
  state_->kernel_reading =
      kernel_worker_.submit([state = state_, clock = &clock_, only_if_changed, before = state_->modules,
                             procfs = state_->options.procfs]() -> Worker::Commit {
        std::string now = list_modules(procfs);
        const bool skip = only_if_changed && now == before;
        auto table = skip ? Result<SymbolTable>(SymbolTable()) : read_kernel_table(procfs + "/kallsyms");
        if (!table) log::warn("stack traces: kernel functions have no names", {{"error", table.error()}});
        const bool good = table.ok();
        TableRef made = !skip && good ? std::make_shared<const SymbolTable>(std::move(*table)) : nullptr;
        return [state, read_ns = clock->boot_ns(), skip, good, made = std::move(made), now = std::move(now)]() mutable {
          state->kernel_reading = false;
          state->kernel_checked_ns = read_ns;
          if (skip) return;
          state->kernel_read_ns = read_ns;
          ++state->stats.kernel_reads;
          state->kernel_load = good ? Load::ready : Load::failed;
          if (good && made->empty() && !std::exchange(state->warned_hidden, true)) {
            log::warn(
                "stack traces: the kernel hides its addresses, so its functions have no names; the daemon needs "
                "CAP_SYSLOG and kernel.kptr_restrict below 2");
          }
          if (good) state->kernel = std::move(made);
          state->modules = std::move(now);
        };
      });
  return state_->kernel_reading;
}

bool Symbolizer::find_kernel(uint64_t address, Symbol& ret_symbol) {
  if (used_kernel_ == nullptr) return false;
  Known& known = known_[(address ^ address >> 10) % known_.size()];
  if (known.address != address) {
    Symbol symbol;
    if (!used_kernel_->find(address, kMaxKernelFunction, symbol)) return false;
    known = {address, symbol};
  }
  ret_symbol = known.symbol;
  return true;
}

std::span<const Frame> Symbolizer::kernel(std::string_view bytes) {
  read_addresses(bytes, frames_);
  if (frames_.empty()) return frames_;
  auto lock = worker_.lock();
  State& state = *state_;
  state.stats.kernel_frames += frames_.size();
  if (!state.options.kernel) {
    state.stats.kernel_unknown += frames_.size();
    return frames_;
  }
  const int64_t now = clock_.boot_ns();
  state.kernel_used_ns = now;
  if (state.kernel_load != Load::ready) {
    if (state.kernel_load == Load::none || now - state.kernel_read_ns > state.options.kernel_reread_ns) {
      read_kernel(/* only_if_changed= */ false);
    }
    if (!kernel_worker_.wait(lock, [&] { return !state.kernel_reading; })) ++state.stats.late;
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    used_kernel_ = state.kernel;
    if (known_of_ != used_kernel_.get()) {
      known_.fill({});
      known_of_ = used_kernel_.get();
    }
    size_t unknown = 0;
    for (size_t i = 0; i < frames_.size(); ++i) {
      Symbol symbol;
      // The first attempt's name lies in a table that may be gone now.
      frames_[i].symbol = {};
      frames_[i].offset = 0;
      if (!find_kernel(place_of(frames_, i), symbol)) {
        ++unknown;
        continue;
      }
      frames_[i].symbol = symbol.name;
      frames_[i].offset = frames_[i].address - symbol.start;
    }
    // New code: a module, a BPF program.
    const bool again = unknown != 0 && attempt == 0 && state.kernel_load == Load::ready && !used_kernel_->empty() &&
                       now - state.kernel_read_ns > state.options.kernel_reread_ns;
    if (again && read_kernel(/* only_if_changed= */ false) &&
        kernel_worker_.wait(lock, [&] { return !state.kernel_reading; })) {
      continue;
    }
    state.stats.kernel_unknown += unknown;
    break;
  }
  const auto first =
      std::find_if(frames_.begin(), frames_.end(), [](const Frame& frame) { return !is_machinery(frame.symbol); });
  if (first != frames_.end()) frames_.erase(frames_.begin(), first);
  // In the background: until it is done, what lies where a module was is named after that.
  if (state.kernel_load == Load::ready && now - state.kernel_checked_ns > kModulesCheck) {
    read_kernel(/* only_if_changed= */ true);
  }
  return frames_;
}

void Symbolizer::prepare_kernel() {
  auto lock = worker_.lock();
  state_->kernel_used_ns = clock_.boot_ns();
  if (state_->options.kernel && state_->kernel_load != Load::ready) read_kernel(/* only_if_changed= */ false);
}

// ---- processes
// --------------------------------------------------------------------------------------------------------

bool Symbolizer::read_maps(const std::shared_ptr<Image>& image, uint64_t time_ns) {
  if (image->reading) return true;
  image->reading = worker_.submit([state = state_, image, time_ns, clock = &clock_, procfs = state_->options.procfs] {
    std::shared_ptr<const Maps> maps;
    const std::string text = read_lines(procfs + "/" + std::to_string(image->pid) + "/maps", kMaxMapsText);
    const auto ticks = start_ticks(procfs, image->pid);  // behind: the pid was this process' all the time
    const bool is_it = ticks.ok() && (time_ns == 0 || static_cast<int64_t>(*ticks) * kNsPerTick <=
                                                          static_cast<int64_t>(time_ns) + kStartSlack);
    if (is_it && !text.empty()) {
      auto parsed = parse_maps(text);
      if (!parsed.mappings.empty()) maps = std::make_shared<const Maps>(std::move(parsed));
    }
    return [state, image, maps = std::move(maps), read_ns = clock->boot_ns()]() mutable {
      ++state->stats.maps_reads;
      image->reading = false;
      image->read_ns = read_ns;
      if (maps == nullptr) {
        if (image->load == Load::asked) image->load = Load::failed;  // older maps stay
        return;
      }
      image->load = Load::ready;
      image->maps = std::move(maps);
      image->files.assign(image->maps->files.size(), {});
    };
  });
  return image->reading;
}

Symbolizer::TableRef Symbolizer::find_file(const State& state, const FileKey& key) {
  for (const KeptFile& one : state.files) {
    if (one.key == key) return one.table;
  }
  return nullptr;
}

void Symbolizer::touch_file(State& state, const FileKey& key, int64_t now_ns) {
  const auto one =
      std::find_if(state.files.begin(), state.files.end(), [&](const KeptFile& kept) { return kept.key == key; });
  if (one == state.files.end()) return;
  one->used_ns = now_ns;
  state.files.splice(state.files.begin(), state.files, one);
}

void Symbolizer::keep_file(State& state, const FileKey& key, TableRef table, int64_t now_ns) {
  state.file_bytes += table->bytes();
  state.files.push_front({key, std::move(table), now_ns});
  while (state.files.size() > 1 &&
         (state.files.size() > state.options.max_files || state.file_bytes > state.options.max_file_bytes)) {
    state.file_bytes -= state.files.back().table->bytes();
    state.files.pop_back();
    ++state.stats.evicted;
  }
}

bool Symbolizer::read_file(const std::shared_ptr<Image>& image, uint32_t number) {
  const MappedFile& file = image->maps->files[number];
  if (file.inode == 0 || !file.path.starts_with('/')) {  // memory, "[vdso]"
    image->files[number].load = Load::failed;
    return true;
  }
  const bool asked = worker_.submit(
      [state = state_, image, maps = image->maps, number, clock = &clock_, max_bytes = state_->options.max_file_bytes,
       folder = state_->options.procfs + "/" + std::to_string(image->pid)]() -> Worker::Commit {
        const MappedFile& of = maps->files[number];
        UniqueFd fd = open_mapped(folder, maps->mappings[of.mapping], of);
        struct stat st {};
        const bool open = fd && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode);
        const FileKey key{st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size),
                          st.st_mtim.tv_sec * kNsPerSec + st.st_mtim.tv_nsec};
        const int64_t now = clock->boot_ns();
        const auto put = [image, maps, number](const TableRef& table) {
          if (image->maps != maps) return;  // read again meanwhile
          image->files[number].load = table == nullptr ? Load::failed : Load::ready;
          image->files[number].table = table;
        };
        TableRef made;
        if (open) {
          // Only this thread changes the list, so it may read it without the lock.
          if (const TableRef known = find_file(*state, key)) {
            return [state, put, key, now, known] {
              touch_file(*state, key, now);
              put(known);
            };
          }
          auto table = read_functions(std::move(fd), of.path, max_bytes);
          if (table.ok()) {
            made = std::make_shared<const SymbolTable>(std::move(*table));
          } else {
            log::debug("stack traces: no symbols of a file", {{"file", of.path}, {"error", table.error()}});
          }
        }
        return [state, put, key, now, made = std::move(made)] {
          ++(made == nullptr ? state->stats.file_failures : state->stats.file_reads);
          if (made != nullptr) keep_file(*state, key, made, now);
          put(made);
        };
      });
  if (asked) image->files[number].load = Load::asked;
  return asked;
}

std::shared_ptr<Symbolizer::Image> Symbolizer::image_of(const Process& process, int64_t now_ns) {
  auto& images = state_->images;
  auto& place = images[process.pid];
  // A process is named by the start of its image: after an exec it is another one.
  if (place == nullptr || (process.start_ns != 0 && place->start_ns != process.start_ns)) {
    place = std::make_shared<Image>();
    place->pid = process.pid;
    place->start_ns = process.start_ns;
  }
  place->used_ns = now_ns;
  has_images_ = true;
  const std::shared_ptr<Image> image = place;
  if (images.size() > state_->options.max_processes) {
    const auto oldest = std::min_element(images.begin(), images.end(), [](const auto& a, const auto& b) {
      return a.second->used_ns < b.second->used_ns;
    });
    ++state_->stats.evicted;
    images.erase(oldest);
  }
  return image;
}

bool Symbolizer::in_maps(const Maps& maps) const {
  return std::all_of(frames_.begin(), frames_.end(),
                     [&](const Frame& frame) { return maps.find(frame.address) != nullptr; });
}

// What can be told without waiting.
void Symbolizer::name_user(Image& image) {
  used_maps_ = image.maps;
  used_tables_.clear();
  for (size_t i = 0; i < frames_.size(); ++i) {
    Frame& frame = frames_[i];
    const uint64_t place = place_of(frames_, i);
    const Mapping* mapping = used_maps_->find(place);
    if (mapping == nullptr) {
      ++state_->stats.user_unknown;
      continue;
    }
    const std::string& path = used_maps_->files[mapping->file].path;
    if (path.empty()) continue;  // memory that code was written to: there is no file to name
    frame.module = path;
    frame.offset = frame.address - mapping->start + mapping->offset;
    const TableRef table = image.files[mapping->file].table.lock();
    if (table == nullptr) continue;
    frame.build_id = table->build_id();
    Symbol symbol;
    if (table->find(place - mapping->start + mapping->offset, kMaxUserGap, symbol)) frame.symbol = symbol.name;
    if (used_tables_.empty() || used_tables_.back() != table) used_tables_.push_back(table);
  }
}

std::span<const Frame> Symbolizer::user(const Process& process, std::string_view bytes) {
  read_addresses(bytes, frames_);
  if (frames_.empty()) return frames_;
  auto lock = worker_.lock();
  State& state = *state_;
  state.stats.user_frames += frames_.size();
  if (!state.options.user || process.pid == 0) {
    state.stats.user_unknown += frames_.size();
    return frames_;
  }
  const int64_t now = clock_.boot_ns();
  const std::shared_ptr<Image> image = image_of(process, now);
  bool late = false;
  const auto read_done = [&] { return !image->reading; };
  // What failed is tried again: for want of memory or descriptors, for the time between exec and the first mapping.
  const bool again = image->load == Load::failed && now - image->read_ns > state.options.maps_expire_ns;
  if (image->load == Load::none || again) {
    if (read_maps(image, process.time_ns)) image->load = Load::asked;
    late = image->load != Load::asked || !worker_.wait(lock, read_done);
  } else if (image->load == Load::ready) {
    const int64_t age = now - image->read_ns;
    if (age > state.options.maps_expire_ns || (age > state.options.maps_reread_ns && !in_maps(*image->maps))) {
      late = !read_maps(image, process.time_ns) || !worker_.wait(lock, read_done);
    }
  }
  if (image->load != Load::ready) {
    ++(image->load == Load::failed ? state.stats.gone : state.stats.late);
    state.stats.user_unknown += frames_.size();
    return frames_;
  }
  bool asked = false;
  for (size_t i = 0; i < frames_.size(); ++i) {
    const Mapping* mapping = image->maps->find(place_of(frames_, i));
    if (mapping == nullptr) continue;
    File& file = image->files[mapping->file];
    // A table that was dropped from the cache meanwhile is read again.
    if (file.load == Load::none || (file.load == Load::ready && file.table.expired())) {
      if (!read_file(image, mapping->file)) late = true;
    }
    asked = asked || file.load == Load::asked;
  }
  if (asked) {
    const auto maps = image->maps;
    late = !worker_.wait(lock, [&] {
      return image->maps != maps || std::none_of(image->files.begin(), image->files.end(),
                                                 [](const File& file) { return file.load == Load::asked; });
    }) || late;
  }
  if (late) ++state.stats.late;
  name_user(*image);
  return frames_;
}

void Symbolizer::forget(uint32_t pid) {
  if (!has_images_) return;
  auto lock = worker_.lock();
  state_->images.erase(pid);
  has_images_ = !state_->images.empty();
}

// ---- all
// ----------------------------------------------------------------------------------------------------------------

void Symbolizer::tick() {
  auto lock = worker_.lock();
  State& state = *state_;
  const int64_t before = clock_.boot_ns() - state.options.idle_ns;
  if (state.kernel_load == Load::ready && state.kernel_used_ns < before && !state.kernel_reading) {
    state.kernel_load = Load::none;
    state.kernel = used_kernel_ = nullptr;
    known_of_ = nullptr;
    state.modules = std::string();
    frames_.clear();
  }
  std::erase_if(state.images, [&](const auto& one) { return one.second->used_ns < before; });
  if (!state.files.empty() && state.files.back().used_ns < before) {
    worker_.submit([state = state_, before]() -> Worker::Commit {
      return [state, before] {
        while (!state->files.empty() && state->files.back().used_ns < before) {
          state->file_bytes -= state->files.back().table->bytes();
          state->files.pop_back();
        }
      };
    });
  }
}

Stats Symbolizer::stats() const {
  auto lock = worker_.lock();
  Stats stats = state_->stats;
  stats.processes = state_->images.size();
  stats.files = state_->files.size();
  stats.bytes = state_->file_bytes + (state_->kernel == nullptr ? 0 : state_->kernel->bytes());
  return stats;
}

}  // namespace tetragon::stack
