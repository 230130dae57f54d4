// SPDX-License-Identifier: Apache-2.0
#pragma once

// What outlives the daemon is pinned in the BPF file system, one folder per run:
//
//   <bpffs>/<bpf-dir>/run-<pid>-<start time>/<number>-<BPF object>/link-<number>-<program>
//                                                                  map-<name>
//
// Links keep programs attached, programs keep their maps. Program arrays are the exception: the kernel empties one when
// its last descriptor and pin are gone, whoever still jumps through it; so they are pinned too.
//
// Root and runs belong to the daemon's user, and nobody else may write to them: what is found there is believed.
//
// A run is somebody's as long as its folder is locked (flock): the lock goes with the process, however it ends, and
// holds across pid namespaces, where a pid says nothing.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/fd.h"
#include "core/util/result.h"
#include "core/util/self.h"

namespace tetragon::bpf_runtime {

// As bpf_obj_pin: negative errno. Another one in tests without a BPF file system.
using PinFunction = int (*)(int fd, const char* path);
int pin_descriptor(int fd, const char* path);

inline constexpr std::string_view kBpffsPlaces[] = {"/sys/fs/bpf", "/run/cilium/bpffs"};
bool is_bpffs(const std::string& folder);
// The first of the places that is a BPF file system; with `mount`, one is mounted when there is none.
Result<std::string> find_bpffs(bool mount);

// "run-<pid>-<start time>".
std::string run_name(const SelfId& self);

// For others that start or end at the same time.
inline constexpr std::chrono::milliseconds kLockWait{10'000};

// The run of this daemon. Thread-safe.
class PinnedRun {
 public:
  // root: <bpffs>/<bpf-dir>. exists: somebody's run has this name; permission: the root may be another user's work.
  static Result<std::unique_ptr<PinnedRun>> create(const std::string& root, const std::string& name,
                                                   PinFunction pin = pin_descriptor);
  PinnedRun(const PinnedRun&) = delete;
  PinnedRun& operator=(const PinnedRun&) = delete;
  ~PinnedRun();  // takes away what is left of it; who wants it to stay ends the process without

  const std::string& path() const noexcept { return path_; }
  const std::string& name() const noexcept { return name_; }
  std::size_t links() const;
  // All policies of the start are in force: the next run may rely on what is pinned here.
  Result<void> complete();
  // A map of all objects; pinned once.
  Result<void> pin_shared(int fd, std::string_view map);

 private:
  friend class ObjectPins;
  PinnedRun(std::string root, std::string name, UniqueFd lock, PinFunction pin);
  Result<std::string> make_folder(std::string_view object);

  std::string root_, name_, path_;
  UniqueFd lock_;
  PinFunction pin_;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> shared_;
  std::uint64_t objects_ = 0;
  std::size_t links_ = 0;
};

// What one BPF object pinned; taken away with it.
class ObjectPins {
 public:
  static Result<std::unique_ptr<ObjectPins>> create(PinnedRun& run, std::string_view object);
  ObjectPins(const ObjectPins&) = delete;
  ObjectPins& operator=(const ObjectPins&) = delete;
  ~ObjectPins();

  // unsupported: the kernel has no link for this kind of attachment.
  Result<void> pin_link(int fd, std::string_view program);
  Result<void> pin_map(int fd, std::string_view map);

 private:
  ObjectPins(PinnedRun& run, std::string folder) : run_(run), folder_(std::move(folder)) {}

  PinnedRun& run_;
  std::string folder_;
  std::vector<std::string> links_, maps_;
};

struct EarlierRun {
  std::string name;
  std::size_t links = 0;
  bool complete = false;
  bool lives = false;  // a daemon holds it
};

// In the order of their names; a root that does not exist has none. permission: it or a run may be another user's work.
// state: somebody else keeps it locked.
Result<std::vector<EarlierRun>> find_runs(const std::string& root, std::chrono::milliseconds wait = kLockWait);
// Changes every element of an array that a run of nobody shares among its objects. A run without this map is left
// alone.
Result<void> change_shared_array(const std::string& run, std::string_view map,
                                 const std::function<void(std::span<std::byte>)>& change);
// Detaches. state: a daemon holds it. The root goes with its last run.
Result<void> remove_run(const std::string& root, const std::string& name);

}  // namespace tetragon::bpf_runtime
