// SPDX-License-Identifier: Apache-2.0
#pragma once

// Result<T>: a value or an Error. The only way core reports failure: functions either return the error or log it,
// never both; exceptions of libraries are caught in the module that calls them.

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tetragon {

// Stable codes; the text may change, the code may not.
enum class Code {
  invalid,      // the input is wrong (configuration, policy, request)
  unsupported,  // right, but not possible on this kernel or in this build; the text says why
  not_found,
  exists,
  limit,       // a documented limit is exceeded
  permission,  // the caller or the daemon lacks a right
  system,      // a system call failed; sys holds errno
  state,       // not possible in the present state
  internal,    // a bug of ours or of a plugin
};

std::string_view to_string(Code code) noexcept;

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message, int sys = 0) : code_(code), sys_(sys), message_(std::move(message)) {}

  Code code() const noexcept { return code_; }
  int sys() const noexcept { return sys_; }  // errno, 0 when none
  const std::string& message() const noexcept { return message_; }

  // Puts where it happened in front: "file.yaml:3: ..." or "plugin tetragon.process: ...".
  Error with_context(std::string_view where) && {
    message_.insert(0, ": ");
    message_.insert(0, where);
    return std::move(*this);
  }

 private:
  Code code_;
  int sys_;
  std::string message_;
};

// "open /x: No such file or directory" with code system.
Error errno_error(std::string_view what, int sys);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return error_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const& { return std::get<1>(error_); }
  Error&& error() && { return std::get<1>(std::move(error_)); }

 private:
  std::variant<std::monostate, Error> error_;
};

// Returns the error of a Result<void> (or any Result whose value is not needed) from the calling function.
#define TETRAGON_TRY(expr)                                \
  do {                                                    \
    if (auto&& try_result_ = (expr); !try_result_.ok()) { \
      return std::move(try_result_).error();              \
    }                                                     \
  } while (false)

}  // namespace tetragon
