// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The verifier must refuse it: a lookup result is used untested. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} things SEC(".maps");

SEC("raw_tp/sys_enter")
int untested(void *ctx)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&things, &key);

	return *value;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
