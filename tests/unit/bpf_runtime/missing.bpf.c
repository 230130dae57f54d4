// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Hooks that no kernel has. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

SEC("tp_btf/no_such_tracepoint")
int typed(void *ctx)
{
	return 0;
}

SEC("raw_tp/no_such_tracepoint")
int raw(void *ctx)
{
	return 0;
}

SEC("fentry/no_such_function")
int function(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_enter")
int good(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
