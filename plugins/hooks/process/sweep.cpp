// SPDX-License-Identifier: Apache-2.0
#include "sweep.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <unordered_set>

#include "process.h"
#include "text.h"

namespace tetragon::process_plugin {
namespace {

// "0-3,5": the highest number is what sizes per-CPU values.
std::size_t possible_cpus(std::string_view text) {
  std::uint32_t highest = 0;
  std::string_view line = take_until(text, '\n');
  while (!line.empty()) {
    std::string_view range = take_until(line, ',');
    while (!range.empty()) {
      highest = std::max(highest, number<std::uint32_t>(take_until(range, '-')).value_or(0));
    }
  }
  return highest + 1;
}

}  // namespace

Sweeper::Sweeper(sdk::Host host, sdk::Bpf bpf, sdk::Counter degraded, const ProcFs& procfs, std::uint32_t map_size)
    : host_(host), bpf_(bpf), counter_(degraded), procfs_(procfs), map_size_(map_size) {
  const auto text = ProcFs("/sys/devices/system/cpu").text("possible", 4096);
  counters_.resize(possible_cpus(text.value_or("0")) * sizeof(tg_cpu_state) / sizeof(std::uint64_t));
}

void Sweeper::start() {
  seen_ = failed_inserts().value_or(0);
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
      try {
        round();
      } catch (const std::exception& error) {
        host_.warn(std::string("sweep of the process map: ") + error.what() + ", trying again in a second");
      }
    }
  });
}

void Sweeper::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::optional<std::uint64_t> Sweeper::failed_inserts() {
  const std::uint32_t key = 0;
  const auto* table = host_.raw();
  const tetragon_rc code = table->bpf_map_lookup(table->ctx, bpf_.handle(), sdk::str("tg_cpu"), sdk::bytes_of(key),
                                                 counters_.data(), counters_.size() * sizeof(counters_[0]));
  if (code < 0) {
    if (!blind_) {
      blind_ = true;
      host_.warn("the loss counters cannot be read (" + sdk::detail::host_error(table, code).message() +
                 "), a full process map will not be noticed");
    }
    return std::nullopt;
  }
  std::uint64_t sum = 0;
  constexpr std::size_t stride = sizeof(tg_cpu_state) / sizeof(std::uint64_t);
  constexpr std::size_t at = offsetof(tg_cpu_state, lost) / sizeof(std::uint64_t) + TG_LOSS_PROCESS_FULL;
  for (std::size_t cpu = 0; cpu < counters_.size(); cpu += stride) {
    sum += counters_[cpu + at];
  }
  return sum;
}

void Sweeper::round() {
  const auto failed = failed_inserts();
  if (!failed) {
    return;
  }
  const std::uint64_t grown = *failed - seen_;
  seen_ = *failed;
  if (grown == 0 && !degraded_) {
    return;
  }
  if (grown > 0) {
    calm_ = 0;
    counter_.add(grown);
    if (!degraded_) {
      degraded_ = true;
      removed_ = 0;
      host_.warn("the process map is full (option execve-map-entries: " + std::to_string(map_size_) +
                 "): new processes have no identity in the kernel, their events lack the parent; removing entries of "
                 "processes that are gone. Raise the option if this host runs more processes");
    }
  } else if (++calm_ >= kCalmRounds) {
    degraded_ = false;
    host_.info("the process map has room again, " + std::to_string(removed_) + " entries of ended processes removed");
    return;
  }
  sweep();
}

// The map's keys cannot be listed through the host, but the pids that may be in it can: a part of them each round.
void Sweeper::sweep() {
  auto running = procfs_.pids();
  if (!running.ok()) {
    return;
  }
  const std::unordered_set<std::uint32_t> alive(running->begin(), running->end());
  const auto text = procfs_.text("sys/kernel/pid_max", 64);
  std::string_view line = text ? std::string_view(*text) : std::string_view();
  const std::uint32_t pid_max = std::max(2u, number<std::uint32_t>(take_until(line, '\n')).value_or(32768));
  for (std::uint32_t n = 0; n < std::min(kPidsPerRound, pid_max); ++n) {
    const std::uint32_t pid = next_pid_;
    next_pid_ = next_pid_ + 1 >= pid_max ? 1 : next_pid_ + 1;
    if (alive.count(pid) != 0) {
      continue;
    }
    const auto entry = bpf_.map_lookup<tg_process>("execve_map", pid);
    if (!entry.ok()) {
      continue;
    }
    // A process may have come after the list was read, even with this pid: it must be gone now, and the entry the one
    // that was there before it was asked for.
    if (::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH) {
      continue;
    }
    const auto again = bpf_.map_lookup<tg_process>("execve_map", pid);
    if (again.ok() && again->key.start_ns == entry->key.start_ns && bpf_.map_delete("execve_map", pid).ok()) {
      ++removed_;
    }
  }
}

}  // namespace tetragon::process_plugin
