/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_CALLS_H
#define TETRAGON_BPF_LIB_HOOK_CALLS_H

#include "lib/hook/value.bpf.h"

/* Calls that matched and have not returned. The oldest go first: a thread that ends inside of a call never returns. */
struct tg_call_key {
	__u64 thread; /* as bpf_get_current_pid_tgid gives it */
	__u64 frame;  /* of the call on the stack, or 0 */
};

/* The hook's; its actions have it bound when entry and return are one event (TG_STEP_CALLS). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct tg_call_key);
	__type(value, struct tg_call);
} tg_calls SEC(".maps");

#endif
