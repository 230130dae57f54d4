/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The three programs that every other sensor stands on; one file each. All attach to typed tracepoints. */
#define TG_TYPED

#include "lib/base.bpf.h"

#include "exec.bpf.h"
#include "exit.bpf.h"
#include "fork.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
