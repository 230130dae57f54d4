// SPDX-License-Identifier: Apache-2.0
#include "core/hook/names.h"

#include <array>
#include <charconv>

namespace tetragon::hook {
namespace {

constexpr auto kSocketTypes = std::to_array<KernelName>({{1, "SOCK_STREAM"},
                                                         {2, "SOCK_DGRAM"},
                                                         {3, "SOCK_RAW"},
                                                         {4, "SOCK_RDM"},
                                                         {5, "SOCK_SEQPACKET"},
                                                         {6, "SOCK_DCCP"},
                                                         {10, "SOCK_PACKET"}});

constexpr auto kMapTypes = std::to_array<KernelName>({{0, "BPF_MAP_TYPE_UNSPEC"},
                                                      {1, "BPF_MAP_TYPE_HASH"},
                                                      {2, "BPF_MAP_TYPE_ARRAY"},
                                                      {3, "BPF_MAP_TYPE_PROG_ARRAY"},
                                                      {4, "BPF_MAP_TYPE_PERF_EVENT_ARRAY"},
                                                      {5, "BPF_MAP_TYPE_PERCPU_HASH"},
                                                      {6, "BPF_MAP_TYPE_PERCPU_ARRAY"},
                                                      {7, "BPF_MAP_TYPE_STACK_TRACE"},
                                                      {8, "BPF_MAP_TYPE_CGROUP_ARRAY"},
                                                      {9, "BPF_MAP_TYPE_LRU_HASH"},
                                                      {10, "BPF_MAP_TYPE_LRU_PERCPU_HASH"},
                                                      {11, "BPF_MAP_TYPE_LPM_TRIE"},
                                                      {12, "BPF_MAP_TYPE_ARRAY_OF_MAPS"},
                                                      {13, "BPF_MAP_TYPE_HASH_OF_MAPS"},
                                                      {14, "BPF_MAP_TYPE_DEVMAP"},
                                                      {15, "BPF_MAP_TYPE_SOCKMAP"},
                                                      {16, "BPF_MAP_TYPE_CPUMAP"},
                                                      {17, "BPF_MAP_TYPE_XSKMAP"},
                                                      {18, "BPF_MAP_TYPE_SOCKHASH"},
                                                      {19, "BPF_MAP_TYPE_CGROUP_STORAGE"},
                                                      {20, "BPF_MAP_TYPE_REUSEPORT_SOCKARRAY"},
                                                      {21, "BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE"},
                                                      {22, "BPF_MAP_TYPE_QUEUE"},
                                                      {23, "BPF_MAP_TYPE_STACK"},
                                                      {24, "BPF_MAP_TYPE_SK_STORAGE"},
                                                      {25, "BPF_MAP_TYPE_DEVMAP_HASH"},
                                                      {26, "BPF_MAP_TYPE_STRUCT_OPS"},
                                                      {27, "BPF_MAP_TYPE_RINGBUF"},
                                                      {28, "BPF_MAP_TYPE_INODE_STORAGE"},
                                                      {29, "BPF_MAP_TYPE_TASK_STORAGE"},
                                                      {30, "BPF_MAP_TYPE_BLOOM_FILTER"},
                                                      {31, "BPF_MAP_TYPE_USER_RINGBUF"},
                                                      {32, "BPF_MAP_TYPE_CGRP_STORAGE"},
                                                      {33, "BPF_MAP_TYPE_ARENA"}});

constexpr auto kPerfTypes = std::to_array<KernelName>({{0, "PERF_TYPE_HARDWARE"},
                                                       {1, "PERF_TYPE_SOFTWARE"},
                                                       {2, "PERF_TYPE_TRACEPOINT"},
                                                       {3, "PERF_TYPE_HW_CACHE"},
                                                       {4, "PERF_TYPE_RAW"},
                                                       {5, "PERF_TYPE_BREAKPOINT"}});

}  // namespace

std::span<const KernelName> socket_types() noexcept {
  return kSocketTypes;
}
std::span<const KernelName> bpf_map_types() noexcept {
  return kMapTypes;
}
std::span<const KernelName> perf_types() noexcept {
  return kPerfTypes;
}

void write_name(event::WireWriter& writer, uint32_t field, std::span<const KernelName> names, uint32_t number) {
  std::array<char, 12> digits;
  std::string_view text = find_name(names, number);
  if (text.empty()) {
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    text = {digits.data(), static_cast<size_t>(end - digits.data())};
  }
  writer.str(field, text);
}

}  // namespace tetragon::hook
