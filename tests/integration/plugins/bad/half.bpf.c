// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

const volatile __u16 tg_plugin_id = 0;
__u32 last_seen;

SEC("raw_tp/sched_process_exit")
int on_exit(void *ctx)
{
	last_seen = tg_plugin_id;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
