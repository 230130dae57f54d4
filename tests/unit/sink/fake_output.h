// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where tests put lines, and make them wait or fail.

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "core/sink/line_output.h"

namespace tetragon::sink {

struct FakeLines {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> lines;
  size_t maintained = 0;
  bool hold = false;    // append blocks
  bool inside = false;  // and somebody is in there
  bool fail = false;
  bool half = false;  // takes only the first line

  void set_hold(bool on) {
    const std::lock_guard lock(mutex);
    hold = on;
    changed.notify_all();
  }
  void wait_inside() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return inside; });
  }
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return lines.size() >= count; });
    return lines;
  }
};

class FakeOutput final : public LineOutput {
 public:
  explicit FakeOutput(std::shared_ptr<FakeLines> lines) : lines_(std::move(lines)) {}

  Result<size_t> append(std::string_view text) override {
    std::unique_lock lock(lines_->mutex);
    lines_->inside = true;
    lines_->changed.notify_all();
    lines_->changed.wait(lock, [this] { return !lines_->hold; });
    lines_->inside = false;
    if (lines_->fail) return Error(Code::system, "disk on fire");
    size_t taken = 0;
    while (taken < text.size()) {
      const size_t end = text.find('\n', taken);
      lines_->lines.emplace_back(text.substr(taken, end - taken));
      taken = end + 1;
      if (lines_->half) break;
    }
    lines_->changed.notify_all();
    return taken;
  }
  void maintain() override {
    const std::lock_guard lock(lines_->mutex);
    ++lines_->maintained;
    lines_->changed.notify_all();
  }
  OutputStats stats() const override { return {}; }

 private:
  std::shared_ptr<FakeLines> lines_;
};

}  // namespace tetragon::sink
