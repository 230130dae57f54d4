// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/tracepoint_section.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <mutex>
#include <string>

#include "core/bpf_runtime/kernel_excerpt.h"
#include "core/bpf_runtime/libbpf_log.h"

namespace tetragon::bpf_runtime {
namespace {

constexpr std::string_view kSection = "tp_btf/";
thread_local const KernelExcerpt* numbers = nullptr;

std::uint32_t number_in(const KernelExcerpt* excerpt, std::string_view tracepoint) {
  if (excerpt == nullptr) return 0;
  const auto number = excerpt->number(BTF_KIND_TYPEDEF, "btf_trace_" + std::string(tracepoint));
  return number.unambiguous ? number.id : 0;
}

int prepare(bpf_program* program, bpf_prog_load_opts* opts, long /*cookie*/) {
  const std::string_view tracepoint = tracepoint_of(program);
  std::uint32_t number = number_in(numbers, tracepoint);
  if (number == 0) {
    // Nobody found it when the object was opened; libbpf's words for that.
    const int found = libbpf_find_vmlinux_btf_id(std::string(tracepoint).c_str(), BPF_TRACE_RAW_TP);
    if (found <= 0) return -ESRCH;
    number = static_cast<std::uint32_t>(found);
  }
  if (const int rc = bpf_program__set_type(program, BPF_PROG_TYPE_TRACING); rc != 0) return rc;
  opts->expected_attach_type = BPF_TRACE_RAW_TP;
  opts->attach_btf_id = number;
  return 0;
}

}  // namespace

void register_tracepoint_section() {
  static std::once_flag once;
  std::call_once(once, [] {
    libbpf_prog_handler_opts opts{};
    opts.sz = sizeof(opts);
    opts.prog_prepare_load_fn = prepare;
    (void)libbpf_register_prog_handler("tp_btf+", BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_TRACE_RAW_TP, &opts);
  });
}

std::string_view tracepoint_of(const bpf_program* program) {
  const std::string_view section = bpf_program__section_name(program);
  return section.starts_with(kSection) ? section.substr(kSection.size()) : std::string_view();
}

void find_tracepoints(bpf_object* object, const KernelExcerpt* excerpt) {
  const LibbpfLog quiet;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view tracepoint = tracepoint_of(program);
    if (tracepoint.empty() || number_in(excerpt, tracepoint) != 0) continue;
    // A tracepoint that does not exist is an error only of a program that is loaded.
    if (bpf_program__set_attach_target(program, 0, std::string(tracepoint).c_str()) == 0) {
      bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
    }
  }
}

TracepointNumbers::TracepointNumbers(const KernelExcerpt* excerpt) {
  numbers = excerpt;
}
TracepointNumbers::~TracepointNumbers() {
  numbers = nullptr;
}

}  // namespace tetragon::bpf_runtime
