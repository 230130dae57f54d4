// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/bpf_runtime/features.h"
#include READERS_HEADER

using namespace tetragon;

bool Readers::allowed() {
  static const auto features = bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  if (!features.supported("btf")) {
    MESSAGE("SKIPPED: btf: " << features.find("btf")->reason);
    return false;
  }
  return true;
}

Readers::Readers() {
  ::libbpf_set_print([](libbpf_print_level level, const char* format, va_list args) {
    return level == LIBBPF_WARN ? std::vfprintf(stderr, format, args) : 0;
  });
  object_ = ::bpf_object__open_mem(READERS_ELF, sizeof(READERS_ELF), nullptr);
  REQUIRE(object_ != nullptr);
  const int error = ::bpf_object__load(object_);
  INFO("load: ", std::strerror(-error));
  REQUIRE(error == 0);
}

Readers::~Readers() {
  ::bpf_link__destroy(link_);
  ::bpf_object__close(object_);
}

int Readers::map_fd(std::string_view map) const {
  const int fd = ::bpf_object__find_map_fd_by_name(object_, std::string(map).c_str());
  REQUIRE(fd >= 0);
  return fd;
}

int Readers::program_fd(std::string_view program) const {
  auto* found = ::bpf_object__find_program_by_name(object_, std::string(program).c_str());
  INFO("program ", std::string(program));
  REQUIRE(found != nullptr);
  return ::bpf_program__fd(found);
}

void Readers::test_run(int program, const std::uint64_t (&words)[3], bool must_work) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = words, .ctx_size_in = sizeof(words));
  const int error = ::bpf_prog_test_run_opts(program, &options);
  if (must_work) {
    REQUIRE(error == 0);
    REQUIRE(options.retval == 0);
  }
}

const reader_result& Readers::run(std::string_view type, std::uint64_t arg, std::uint64_t size, bool address) {
  const std::uint32_t zero = 0;
  std::memset(&result_, 0x5a, sizeof(result_));
  REQUIRE(::bpf_map_update_elem(map_fd("results"), &zero, &result_, BPF_ANY) == 0);
  test_run(program_fd("read_" + std::string(type)), {arg, size, address ? 1u : 0u}, true);
  REQUIRE(::bpf_map_lookup_elem(map_fd("results"), &zero, &result_) == 0);
  return result_;
}

void Readers::require_fixed(const reader_result& result, std::size_t size) {
  REQUIRE(result.status == 0);
  REQUIRE(result.size == size);
  REQUIRE(result.full_size == size);
  REQUIRE(result.flags == 0);
}

Path Readers::as_path(const reader_result& result) {
  Path path;
  path.status = result.status;
  if (result.status == 0) {
    tg_path_arg arg{};
    REQUIRE(result.size > sizeof(arg));
    REQUIRE(result.size <= sizeof(result.bytes));
    std::memcpy(&arg, result.bytes, sizeof(arg));
    CHECK(arg.reserved == 0);
    path.flags = arg.flags;
    path.mode = arg.mode;
    path.text.assign(result.bytes + sizeof(arg), result.size - sizeof(arg));
  } else {
    CHECK(result.size == 0);
  }
  return path;
}

Path Readers::path(std::string_view type, std::uint64_t arg, bool address) {
  return as_path(run(type, arg, 0, address));
}

void Readers::set_packet(const reader_packet& packet) {
  const std::uint32_t zero = 0;
  REQUIRE(::bpf_map_update_elem(map_fd("packets"), &zero, &packet, BPF_ANY) == 0);
}

void Readers::start_events(std::string_view type, pid_t pid) {
  const std::uint32_t zero = 0;
  reader_noted noted{};
  noted.pid = static_cast<std::uint32_t>(pid);
  REQUIRE(::bpf_map_update_elem(map_fd("notes"), &zero, &noted, BPF_ANY) == 0);
  auto* program = ::bpf_object__find_program_by_name(object_, ("event_" + std::string(type)).c_str());
  REQUIRE(program != nullptr);
  link_ = ::bpf_program__attach(program);
  REQUIRE(link_ != nullptr);
}

void Readers::watch(pid_t pid) {
  const std::uint32_t zero = 0;
  reader_noted noted{};
  noted.pid = static_cast<std::uint32_t>(pid);
  REQUIRE(::bpf_map_update_elem(map_fd("notes"), &zero, &noted, BPF_ANY) == 0);
}

reader_noted Readers::stop_events() {
  const std::uint32_t zero = 0;
  reader_noted noted{};
  ::bpf_link__destroy(link_);
  link_ = nullptr;
  REQUIRE(::bpf_map_lookup_elem(map_fd("notes"), &zero, &noted) == 0);
  return noted;
}

double Readers::cost(std::string_view program, std::uint64_t arg) {
  constexpr int kRounds = 7, kRuns = 3000;
  const int fd = program_fd(program), stats = ::bpf_enable_stats(BPF_STATS_RUN_TIME);
  REQUIRE(stats >= 0);
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    std::array<bpf_prog_info, 2> info{};
    for (std::size_t i = 0; i < info.size(); ++i) {
      std::uint32_t size = sizeof(info[i]);
      REQUIRE(::bpf_obj_get_info_by_fd(fd, &info[i], &size) == 0);
      for (int run = 0; i == 0 && run < kRuns; ++run) {
        test_run(fd, {arg, 0, 0}, false);
      }
    }
    least =
        std::min(least, double(info[1].run_time_ns - info[0].run_time_ns) / double(info[1].run_cnt - info[0].run_cnt));
  }
  ::close(stats);
  return least;
}

std::string shown(int fd) {
  std::array<char, 8192> text{};
  const auto size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), text.data(), text.size());
  REQUIRE(size > 0);
  std::string result(text.data(), static_cast<std::size_t>(size));
  if (const std::string deleted = " (deleted)"; result.ends_with(deleted)) {
    result.resize(result.size() - deleted.size());
  }
  return result;
}
