// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "core/bpf_runtime/failure.h"
#include "core/bpf_runtime/libbpf_log.h"
#include "core/bpf_runtime/object.h"
#include "core/bpf_runtime/runtime.h"
#include "core/util/fd.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

Result<void> Object::iterate(std::string_view program) {
  if (!loaded_) {
    return state_error("run an iterator", "it is not loaded yet");
  }
  auto found = find_program(program);
  TETRAGON_TRY(found);
  if (!bpf_program__autoload(*found)) {
    return state_error("run an iterator", ("program " + quoted(program) + " was not loaded (autoload off)").c_str());
  }
  const std::string section = bpf_program__section_name(*found);
  const std::string what =
      "run BPF iterator " + quoted(program) + " (section " + quoted(section) + ", object " + quoted(name_) + ")";
  LibbpfLog log(runtime_.options_.verbose >= 2);
  const std::unique_ptr<bpf_link, int (*)(bpf_link*)> link(bpf_program__attach_iter(*found, nullptr),
                                                           bpf_link__destroy);
  int sys = errno;
  UniqueFd iterator;
  if (link) {
    iterator = UniqueFd(bpf_iter_create(bpf_link__fd(link.get())));
    sys = errno;
  }
  runtime_.tell(log);
  if (!iterator) {
    return explain(what, section, log, sys);
  }
  std::array<char, 4096> ignored{};  // what the program prints
  for (;;) {
    const ssize_t size = ::read(iterator.get(), ignored.data(), ignored.size());
    if (size == 0) {
      return {};
    }
    // EAGAIN: a million objects without a word; the kernel stops there and goes on at the next read.
    if (size < 0 && errno != EINTR && errno != EAGAIN) {
      return errno_error(what, errno);
    }
  }
}

}  // namespace tetragon::bpf_runtime
