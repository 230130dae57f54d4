// SPDX-License-Identifier: Apache-2.0
// What libbpf makes of an object with the excerpt is what it makes of it with all of the kernel's BTF.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/bpf_runtime/kernel_excerpt.h"
#include "core/bpf_runtime/libbpf_log.h"
#include "core/bpf_runtime/prepared_elf.h"
#include "dispatch.bpf.elf.h"
#include "fentry.bpf.elf.h"
#include "groups.bpf.elf.h"
#include "kprobe.bpf.elf.h"
#include "kprobe_multi.bpf.elf.h"
#include "loader.bpf.elf.h"
#include "lsm.bpf.elf.h"
#include "process.bpf.elf.h"
#include "syscall.bpf.elf.h"
#include "tests/unit/bpf_runtime/kernel_support.h"
#include "tracepoint.bpf.elf.h"
#include "uprobe.bpf.elf.h"

using namespace tetragon::bpf_runtime;

namespace {

struct Elf {
  const char* name;
  Bytes bytes;
};
const Elf kElfs[] = {
    {"dispatch", std::as_bytes(std::span(tetragon_bpf_dispatch))},
    {"syscall", std::as_bytes(std::span(tetragon_bpf_syscall))},
    {"fentry", std::as_bytes(std::span(tetragon_bpf_fentry))},
    {"kprobe", std::as_bytes(std::span(tetragon_bpf_kprobe))},
    {"kprobe_multi", std::as_bytes(std::span(tetragon_bpf_kprobe_multi))},
    {"tracepoint", std::as_bytes(std::span(tetragon_bpf_tracepoint))},
    {"uprobe", std::as_bytes(std::span(tetragon_bpf_uprobe))},
    {"lsm", std::as_bytes(std::span(tetragon_bpf_lsm))},
    {"loader", std::as_bytes(std::span(tetragon_bpf_loader))},
    {"process", std::as_bytes(std::span(tetragon_bpf_process))},
    {"groups", std::as_bytes(std::span(tetragon_bpf_groups))},
};

using Programs = std::map<std::string, std::vector<bpf_insn>>;

// Relocating comes before loading, and its result stays when the kernel refuses the programs.
Programs relocated(const char* name, Bytes elf, const std::string& btf) {
  LibbpfLog quiet;
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  opts.object_name = name;
  opts.btf_custom_path = btf.empty() ? nullptr : btf.c_str();
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), &opts);
  REQUIRE(object != nullptr);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (bpf_program__type(program) == BPF_PROG_TYPE_UNSPEC) bpf_program__set_type(program, BPF_PROG_TYPE_KPROBE);
  }
  (void)bpf_object__load(object);
  Programs programs;
  bpf_object__for_each_program(program, object) {
    const bpf_insn* instructions = bpf_program__insns(program);
    programs[bpf_program__name(program)] = {instructions, instructions + bpf_program__insn_cnt(program)};
  }
  bpf_object__close(object);
  return programs;
}

// A call that cannot be made: libbpf and the prepared file write it differently.
bool absent_call(const bpf_insn& one) {
  return one.code == (BPF_JMP | BPF_CALL) &&
         ((one.src_reg == BPF_PSEUDO_KFUNC_CALL && one.imm == 0) || (one.src_reg == 0 && one.imm >= 1 << 20));
}

bool same(const bpf_insn& one, const bpf_insn& other) {
  if (absent_call(one) && absent_call(other)) return true;
  if (one.code != other.code || one.dst_reg != other.dst_reg || one.src_reg != other.src_reg || one.off != other.off) {
    return false;
  }
  // Descriptors of maps.
  if (one.code == (BPF_LD | BPF_IMM | BPF_DW) && one.src_reg != 0 && one.src_reg != BPF_PSEUDO_FUNC) return true;
  return one.imm == other.imm;
}

}  // namespace

TEST_CASE("every plugin's object: the same instructions with the excerpt as with the whole BTF") {
  if (!kernel_allows()) {
    return;
  }
  btf* kernel = btf__load_vmlinux_btf();
  REQUIRE(kernel != nullptr);
  BtfDemand demand;
  for (const Elf& elf : kElfs) {
    auto prepared = PreparedElf::read(elf.bytes);
    CAPTURE(elf.name);
    REQUIRE(prepared);
    demand.add(prepared->demand());
  }
  const auto start = std::chrono::steady_clock::now();
  auto excerpt = KernelExcerpt::make(kernel, demand);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  btf__free(kernel);
  REQUIRE(excerpt.ok());
  MESSAGE("excerpt of " << demand.roots.size() << " types: " << (*excerpt)->size() << " bytes, " << took.count()
                        << " ms");
  CHECK((*excerpt)->size() < 1u << 20);
  for (const Elf& elf : kElfs) {
    CAPTURE(elf.name);
    auto prepared = PreparedElf::read(elf.bytes);
    REQUIRE(prepared);
    REQUIRE(prepared->resolve(**excerpt));
    const Programs cut = relocated(elf.name, prepared->bytes(), (*excerpt)->path());
    const Programs full = relocated(elf.name, elf.bytes, "");
    REQUIRE(cut.size() == full.size());
    for (const auto& [program, instructions] : full) {
      CAPTURE(program);
      const auto& others = cut.at(program);
      REQUIRE(instructions.size() == others.size());
      std::size_t different = 0;
      for (std::size_t n = 0; n < instructions.size(); ++n) {
        if (same(instructions[n], others[n])) {
          const bool pair = instructions[n].code == (BPF_LD | BPF_IMM | BPF_DW);
          if (pair && instructions[n].src_reg != 0) ++n;
          continue;
        }
        if (different++ == 0) {
          MESSAGE("instruction " << n << ": " << int{instructions[n].code} << " " << instructions[n].imm << " and "
                                 << int{others[n].code} << " " << others[n].imm);
        }
      }
      CHECK(different == 0);
    }
  }
}

TEST_CASE("a type that only a module may have is left to libbpf") {
  btf* kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) {
    MESSAGE("SKIPPED: no BTF");
    return;
  }
  BtfDemand demand;
  demand.roots = {"task_struct", "no_such_struct_anywhere"};
  demand.number = {{BTF_KIND_STRUCT, "dentry"}, {BTF_KIND_FUNC, "no_such_function_anywhere"}};
  auto excerpt = KernelExcerpt::make(kernel, demand);
  REQUIRE(excerpt.ok());
  // No module names it: there is nothing to search.
  CHECK((*excerpt)->complete_for(demand));
  CHECK((*excerpt)->number(BTF_KIND_STRUCT, "dentry").id ==
        static_cast<std::uint32_t>(btf__find_by_name_kind(kernel, "dentry", BTF_KIND_STRUCT)));
  CHECK((*excerpt)->number(BTF_KIND_FUNC, "no_such_function_anywhere").id == 0);
  CHECK((*excerpt)->number(BTF_KIND_FUNC, "no_such_function_anywhere").unambiguous);
  // Not asked for: unknown.
  CHECK_FALSE((*excerpt)->number(BTF_KIND_STRUCT, "file").unambiguous);
  btf__free(kernel);
}
