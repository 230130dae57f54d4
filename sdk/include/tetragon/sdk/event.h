// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_EVENT_H
#define TETRAGON_SDK_EVENT_H

// For decoders: reading a record and writing an event, without allocation.

#include <tetragon/sdk/view.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace tetragon::sdk {

// The record as T, NULL when it is too short. Records are 8-byte aligned.
template <class T>
const T* record_as(Bytes record) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> && alignof(T) <= 8,
                "a record is plain data with the layout the BPF program wrote");
  return record.size() < sizeof(T) ? nullptr : reinterpret_cast<const T*>(record.data());
}

// Text of a fixed field: up to the first NUL, never beyond the field.
template <std::size_t N>
std::string_view text(const char (&field)[N]) noexcept {
  return {field, ::strnlen(field, N)};
}

// An event under construction. It keeps views: what is handed to it must live until EventOut::event returns.
class Event {
 public:
  static constexpr std::size_t max_args = 32;

  explicit Event(std::string_view name) noexcept {
    event_.struct_size = sizeof(event_);
    event_.name = str(name);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  Event& time(std::uint64_t boot_ns) noexcept {
    event_.time_ns = boot_ns;
    return *this;
  }
  // start_ns 0: the image that the process runs now.
  Event& process(std::uint32_t pid, std::uint64_t start_ns = 0, std::uint32_t tid = 0) noexcept {
    event_.process = {start_ns, pid, 0};
    event_.tid = tid != 0 ? tid : pid;
    return *this;
  }
  Event& message(std::string_view text) noexcept {
    event_.message = str(text);
    return *this;
  }
  Event& arg(std::string_view label, std::string_view value) noexcept {
    if (tetragon_arg* slot = next(label, TETRAGON_ARG_STRING)) {
      slot->value.s = str(value);
    }
    return *this;
  }
  Event& arg(std::string_view label, Bytes value) noexcept {
    if (tetragon_arg* slot = next(label, TETRAGON_ARG_BYTES)) {
      slot->value.b = bytes(value);
    }
    return *this;
  }
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Event& arg(std::string_view label, T value) noexcept {
    constexpr bool is_signed = std::is_signed_v<T>;
    constexpr bool is_long = sizeof(T) > 4;
    constexpr std::uint32_t kind = is_signed ? (is_long ? TETRAGON_ARG_LONG : TETRAGON_ARG_INT)
                                             : (is_long ? TETRAGON_ARG_SIZE : TETRAGON_ARG_UINT);
    if (tetragon_arg* slot = next(label, kind)) {
      if constexpr (is_signed) {
        slot->value.i = value;
      } else {
        slot->value.u = value;
      }
    }
    return *this;
  }

  // More arguments than max_args were given: the event is refused by EventOut::event.
  bool overflowed() const noexcept { return overflowed_; }
  const tetragon_event& raw() noexcept {
    event_.args = pointers_.data();
    return event_;
  }

 private:
  tetragon_arg* next(std::string_view label, std::uint32_t kind) noexcept {
    if (event_.arg_count == max_args) {
      overflowed_ = true;
      return nullptr;
    }
    tetragon_arg* slot = &args_[event_.arg_count];
    *slot = {};
    slot->struct_size = sizeof(*slot);
    slot->kind = kind;
    slot->label = str(label);
    pointers_[event_.arg_count++] = slot;
    return slot;
  }

  tetragon_event event_{};
  bool overflowed_ = false;
  // Only what next() filled is read.
  std::array<tetragon_arg, max_args> args_;
  std::array<const tetragon_arg*, max_args> pointers_;
};

// Where a decoder puts what it read.
class EventOut {
 public:
  explicit EventOut(const tetragon_event_out* out) noexcept : out_(out) {}

  tetragon_rc process_exec(const tetragon_process_exec& event) const noexcept {
    return call(TETRAGON_HAS(out_, process_exec) ? out_->process_exec : nullptr, event);
  }
  tetragon_rc process_clone(const tetragon_process_clone& event) const noexcept {
    return call(TETRAGON_HAS(out_, process_clone) ? out_->process_clone : nullptr, event);
  }
  tetragon_rc process_exit(const tetragon_process_exit& event) const noexcept {
    return call(TETRAGON_HAS(out_, process_exit) ? out_->process_exit : nullptr, event);
  }
  tetragon_rc data(const tetragon_data& data) const noexcept {
    return call(TETRAGON_HAS(out_, data) ? out_->data : nullptr, data);
  }
  tetragon_rc event(Event& event) const noexcept {
    if (event.overflowed()) {
      return TETRAGON_E_LIMIT;
    }
    return call(TETRAGON_HAS(out_, event) ? out_->event : nullptr, event.raw());
  }
  tetragon_rc hook(const tetragon_hook_event& event) const noexcept {
    return call(TETRAGON_HAS(out_, hook) ? out_->hook : nullptr, event);
  }
  tetragon_rc loader(const tetragon_loader_event& event) const noexcept {
    return call(TETRAGON_HAS(out_, loader) ? out_->loader : nullptr, event);
  }
  const tetragon_event_out* raw() const noexcept { return out_; }

 private:
  template <class F, class T>
  tetragon_rc call(F function, const T& value) const noexcept {
    if (function == nullptr) {
      return TETRAGON_E_UNSUPPORTED;
    }
    function(out_->ctx, &value);
    return TETRAGON_OK;
  }

  const tetragon_event_out* out_;
};

}  // namespace tetragon::sdk

#endif  // TETRAGON_SDK_EVENT_H
