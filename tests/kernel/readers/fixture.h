// SPDX-License-Identifier: Apache-2.0
#pragma once

// The readers' test programs, loaded; each is run in the context of the caller.

#include <bpf/bpf.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/shared/hook_args.h"
#include "readers.h"

struct bpf_link;
struct bpf_object;

struct Path {
  std::int32_t status = 0;
  std::uint32_t flags = 0;
  std::uint16_t mode = 0;
  std::string text;
};

class Readers {
 public:
  Readers();
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // False: bpf(2) cannot be used here, the reason was printed.
  static bool allowed();

  // Runs the program read_<type> with words of its context; the value it read stays in result().
  const reader_result& run(std::string_view type, std::uint64_t arg = 0, std::uint64_t size = 0, bool address = false);
  Path path(std::string_view type, std::uint64_t arg, bool address = false);
  // The value as this struct of hook_args.h; its status and size must be right.
  template <typename T>
  T read(std::string_view type, std::uint64_t arg = 0, bool address = false) {
    return as<T>(run(type, arg, 0, address));
  }
  template <typename T>
  static T as(const reader_result& result) {
    T value{};
    require_fixed(result, sizeof(T));
    __builtin_memcpy(&value, result.bytes, sizeof(T));
    return value;
  }
  static Path as_path(const reader_result& result);

  void set_packet(const reader_packet& packet);
  int map_fd(std::string_view map) const;
  int program_fd(std::string_view program) const;

  // Attaches the program event_<type>, which notes the values of this process until `stop_events`.
  void start_events(std::string_view type, pid_t pid);
  void watch(pid_t pid);
  reader_noted stop_events();

  // Nanoseconds of a run of the program, the least of several rounds.
  double cost(std::string_view program, std::uint64_t arg);

 private:
  static void require_fixed(const reader_result& result, std::size_t size);
  void test_run(int program, const std::uint64_t (&words)[3], bool must_work);

  bpf_object* object_ = nullptr;
  bpf_link* link_ = nullptr;
  reader_result result_{};
};

// What the kernel shows of a file descriptor, without " (deleted)".
std::string shown(int fd);
