// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <span>

#include "core/bpf_runtime/features.h"
#include "core/bpf_runtime/runtime.h"

// True when bpf(2) can be used here; else the reason is printed and the test counts as skipped.
inline bool kernel_allows() {
  static const auto features = tetragon::bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  for (const char* name : {"large", "ring_buffer", "btf"}) {
    if (!features.supported(name)) {
      MESSAGE("SKIPPED: " << name << ": " << features.find(name)->reason);
      return false;
    }
  }
  return true;
}

template <class T>
tetragon::bpf_runtime::Bytes raw(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}
