// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/feature_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "core/bpf_runtime/libbpf_log.h"
#include "core/util/fd.h"

namespace tetragon::bpf_runtime::try_on_kernel {

namespace {

constexpr bpf_insn move_immediate(unsigned char to, int value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value};
}
constexpr bpf_insn kExit = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};

std::string reason(int sys) {
  constexpr int kEnotsupp = 524;
  return sys == kEnotsupp ? "not supported by this kernel" : std::strerror(sys);
}

std::string load(bpf_prog_type type, std::span<const bpf_insn> code, bpf_prog_load_opts& opts,
                 UniqueFd* ret_fd = nullptr) {
  const LibbpfLog quiet;
  opts.sz = sizeof(opts);
  UniqueFd fd(bpf_prog_load(type, "tg_probe", "GPL", code.data(), code.size(), &opts));
  if (!fd) {
    return reason(errno);
  }
  if (ret_fd != nullptr) {
    *ret_fd = std::move(fd);
  }
  return {};
}

std::string load(bpf_prog_type type, std::span<const bpf_insn> code) {
  bpf_prog_load_opts opts{};
  return load(type, code, opts);
}

}  // namespace

// Not libbpf's probe: it reads the verifier's words, which newer kernels changed, and takes EPERM for a yes.
std::string helper(unsigned helper_id) {
  const bpf_insn call = {BPF_JMP | BPF_CALL, 0, 0, 0, static_cast<int>(helper_id)};
  // Arguments that fit all of the few helpers asked for: (context or number, pointer or number, size).
  std::vector<bpf_insn> code;
  switch (helper_id) {
    case BPF_FUNC_override_return: code = {move_immediate(BPF_REG_2, 0)}; break;
    case BPF_FUNC_send_signal: code = {move_immediate(BPF_REG_1, 0)}; break;
    case BPF_FUNC_probe_write_user:
      code = {bpf_insn{BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 0},
              bpf_insn{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0},
              bpf_insn{BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8}, move_immediate(BPF_REG_1, 0),
              move_immediate(BPF_REG_3, 8)};
      break;
    default: return "no program is known to try it with";
  }
  code.insert(code.end(), {call, move_immediate(BPF_REG_0, 0), kExit});
  std::string problem = load(BPF_PROG_TYPE_KPROBE, code);
  if (problem == std::strerror(EINVAL)) {
    problem = "the kernel does not offer the BPF helper";
  }
  return problem;
}

std::string many_instructions() {
  // 4096 was the limit before Linux 5.2.
  std::vector<bpf_insn> code(5000, move_immediate(BPF_REG_0, 0));
  code.push_back(kExit);
  return load(BPF_PROG_TYPE_SOCKET_FILTER, code);
}

std::string write_registers() {
  const std::array<bpf_insn, 4> code = {move_immediate(BPF_REG_0, 0),
                                        bpf_insn{BPF_STX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_0, 0, 0},
                                        move_immediate(BPF_REG_0, 0), kExit};
  const std::string problem = load(BPF_PROG_TYPE_KPROBE, code);
  return problem == std::strerror(EACCES) ? "programs may not change registers on this kernel" : problem;
}

std::string calls_and_tail_calls() {
  // Newer kernels want to know by BTF that a function with a tail call answers int.
  struct Types {
    ::btf* types = btf__new_empty();
    ~Types() { btf__free(types); }
  } holder;
  const LibbpfLog quiet;
  const int number = btf__add_int(holder.types, "int", 4, BTF_INT_SIGNED);
  const int proto = btf__add_func_proto(holder.types, number);
  const int outer = btf__add_func(holder.types, "outer", BTF_FUNC_STATIC, proto);
  const int inner = btf__add_func(holder.types, "inner", BTF_FUNC_STATIC, proto);
  std::uint32_t size = 0;
  const void* data = btf__raw_data(holder.types, &size);
  if (number < 0 || proto < 0 || outer < 0 || inner < 0 || data == nullptr) {
    return "out of memory";
  }
  UniqueFd types(bpf_btf_load(data, size, nullptr));
  UniqueFd programs(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tg_probe", 4, 4, 1, nullptr));
  if (!types || !programs) {
    return reason(errno);
  }
  const std::array<bpf_insn, 8> code = {
      bpf_insn{BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1},
      kExit,
      bpf_insn{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, programs.get()},
      bpf_insn{},
      move_immediate(BPF_REG_3, 0),
      bpf_insn{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call},
      move_immediate(BPF_REG_0, 0),
      kExit,
  };
  const std::array<bpf_func_info, 2> functions = {bpf_func_info{0, static_cast<std::uint32_t>(outer)},
                                                  bpf_func_info{2, static_cast<std::uint32_t>(inner)}};
  bpf_prog_load_opts opts{};
  opts.prog_btf_fd = static_cast<std::uint32_t>(types.get());
  opts.func_info = functions.data();
  opts.func_info_cnt = functions.size();
  opts.func_info_rec_size = sizeof(bpf_func_info);
  return load(BPF_PROG_TYPE_KPROBE, code, opts);
}

std::string batch_update() {
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_HASH, "tg_probe", 4, 4, 2, nullptr));
  if (!map) {
    return reason(errno);
  }
  std::array<std::uint32_t, 2> keys = {1, 2};
  std::array<std::uint32_t, 2> values = {3, 4};
  std::uint32_t count = 2;
  return bpf_map_update_batch(map.get(), keys.data(), values.data(), &count, nullptr) == 0 ? std::string()
                                                                                           : reason(errno);
}

std::string ring_buffer() {
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tg_probe", 0, 0, 4096, nullptr));
  return map ? std::string() : reason(errno);
}

std::string tracing(unsigned attach_type, std::uint32_t function_id, bool attach) {
  if (function_id == 0) {
    return "the function to try it on is not in the kernel's BTF";
  }
  const std::array<bpf_insn, 2> code = {move_immediate(BPF_REG_0, 0), kExit};
  bpf_prog_load_opts opts{};
  opts.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  opts.attach_btf_id = function_id;
  UniqueFd program;
  std::string problem = load(BPF_PROG_TYPE_TRACING, code, opts, &program);
  if (attach_type == BPF_MODIFY_RETURN && problem == std::strerror(EINVAL)) {
    return "the kernel lets nobody change what this function answers (CONFIG_FUNCTION_ERROR_INJECTION)";
  }
  if (!problem.empty() || !attach) {
    return problem;
  }
  const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  return link ? std::string() : "attach: " + reason(errno);
}

std::string lsm(std::uint32_t hook_id) {
  if (hook_id == 0) {
    return "the kernel's BTF has no BPF LSM hooks (CONFIG_BPF_LSM)";
  }
  const std::array<bpf_insn, 2> code = {move_immediate(BPF_REG_0, 0), kExit};
  bpf_prog_load_opts opts{};
  opts.expected_attach_type = BPF_LSM_MAC;
  opts.attach_btf_id = hook_id;
  return load(BPF_PROG_TYPE_LSM, code, opts);
}

}  // namespace tetragon::bpf_runtime::try_on_kernel
