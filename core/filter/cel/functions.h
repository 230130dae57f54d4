// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of the expression language: the standard ones, the string extensions, Kubernetes' IP and CIDR library.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/filter/cel/value.h"

namespace tetragon::filter::cel {

// The budget of one evaluation.
class Steps {
 public:
  explicit Steps(std::uint64_t left) : left_(left) {}

  // False when the evaluation must stop. Work on n bytes counts n / 16.
  bool take(std::uint64_t steps) {
    if (steps > left_) {
      left_ = 0;
      exhausted_ = true;
      return false;
    }
    left_ -= steps;
    return true;
  }
  bool take_bytes(std::size_t bytes) { return take(bytes / 16 + 1); }
  bool exhausted() const { return exhausted_; }

 private:
  std::uint64_t left_;
  bool exhausted_ = false;
};

// Takes the steps of comparing a value with another. Computed values may share parts, so that few steps build one with
// millions of leaves; walking it is charged leaf by leaf.
bool take_comparison(Steps& steps, const Value& value);

using Args = std::span<const Value>;  // of a method: the receiver first

struct Function {
  std::string_view name;
  bool method;
  std::size_t least;  // arguments, the receiver counted
  std::size_t most;
  Kind result;  // dyn: depends on the arguments
  Value (*run)(Steps& steps, Args args);
};

std::span<const Function> core_functions();
std::span<const Function> string_functions();
std::span<const Function> time_functions();
std::span<const Function> ip_functions();

// nullptr when there is none for this number of arguments; ret_known tells whether the name exists at all.
const Function* find_function(std::string_view name, bool method, std::size_t arguments, bool& ret_known);

Value no_overload(std::string_view function, Args args);
Value out_of_steps();

// Used by several files.
std::string duration_text(Int128 nanoseconds);
std::string timestamp_text(Int128 nanoseconds);
Value parse_duration(std::string_view text);
Value parse_timestamp(std::string_view text);

}  // namespace tetragon::filter::cel
