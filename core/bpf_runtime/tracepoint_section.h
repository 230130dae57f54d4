// SPDX-License-Identifier: Apache-2.0
#pragma once

// SEC("tp_btf/..."): libbpf parses the whole of the kernel's BTF for any object with such a program, to look up one
// number. It asks for the type only when it loads: until then the programs have one for which it does not.

#include <string_view>

struct bpf_object;
struct bpf_program;

namespace tetragon::bpf_runtime {

class KernelExcerpt;

// Before objects are opened.
void register_tracepoint_section();
// What the section is for; empty: another section, or none named.
std::string_view tracepoint_of(const bpf_program* program);
// An opened object: tracepoints that the excerpt (NULL: there is none) does not know, of modules for example, are left
// to libbpf.
void find_tracepoints(bpf_object* object, const KernelExcerpt* excerpt);

// While an object loads, on its thread.
class TracepointNumbers {
 public:
  explicit TracepointNumbers(const KernelExcerpt* excerpt);
  TracepointNumbers(const TracepointNumbers&) = delete;
  TracepointNumbers& operator=(const TracepointNumbers&) = delete;
  ~TracepointNumbers();
};

}  // namespace tetragon::bpf_runtime
