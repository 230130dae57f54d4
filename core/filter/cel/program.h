// SPDX-License-Identifier: Apache-2.0
#pragma once

// An expression of the Common Expression Language over an event, compiled once. Variables are the members of the event
// message ("process_exec", "process_kprobe", ...); only the one the event carries has a value, naming another is an
// evaluation error, which && and || absorb as the language defines.

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/util/result.h"

namespace tetragon {
class GetEventsResponse;
}

namespace tetragon::filter::cel {

struct Parsed;

class Program {
 public:
  // Steps of one evaluation: at about 50 ns each, some milliseconds at worst.
  static constexpr std::uint64_t default_steps = 100000;

  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;

  // Never crashes, whatever the text. Errors name the column.
  static Result<Program> compile(std::string_view source);

  // Thread-safe. The error says why there is no answer.
  Result<bool> evaluate(const tetragon::GetEventsResponse& event, std::uint64_t steps = default_steps) const;

  // Whether the expression names the member with this number; when not, its value is matches_without_event().
  bool names_event(int type) const;
  bool matches_without_event() const { return without_event_; }

 private:
  explicit Program(std::unique_ptr<const Parsed> parsed);

  std::unique_ptr<const Parsed> parsed_;
  bool without_event_ = false;
};

}  // namespace tetragon::filter::cel
