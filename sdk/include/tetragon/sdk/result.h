// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_RESULT_H
#define TETRAGON_SDK_RESULT_H

// Result<T> of the facade: a value or an Error (a code of abi.h and a text). It never crosses the border.

#include <tetragon/abi.h>

#include <string>
#include <utility>
#include <variant>

namespace tetragon::sdk {

class [[nodiscard]] Error {
 public:
  Error(tetragon_rc code, std::string message)
      : code_(code < 0 ? code : TETRAGON_E_INTERNAL), message_(std::move(message)) {}

  tetragon_rc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

  Error with_context(const std::string& where) && {
    message_.insert(0, where + ": ");
    return std::move(*this);
  }

 private:
  tetragon_rc code_;
  std::string message_;
};

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

}  // namespace tetragon::sdk

// Returns the error of an sdk::Result from the calling function.
#define TETRAGON_SDK_TRY(expr)                                    \
  do {                                                            \
    if (auto&& sdk_try_result_ = (expr); !sdk_try_result_.ok()) { \
      return ::tetragon::sdk::Error(sdk_try_result_.error());     \
    }                                                             \
  } while (false)

#endif  // TETRAGON_SDK_RESULT_H
