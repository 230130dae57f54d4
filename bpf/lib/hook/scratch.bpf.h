/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_SCRATCH_H
#define TETRAGON_BPF_LIB_HOOK_SCRATCH_H

/*
 * Work space of one hit, shared by the programs of all hooks: 30 KiB per CPU would be too much for each of them. A
 * program may find one in use: by the hook it interrupted, by a hook that a function it calls ran into, or by another
 * task that was preempted on this CPU. So there are a few, and whoever wants one claims it.
 */

#include "lib/base.bpf.h"
#include "lib/hook/value.bpf.h"

/* How many a program tries. Hooks that must not miss a hit define it as TG_SCRATCH_MOST is: where the kernel interrupts
 * programs for other tasks, the map has so many (core/bpf_runtime/runtime.cpp), else 3. */
#ifndef TG_SCRATCH_COUNT
#define TG_SCRATCH_COUNT 3
#endif
#define TG_SCRATCH_MOST 12

/* Shared through the host. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TG_SCRATCH_MOST);
	__type(key, __u32);
	__type(value, struct tg_hook_scratch);
} tg_hook_scratch SEC(".maps");

/* NULL: all in use, counted. */
static __always_inline struct tg_hook_scratch *tg_scratch_claim(void)
{
	struct tg_hook_scratch *scratch;

	for (__u32 i = 0; i < TG_SCRATCH_COUNT; i++) {
		__u32 key = i;

		scratch = bpf_map_lookup_elem(&tg_hook_scratch, &key);
		if (scratch && !__sync_val_compare_and_swap(&scratch->owner, 0, 1)) {
			*(volatile __u64 *)&scratch->number = i;
			return scratch;
		}
	}
	tg_count_loss(tg_cpu_state(), TG_LOSS_NO_SCRATCH);
	return 0;
}

/*
 * The claimed one again, for functions that the verifier looks at by themselves, once, and not at every call. Handed a
 * pointer they would not get far: before 6.2 it takes no such memory as the key of a look-up.
 */
static __always_inline struct tg_hook_scratch *tg_scratch_at(__u32 number)
{
	return bpf_map_lookup_elem(&tg_hook_scratch, &number);
}

static __always_inline void tg_scratch_release(struct tg_hook_scratch *scratch)
{
	*(volatile __u64 *)&scratch->owner = 0;
}

#endif
