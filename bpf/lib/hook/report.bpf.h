/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_REPORT_H
#define TETRAGON_BPF_LIB_HOOK_REPORT_H

/* The record of a hit: values are read where they are not yet, and moved together behind the record's head. */

#include "lib/hook/selector.bpf.h"
#include "lib/ring.bpf.h"

#define TG_ARG_AT_MOST (sizeof(struct tg_hook_arg) + TG_VALUE_BYTES)
/* Where the last argument can begin. */
#define TG_ARGS_END (sizeof(struct tg_hook_record) + (TG_HOOK_SLOTS - 1) * TG_ARG_AT_MOST)

_Static_assert(sizeof(struct tg_hook_arg) == __builtin_offsetof(struct tg_value, bytes),
	       "a value moves down, never up");

/* Puts a value behind the record; *pos is where. What is moved goes down in place, so front to back is right. */
static __always_inline void tg_put_value(struct tg_hook_scratch *scratch, __u32 slot, __u32 *pos)
{
	struct tg_value *value = &scratch->values[slot];
	__u32 size = value->size, full_size = value->full_size, flags = value->flags;
	__s32 status = value->status;
	struct tg_hook_arg *arg;
	__u64 at = *pos;

	tg_opaque(at);
	tg_opaque(size);
	if (at > TG_ARGS_END || size > TG_VALUE_BYTES)
		return;
	arg = (void *)scratch + at;
	if (size == sizeof(__u64)) {
		__u64 bytes = *(__u64 *)value->bytes;

		*(__u64 *)(arg + 1) = bytes;
	} else if (size && (void *)(arg + 1) != (void *)value->bytes) {
		bpf_probe_read_kernel(arg + 1, size, value->bytes);
	}
	arg->slot = slot;
	arg->flags = flags;
	arg->reserved = 0;
	arg->status = status;
	arg->size = size;
	arg->full_size = full_size;
	*pos = at + sizeof(*arg) + ((size + 7) & ~7U);
}

/* Is the slot in the record of this phase? `again`: slots that the entry put off. */
static __always_inline bool tg_slot_reported(const volatile struct tg_slot_config *config, __u32 slot, __u32 phase,
					     __u32 again)
{
	bool at_return = config->flags & TG_SLOT_AT_RETURN || slot == TG_HOOK_RETURN_SLOT;

	if (config->load.from == TG_FROM_NONE || config->flags & TG_SLOT_HIDDEN)
		return false;
	if (phase == TG_PHASE_RETURN)
		return at_return || again & (1U << slot);
	return !at_return;
}

/* Sends the hit. The scratch is claimed. */
static __always_inline void tg_report(void *ctx, struct tg_hit *hit, __u32 which, __u64 call, __u32 phase, __u32 again,
				      const enum tg_context kind)
{
	struct tg_hook_scratch *scratch = hit->scratch;
	struct tg_process *process = tg_hit_process(hit);
	struct tg_hook_record *record;
	__u32 pos = sizeof(*record), count = 0;

	if (!scratch)
		return;
	record = &scratch->record;
	record->process.start_ns = 0;
	record->process.pid = hit->tgid;
	record->process.reserved = 0;
	if (process)
		record->process = process->key;
	record->tid = hit->tid;
	record->hook = tg_hook.id;
	record->instance = hit->instance;
	record->phase = phase;
	record->selector = which;
	record->reserved = 0;
	record->call = call;
	if (phase != TG_PHASE_CANCEL) {
		TG_ROLLED
		for (__u32 i = 0; i < TG_HOOK_SLOTS; i++) {
			tg_opaque(i);
			if (!tg_slot_reported(&tg_hook.slots[i], i, phase, again))
				continue;
			tg_hit_fill(ctx, hit, i, kind);
			/* The page of a user string may be there when the function returns. */
			if (phase == TG_PHASE_ENTER && tg_hook.slots[i].type == TG_TYPE_STRING &&
			    scratch->values[i].status == -EFAULT)
				hit->again |= 1U << i;
			tg_put_value(scratch, i, &pos);
			count++;
		}
	}
	record->arg_count = count;
	tg_opaque(pos);
	if (pos > TG_RECORD_MAX || pos > sizeof(*scratch))
		return;
	tg_output(record, pos, TG_KIND_HOOK, tg_now());
}

#endif
