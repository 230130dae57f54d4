// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/preemption.h"

#include <doctest/doctest.h>

using tetragon::bpf_runtime::preempts_kernel_code;

TEST_CASE("preemption: what the running kernel says counts most") {
  CHECK(preempts_kernel_code("none voluntary (full)\n", "preempt=none", "#1 SMP PREEMPT_DYNAMIC", ""));
  CHECK(preempts_kernel_code("none voluntary full (lazy)\n", "", "#1 SMP PREEMPT_DYNAMIC", ""));
  CHECK_FALSE(preempts_kernel_code("none (voluntary) full\n", "preempt=full", "#1 SMP PREEMPT_DYNAMIC", ""));
}

TEST_CASE("preemption: the command line, then the configuration") {
  const char* dynamic = "#1 SMP PREEMPT_DYNAMIC Debian 6.12";
  CHECK(preempts_kernel_code("", "quiet preempt=full ro\n", dynamic, ""));
  CHECK(preempts_kernel_code("", "preempt=none preempt=full", dynamic, ""));
  CHECK_FALSE(preempts_kernel_code("", "preempt=voluntary", dynamic, "CONFIG_PREEMPT=y\n"));
  CHECK(preempts_kernel_code("", "nopreempt=full", dynamic, "CONFIG_X=y\nCONFIG_PREEMPT=y\n"));
  CHECK_FALSE(preempts_kernel_code("", "", dynamic, "# CONFIG_PREEMPT is not set\nCONFIG_PREEMPT_VOLUNTARY=y\n"));
  CHECK_FALSE(preempts_kernel_code("", "", dynamic, ""));
}

TEST_CASE("preemption: kernels that cannot be switched") {
  CHECK(preempts_kernel_code("", "", "#1 SMP PREEMPT Sat", ""));
  CHECK(preempts_kernel_code("", "", "#1 SMP PREEMPT_RT Sat", ""));
  CHECK_FALSE(preempts_kernel_code("", "preempt=full", "#1 SMP Sat", "CONFIG_PREEMPT=y\n"));
}
