// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/failure.h"

#include <doctest/doctest.h>

#include <cerrno>

using tetragon::Code;
using namespace tetragon::bpf_runtime;

TEST_CASE("the verifier's last words end up in the text, its statistics do not") {
  LibbpfLog log;
  log.append("libbpf: prog 'p': BPF program load failed: Permission denied\n");
  log.append(
      "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n0: R1=ctx(off=0,imm=0)\n0: (79) r0 = *(u64 *)(r0 +0)\n"
      "R0 invalid mem access 'map_value_or_null'\nprocessed 9 insns (limit 1000000) max_states_per_insn 0\n"
      "-- END PROG LOAD LOG --\n");
  log.append("libbpf: prog 'p': failed to load: -13\nlibbpf: failed to load object 'o'\n");
  CHECK(log.verifier_tail(2) == "0: (79) r0 = *(u64 *)(r0 +0) | R0 invalid mem access 'map_value_or_null'");
  auto error = explain("load BPF program \"p\"", "raw_tp/x", log, EACCES);
  CHECK(error.code() == Code::system);
  CHECK(error.sys() == EACCES);
  CHECK(error.message().find("load BPF program \"p\": Permission denied; the verifier says: ") == 0);
  CHECK(error.message().find("processed") == std::string::npos);
  CHECK(error.message().find('\n') == std::string::npos);
}

TEST_CASE("the verifier's report of 7.x: the complaint and its reason, not the program once more") {
  LibbpfLog log;
  log.append(
      "libbpf: prog 'untested': -- BEGIN PROG LOAD LOG --\n"
      "7: (79) r0 = *(u64 *)(r0 +0)\nR0 invalid mem access 'map_value_or_null'\n\n"
      "Verification failed: Register Type Safety: Invalid dereference\n\n"
      "Reason:\n  R0 may be NULL here.\n\nAt:\n  untested @ refused.bpf.c:20:9\n\n"
      "Causal path:\n  >>> 6 | (85) call bpf_map_lookup_elem#1\n\nSuggestion:\n  Add a NULL check.\n\n"
      "processed 7 insns (limit 1000000)\n-- END PROG LOAD LOG --\n");
  CHECK(log.verifier_tail() ==
        "7: (79) r0 = *(u64 *)(r0 +0) | R0 invalid mem access 'map_value_or_null' | Verification failed: Register Type "
        "Safety: Invalid dereference | Reason: | R0 may be NULL here.");
}

TEST_CASE("libbpf's complaint when there is no verifier log") {
  LibbpfLog log;
  log.append("libbpf: failed to find valid kernel BTF\nlibbpf: failed to load object 'o'\n");
  CHECK(log.verifier_tail().empty());
  CHECK(log.last_complaint() == "failed to find valid kernel BTF");
}

TEST_CASE("hints by errno and section") {
  const LibbpfLog log;
  auto missing = explain("attach x", "tp_btf/sched_nothing", log, ESRCH);
  CHECK(missing.code() == Code::unsupported);
  CHECK(missing.message().find("this kernel has no tracepoint \"sched_nothing\"") != std::string::npos);
  auto function = explain("attach x", "fentry/do_nothing", log, ENOENT);
  CHECK(function.message().find("no function \"do_nothing\"") != std::string::npos);
  auto trampolines = explain("attach x", "fentry/do_fork", log, 524);
  CHECK(trampolines.code() == Code::unsupported);
  CHECK(trampolines.message().find("no BPF trampolines") != std::string::npos);
  auto denied = explain("load x", "", log, EPERM);
  CHECK(denied.code() == Code::permission);
  CHECK(denied.message().size() > std::string("load x: Operation not permitted; ").size());
  CHECK(explain("load x", "", log, ENOMEM).message().find("RLIMIT_MEMLOCK") != std::string::npos);
}
