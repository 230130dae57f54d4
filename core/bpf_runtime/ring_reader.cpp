// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/ring_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/util/fd.h"

namespace tetragon::bpf_runtime {

namespace {

enum Source : std::uint32_t { kRing, kStop };

// An idle reader looks by itself once in a while: the price of a lost wake-up would be events that arrive never instead
// of late, the price of looking is nothing.
constexpr int kIdleMs = 1000;
constexpr int kAborted = -ECANCELED;

}  // namespace

struct RingReader::State {
  RingReaderOptions options;
  ring_buffer* ring = nullptr;
  UniqueFd epoll;
  UniqueFd stop_event;
  std::uint64_t ring_bytes = 0;
  std::uint64_t last_bytes = 0;  // budget used by the last drain after stop()
  bool stopping = false;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wakeups{0};
  std::atomic<std::uint64_t> records{0};

  ~State() { ring_buffer__free(ring); }

  static int sample(void* ctx, void* data, std::size_t size) {
    auto& state = *static_cast<State*>(ctx);
    state.options.on_record(data, size);
    state.records.store(state.records.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (state.stopping) {
      state.last_bytes += size;
      return state.last_bytes >= state.ring_bytes ? kAborted : 0;
    }
    // A producer that never pauses must not keep us from stopping.
    return state.stop.load(std::memory_order_relaxed) ? kAborted : 0;
  }

  Result<std::size_t> drain() {
    std::size_t total = 0;
    for (bool again = true; again;) {
      const int count = ring_buffer__consume(ring);
      if (count < 0) {
        if (count == kAborted) {
          break;
        }
        return errno_error("read the ring buffer", -count);
      }
      total += static_cast<std::size_t>(count);
      // The kernel wakes us only when a record is the first behind the consumer's position. Our position must be
      // visible to it before we look for the last time, else both sides believe the other has it.
      __sync_synchronize();  // not std::atomic_thread_fence: ThreadSanitizer does not know it
      again = count > 0;
    }
    if (options.on_drained) {
      options.on_drained();
    }
    return total;
  }

  Result<void> watch(int fd, std::uint32_t events, Source source) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = source;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return errno_error("watch the ring buffer", errno);
    }
    return {};
  }

  // Number of ready sources; sets stop.
  Result<int> wait(int timeout_ms) {
    epoll_event events[2];
    const int ready = ::epoll_wait(epoll.get(), events, 2, timeout_ms);
    if (ready < 0) {
      if (errno == EINTR) {
        return 0;
      }
      return errno_error("wait for the ring buffer", errno);
    }
    return ready;
  }
};

RingReader::RingReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
RingReader::~RingReader() = default;

Result<std::unique_ptr<RingReader>> RingReader::create(int ring_map_fd, RingReaderOptions options) {
  if (!options.on_record) {
    return Error(Code::invalid, "a ring buffer reader needs on_record");
  }
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  bpf_map_info info{};
  std::uint32_t info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(ring_map_fd, &info, &info_size) != 0) {
    return errno_error("ask for the ring buffer's size", errno);
  }
  if (info.type != BPF_MAP_TYPE_RINGBUF) {
    return Error(Code::invalid, "map " + std::string(info.name) + " is no ring buffer");
  }
  state->ring_bytes = info.max_entries;
  state->ring = ring_buffer__new(ring_map_fd, &State::sample, state.get(), nullptr);
  if (state->ring == nullptr) {
    return errno_error("map the ring buffer", errno);
  }
  state->epoll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  state->stop_event = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->epoll || !state->stop_event) {
    return errno_error("create the ring buffer reader", errno);
  }
  // Edge-triggered: during the pause the data that is there already must not wake us again, a forced wake-up must.
  TETRAGON_TRY(state->watch(ring_map_fd, EPOLLIN | EPOLLET, kRing));
  TETRAGON_TRY(state->watch(state->stop_event.get(), EPOLLIN, kStop));
  return std::unique_ptr<RingReader>(new RingReader(std::move(state)));
}

Result<void> RingReader::run() {
  State& state = *state_;
  const int pause_ms = static_cast<int>(state.options.coalesce.count());
  while (!state.stop.load(std::memory_order_acquire)) {
    auto ready = state.wait(kIdleMs);
    TETRAGON_TRY(ready);
    if (*ready > 0) {
      state.wakeups.fetch_add(1, std::memory_order_relaxed);
      if (pause_ms > 0 && !state.stop.load(std::memory_order_acquire)) {
        TETRAGON_TRY(state.wait(pause_ms));
      }
    }
    TETRAGON_TRY(state.drain());
  }
  state.stopping = true;
  state.last_bytes = 0;
  TETRAGON_TRY(state.drain());
  return {};
}

void RingReader::stop() noexcept {
  state_->stop.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // The flag is set: even if this write failed, the reader stops within its idle time.
  [[maybe_unused]] const ssize_t written = ::write(state_->stop_event.get(), &one, sizeof(one));
}

Result<std::size_t> RingReader::drain() {
  return state_->drain();
}

std::uint64_t RingReader::wakeups() const noexcept {
  return state_->wakeups.load(std::memory_order_relaxed);
}
std::uint64_t RingReader::records() const noexcept {
  return state_->records.load(std::memory_order_relaxed);
}

}  // namespace tetragon::bpf_runtime
