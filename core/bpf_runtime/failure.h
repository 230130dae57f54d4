// SPDX-License-Identifier: Apache-2.0
#pragma once

// Turns a failed BPF operation into an Error that says what, where, why and what to do.

#include <string>

#include "core/bpf_runtime/libbpf_log.h"
#include "core/util/result.h"

namespace tetragon::bpf_runtime {

struct Failure {
  std::string what;       // "load BPF object \"process\"", "attach BPF program \"x\" (object \"y\", section \"z\")"
  std::string section;    // of the program, when one failed
  std::string verifier;   // last lines
  std::string complaint;  // libbpf's own words
};

Error explain(const Failure& failure, int sys);
Error explain(std::string what, std::string section, const LibbpfLog& log, int sys);

// The sentence for EPERM: lockdown, missing capabilities or an unprivileged-BPF switch.
std::string permission_hint();

}  // namespace tetragon::bpf_runtime
