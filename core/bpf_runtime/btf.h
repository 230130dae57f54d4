// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the kernel's type information is, and what the runtime asks of it.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

struct btf;

namespace tetragon::bpf_runtime {

struct BtfCandidate {
  std::string path;
  std::string origin;   // "--btf", "TETRAGON_BTF", "kernel", "bpf-lib"
  std::string problem;  // empty: usable
};

struct BtfChoice {
  std::string path;
  bool is_kernels_own = false;           // libbpf finds this one by itself
  std::vector<BtfCandidate> candidates;  // in order, up to the one taken; for the log
};

struct BtfOptions {
  std::string explicit_path;                  // --btf
  std::string bpf_lib = "/var/lib/tetragon";  // metadata/vmlinux-<release>, btf
  std::string kernel_release;                 // empty: uname
  std::string kernel_path = "/sys/kernel/btf/vmlinux";
};

// Order: --btf, environment TETRAGON_BTF, the kernel, <bpf-lib>/metadata/vmlinux-<release>, <bpf-lib>/btf. A path that
// somebody named is never skipped silently: when it is bad, that is the error.
Result<BtfChoice> find_btf(const BtfOptions& options);

class KernelBtf {
 public:
  static Result<KernelBtf> load(const std::string& path);
  KernelBtf(KernelBtf&& other) noexcept;
  KernelBtf& operator=(KernelBtf&& other) noexcept;
  KernelBtf(const KernelBtf&) = delete;
  KernelBtf& operator=(const KernelBtf&) = delete;
  ~KernelBtf();

  // Number of arguments of a raw tracepoint, without the one the kernel adds for the registered data.
  Result<std::uint32_t> tracepoint_args(std::string_view tracepoint) const;
  bool has_struct(std::string_view name) const;
  bool has_enumerator(std::string_view enum_name, std::string_view enumerator) const;
  // Follows member names through nested and anonymous structs and unions.
  bool has_member(std::string_view struct_name, std::initializer_list<std::string_view> path) const;
  // 0: not there.
  std::uint32_t function_id(std::string_view name) const;
  const ::btf* raw() const noexcept { return btf_; }

 private:
  explicit KernelBtf(::btf* btf) : btf_(btf) {}
  ::btf* btf_;
};

}  // namespace tetragon::bpf_runtime
