// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Shared maps as another version of the SDK would declare them. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tg_cpu SEC(".maps"), tg_hook_scratch SEC(".maps");

SEC("raw_tp/sys_enter")
int good(void *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&tg_cpu, &key) && bpf_map_lookup_elem(&tg_hook_scratch, &key);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
