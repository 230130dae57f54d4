// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts calls of a function, itself and through a program array. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} behind SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(&counts, &which);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

SEC("uprobe")
int in_front(void *ctx)
{
	count(0);
	bpf_tail_call(ctx, &behind, 0);
	return 0;
}

SEC("uprobe")
int jumped_to(void *ctx)
{
	count(1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
