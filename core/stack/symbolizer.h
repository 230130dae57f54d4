// SPDX-License-Identifier: Apache-2.0
#pragma once

// Addresses -> names. Everything that may take long is read by a thread of its own and kept; a caller waits for it a
// bounded time, and otherwise gets frames with less in them.

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/stack/frame.h"
#include "core/stack/maps.h"
#include "core/stack/symbol_table.h"
#include "core/stack/worker.h"
#include "core/util/time.h"

namespace tetragon::stack {

struct Options {
  std::string procfs = "/proc";
  bool kernel = true, user = true;  // false: frames of this kind know only their address
  Worker::Options worker;           // of files and processes
  // Reading all symbols of the kernel takes some tenths of a second on a slow machine.
  Worker::Options kernel_worker{.max_wait = std::chrono::milliseconds(400),
                                .max_waiting = std::chrono::milliseconds(500)};
  size_t max_processes = 256;                // whose mappings are kept
  size_t max_files = 256;                    // whose symbols are kept
  size_t max_file_bytes = size_t{64} << 20;  // all of them together; and the tables of one file as they are read
  int64_t maps_expire_ns = 10 * kNsPerSec;   // libraries come and go
  int64_t maps_reread_ns = kNsPerSec / 5;    // earlier when an address is in no mapping, but not more often
  int64_t kernel_reread_ns = 5 * kNsPerSec;  // likewise for the kernel's
  int64_t idle_ns = 600 * kNsPerSec;         // what nobody asked for so long is dropped
};

struct Stats {
  uint64_t kernel_frames = 0, kernel_unknown = 0;  // unknown: without symbol
  uint64_t user_frames = 0, user_unknown = 0;      // unknown: in no mapping, or the mappings were not there
  uint64_t gone = 0;                               // stacks of processes that had ended before anything was known
  uint64_t late = 0;                               // stacks sent with less because reading took too long
  uint64_t kernel_reads = 0, maps_reads = 0, file_reads = 0, file_failures = 0, evicted = 0;
  size_t processes = 0, files = 0, bytes = 0;  // kept now
};

struct Process {
  uint32_t pid = 0;
  uint64_t start_ns = 0;  // of the image, boot clock; 0: the present one
  uint64_t time_ns = 0;   // of the event, boot clock
};

// One thread at a time, but for stats().
class Symbolizer {
 public:
  explicit Symbolizer(Options options, const Clock& clock = Clock::system());

  // Bytes: addresses, the innermost first. The span is valid until the next call of either function; the names in it
  // until the next one of the same function, or of tick().
  std::span<const Frame> kernel(std::string_view bytes);
  std::span<const Frame> user(const Process& process, std::string_view bytes);

  // Reads the kernel's symbols now, so that the first stack need not wait for them.
  void prepare_kernel();
  // The process ended or is another program now.
  void forget(uint32_t pid);
  // Drops what is idle; to be called now and then.
  void tick();
  Stats stats() const;

 private:
  using TableRef = std::shared_ptr<const SymbolTable>;
  enum class Load : uint8_t { none, asked, ready, failed };

  struct File {  // a file of a process
    Load load = Load::none;
    std::weak_ptr<const SymbolTable> table;
  };
  struct Image {
    uint32_t pid = 0;
    uint64_t start_ns = 0;
    Load load = Load::none;
    bool reading = false;  // also while older maps are there
    int64_t read_ns = 0, used_ns = 0;
    std::shared_ptr<const Maps> maps;
    std::vector<File> files;  // as in maps
  };
  struct FileKey {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t mtime_ns = 0;
    bool operator==(const FileKey&) const = default;
  };
  struct KeptFile {
    FileKey key;
    TableRef table;
    int64_t used_ns = 0;
  };
  // Shared with jobs, which may outlive the symbolizer.
  struct State {
    const std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
    Options options;
    TableRef kernel;
    Load kernel_load = Load::none;
    bool kernel_reading = false;
    int64_t kernel_read_ns = 0, kernel_checked_ns = 0, kernel_used_ns = 0;
    std::string modules;  // of the kernel, when the table was read
    std::unordered_map<uint32_t, std::shared_ptr<Image>> images;
    std::list<KeptFile> files;  // the last read first; changed by the worker's thread only
    size_t file_bytes = 0;
    Stats stats;
    bool warned_hidden = false;
  };

  // All with the lock.
  bool read_kernel(bool only_if_changed);
  bool read_maps(const std::shared_ptr<Image>& image, uint64_t time_ns);
  bool read_file(const std::shared_ptr<Image>& image, uint32_t file);
  std::shared_ptr<Image> image_of(const Process& process, int64_t now_ns);
  bool find_kernel(uint64_t address, Symbol& ret_symbol);
  bool in_maps(const Maps& maps) const;
  void name_user(Image& image);
  static TableRef find_file(const State& state, const FileKey& key);
  static void touch_file(State& state, const FileKey& key, int64_t now_ns);
  static void keep_file(State& state, const FileKey& key, TableRef table, int64_t now_ns);

  const Clock& clock_;
  bool has_images_ = false;  // forget() comes with every exec and exit
  std::shared_ptr<State> state_;
  // The kernel's symbols take long; nothing else waits behind them. One lock.
  mutable Worker worker_;
  Worker kernel_worker_;
  std::vector<Frame> frames_;
  // What frames_ points into.
  TableRef used_kernel_;
  std::shared_ptr<const Maps> used_maps_;
  std::vector<TableRef> used_tables_;
  // Addresses of the kernel come again and again.
  struct Known {
    uint64_t address = 0;
    Symbol symbol;
  };
  std::array<Known, 1024> known_{};
  const SymbolTable* known_of_ = nullptr;
};

}  // namespace tetragon::stack
