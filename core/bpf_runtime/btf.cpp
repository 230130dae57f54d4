// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/btf.h"

#include <bpf/btf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/bpf_runtime/libbpf_log.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

std::string running_release() {
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.release) : std::string();
}

// Opens and reads it: a readable file that is no BTF must not win over a good one behind it.
std::string problem_of(const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) {
    return std::strerror(errno);
  }
  const LibbpfLog quiet;
  ::btf* parsed = btf__parse(path.c_str(), nullptr);
  if (parsed == nullptr) {
    return std::string("is not BTF and holds none: ") + std::strerror(errno);
  }
  btf__free(parsed);
  return {};
}

const btf_type* skip_modifiers(const ::btf* types, __u32 id) {
  const btf_type* type = btf__type_by_id(types, id);
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
    type = btf__type_by_id(types, type->type);
  }
  return type;
}

const btf_type* find_member(const ::btf* types, const btf_type* composite, std::string_view name, int depth) {
  if (composite == nullptr || !btf_is_composite(composite) || depth > 8) {
    return nullptr;
  }
  const btf_member* members = btf_members(composite);
  for (int n = 0; n < btf_vlen(composite); ++n) {
    const std::string_view member = btf__name_by_offset(types, members[n].name_off);
    const btf_type* type = skip_modifiers(types, members[n].type);
    if (member == name) {
      return type;
    }
    if (member.empty()) {
      if (const btf_type* found = find_member(types, type, name, depth + 1)) {
        return found;
      }
    }
  }
  return nullptr;
}

}  // namespace

Result<BtfChoice> find_btf(const BtfOptions& options) {
  BtfChoice choice;
  const char* environment = std::getenv("TETRAGON_BTF");
  const std::string release = options.kernel_release.empty() ? running_release() : options.kernel_release;
  const auto named = !options.explicit_path.empty()                   ? BtfCandidate{options.explicit_path, "--btf", {}}
                     : environment != nullptr && *environment != '\0' ? BtfCandidate{environment, "TETRAGON_BTF", {}}
                                                                      : BtfCandidate{};
  if (!named.path.empty()) {
    choice.candidates.push_back(named);
    auto& candidate = choice.candidates.back();
    candidate.problem = problem_of(candidate.path);
    if (!candidate.problem.empty()) {
      return Error(Code::invalid, candidate.origin + ": BTF file " + quoted(candidate.path) + ": " + candidate.problem +
                                      "; name another file, or none to let the search find one");
    }
    choice.path = candidate.path;
    return choice;
  }

  choice.candidates = {{options.kernel_path, "kernel", {}},
                       {options.bpf_lib + "/metadata/vmlinux-" + release, "bpf-lib", {}},
                       {options.bpf_lib + "/btf", "bpf-lib", {}}};
  for (std::size_t n = 0; n < choice.candidates.size(); ++n) {
    auto& candidate = choice.candidates[n];
    candidate.problem = problem_of(candidate.path);
    if (candidate.problem.empty()) {
      choice.path = candidate.path;
      choice.is_kernels_own = n == 0 && candidate.path == "/sys/kernel/btf/vmlinux";
      choice.candidates.resize(n + 1);
      return choice;
    }
  }
  std::string text = "no BTF (type information) of kernel " + release + " found; tried";
  for (const auto& candidate : choice.candidates) {
    text += " " + quoted(candidate.path) + " (" + candidate.problem + ")";
  }
  text += "; the kernel needs CONFIG_DEBUG_INFO_BTF, or give a file with --btf";
  return Error(Code::unsupported, std::move(text));
}

Result<KernelBtf> KernelBtf::load(const std::string& path) {
  const LibbpfLog quiet;
  ::btf* parsed = btf__parse(path.c_str(), nullptr);
  if (parsed == nullptr) {
    return errno_error("read BTF " + quoted(path), errno);
  }
  return KernelBtf(parsed);
}

KernelBtf::KernelBtf(KernelBtf&& other) noexcept : btf_(std::exchange(other.btf_, nullptr)) {}
KernelBtf& KernelBtf::operator=(KernelBtf&& other) noexcept {
  std::swap(btf_, other.btf_);
  return *this;
}
KernelBtf::~KernelBtf() {
  btf__free(btf_);
}

Result<std::uint32_t> KernelBtf::tracepoint_args(std::string_view tracepoint) const {
  const std::string name = "btf_trace_" + std::string(tracepoint);
  const int id = btf__find_by_name_kind(btf_, name.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) {
    return Error(Code::not_found, "this kernel has no tracepoint " + quoted(tracepoint));
  }
  const btf_type* pointer = skip_modifiers(btf_, static_cast<__u32>(id));
  const btf_type* proto = pointer != nullptr && btf_is_ptr(pointer) ? skip_modifiers(btf_, pointer->type) : nullptr;
  if (proto == nullptr || !btf_is_func_proto(proto) || btf_vlen(proto) == 0) {
    return Error(Code::unsupported,
                 "the kernel's BTF describes tracepoint " + quoted(tracepoint) + " in an unknown way");
  }
  return static_cast<std::uint32_t>(btf_vlen(proto) - 1);
}

bool KernelBtf::has_struct(std::string_view name) const {
  return btf__find_by_name_kind(btf_, std::string(name).c_str(), BTF_KIND_STRUCT) > 0;
}

bool KernelBtf::has_enumerator(std::string_view enum_name, std::string_view enumerator) const {
  const int id = btf__find_by_name_kind(btf_, std::string(enum_name).c_str(), BTF_KIND_ENUM);
  if (id <= 0) {
    return false;
  }
  const btf_type* type = btf__type_by_id(btf_, static_cast<__u32>(id));
  for (int n = 0; n < btf_vlen(type); ++n) {
    if (btf__name_by_offset(btf_, btf_enum(type)[n].name_off) == enumerator) {
      return true;
    }
  }
  return false;
}

bool KernelBtf::has_member(std::string_view struct_name, std::initializer_list<std::string_view> path) const {
  int id = btf__find_by_name_kind(btf_, std::string(struct_name).c_str(), BTF_KIND_STRUCT);
  if (id <= 0) {
    return false;
  }
  const btf_type* type = btf__type_by_id(btf_, static_cast<__u32>(id));
  for (std::string_view name : path) {
    type = find_member(btf_, type, name, 0);
    if (type == nullptr) {
      return false;
    }
  }
  return true;
}

std::uint32_t KernelBtf::function_id(std::string_view name) const {
  const int id = btf__find_by_name_kind(btf_, std::string(name).c_str(), BTF_KIND_FUNC);
  return id > 0 ? static_cast<std::uint32_t>(id) : 0;
}

}  // namespace tetragon::bpf_runtime
