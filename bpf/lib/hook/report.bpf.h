/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_REPORT_H
#define TETRAGON_BPF_LIB_HOOK_REPORT_H

/* The record of a hit: values are read where they are not yet, and moved together behind the record's head. */

#include "lib/hook/selector.bpf.h"
#include "lib/hook/send.bpf.h"

#define TG_ARG_AT_MOST (sizeof(struct tg_hook_arg) + TG_VALUE_BYTES)
/* Where the last argument can begin. */
#define TG_ARGS_END (sizeof(struct tg_hook_record) + (TG_HOOK_SLOTS - 1) * TG_ARG_AT_MOST)

_Static_assert(sizeof(struct tg_hook_arg) == __builtin_offsetof(struct tg_value, bytes),
	       "a value moves down, never up");

/* Puts a value behind the record. What is moved goes down in place, so front to back is right. The verifier looks at it
 * once, for all slots. */
__noinline int tg_put_value(struct tg_hook_scratch *scratch, __u32 slot)
{
	struct tg_hook_arg *arg;
	struct tg_value *value;
	__u32 size, full_size, flags;
	__s32 status;
	__u64 at;

	if (!scratch || slot >= TG_HOOK_SLOTS)
		return 0;
	value = &scratch->values[slot];
	size = value->size;
	full_size = value->full_size;
	flags = value->flags;
	status = value->status;
	at = *(volatile __u64 *)&scratch->record_size;
	tg_opaque(at);
	tg_opaque(size);
	if (at > TG_ARGS_END || size > TG_VALUE_BYTES)
		return 0;
	arg = (void *)scratch + at;
	if (size == sizeof(__u64)) {
		__u64 bytes = *(__u64 *)value->bytes;

		*(__u64 *)(arg + 1) = bytes;
	} else if (size && (void *)(arg + 1) != (void *)value->bytes) {
		bpf_probe_read_kernel(arg + 1, size, value->bytes);
	}
	scratch->chain.args_at[slot] = at;
	arg->slot = slot;
	arg->flags = flags;
	arg->reserved = 0;
	arg->status = status;
	arg->size = size;
	arg->full_size = full_size;
	scratch->record_size = at + sizeof(*arg) + ((size + 7) & ~7U);
	return 0;
}

#define TG_PIECE_SIZE  4096
#define TG_PIECE_COUNT ((TG_HOOK_DATA_MAX + TG_PIECE_SIZE - 1) / TG_PIECE_SIZE)

/* In the scratch: what changes from piece to piece is nothing that the verifier should follow. */
struct tg_pieces {
	__u64 id, from, left;
	__u64 now;
	__s64 result; /* TG_ARG_*, or an error */
};

struct tg_piece_loop {
	struct tg_hook_data *data; /* the pieces are built where the value is */
	struct tg_pieces *pieces;
};

static long tg_send_piece(__u32 index, struct tg_piece_loop *loop)
{
	struct tg_hook_data *data = loop->data;
	struct tg_pieces *pieces = loop->pieces;
	__u64 size = pieces->left;
	long error;

	if (!size)
		return 1;
	tg_opaque(size);
	if (size > TG_PIECE_SIZE)
		size = TG_PIECE_SIZE;
	error = tg_read_memory(data + 1, size, pieces->from);
	if (error) {
		pieces->result = error;
		return 1;
	}
	data->id = pieces->id;
	data->piece_size = size;
	data->reserved = 0;
	if (!tg_output(data, sizeof(*data) + size, TG_KIND_HOOK_DATA, pieces->now)) {
		pieces->result |= TG_ARG_TRUNCATED;
		return 1;
	}
	pieces->from += size;
	pieces->left -= size;
	return 0;
}

/* Makes a reference of a value that is too long for the record. */
static __noinline int tg_put_off(struct tg_hook_scratch *scratch, __u64 raw, __u32 slot)
{
	struct tg_piece_loop loop;
	struct tg_cpu_state *cpu = tg_cpu_state();
	struct tg_pieces *pieces;
	struct tg_value *value;
	__u64 id;

	if (!cpu || !scratch || slot >= TG_HOOK_SLOTS)
		return 0;
	value = &scratch->values[slot];
	if (!(value->flags & TG_ARG_TRUNCATED))
		return 0;
	pieces = (void *)scratch->work;
	loop.data = (void *)value->bytes;
	loop.pieces = pieces;
	id = tg_data_id(cpu);
	pieces->id = id;
	pieces->from = raw;
	pieces->now = tg_now();
	pieces->result = TG_ARG_PIECES;
	if (value->full_size > TG_HOOK_DATA_MAX) {
		pieces->left = TG_HOOK_DATA_MAX;
		pieces->result |= TG_ARG_TRUNCATED;
	} else {
		pieces->left = value->full_size;
	}
	bpf_loop(TG_PIECE_COUNT, tg_send_piece, &loop, 0);
	if (pieces->result < 0) {
		tg_value_fail(value, pieces->result);
		tg_count_loss(cpu, TG_LOSS_UNREADABLE);
		return 0;
	}
	*(__u64 *)value->bytes = id;
	value->size = sizeof(id);
	value->flags = pieces->result;
	return 0;
}

/* Is the slot in the record of this phase? `again`: slots that the entry put off. */
static __always_inline bool tg_slot_reported(const volatile struct tg_slot_config *config, __u32 slot, __u32 phase,
					     __u32 again)
{
	bool at_return = config->flags & TG_SLOT_AT_RETURN || slot == TG_HOOK_RETURN_SLOT;

	if (config->load.from == TG_FROM_NONE || config->flags & TG_SLOT_HIDDEN)
		return false;
	if (phase == TG_PHASE_RETURN)
		return at_return || tg_apart(again) & (1U << slot);
	return !at_return;
}

/* The record's process and thread, when they are not those that run. What returns says the same as its entry did: user
 * space finds it by that. */
static __always_inline void tg_report_owner(void *ctx, struct tg_hit *hit, struct tg_hook_record *record, __u32 phase,
					    const enum tg_context kind)
{
	struct tg_sock_owner *owner;

	if (phase == TG_PHASE_RETURN || phase == TG_PHASE_CANCEL) {
		record->tid = hit->scratch->call.tid;
		return;
	}
	if (tg_hit_owned(hit)) {
		owner = tg_hit_sock_owner(ctx, hit, kind);
		if (owner) {
			record->process = owner->process;
			record->tid = owner->tid;
		}
	}
	hit->scratch->call.tid = record->tid;
}

/* A slot that was read into the record. See tg_hit_fill for why this is a function. */
static __noinline int tg_report_slot(struct tg_hit *hit, __u32 slot, __u32 phase)
{
	const volatile struct tg_slot_config *config;
	struct tg_hook_scratch *scratch = hit->scratch;

	if (!scratch || slot >= TG_HOOK_SLOTS)
		return 0;
	config = &tg_hook.slots[slot];
	/* The page of a user string may be there when the function returns. */
	if (phase == TG_PHASE_ENTER && config->type == TG_TYPE_STRING && scratch->values[slot].status == -EFAULT)
		hit->again |= 1U << slot;
	if (config->flags & TG_SLOT_MAX_DATA && config->type == TG_TYPE_BYTES)
		tg_put_off(scratch, hit->raw[slot], slot);
	tg_put_value(scratch, slot);
	scratch->record.arg_count++;
	return 0;
}

/* Builds the record of the hit; the scratch is claimed. */
static __always_inline void tg_report_build(void *ctx, struct tg_hit *hit, __u32 which, __u64 call, __u32 phase,
					    __u32 again, const enum tg_context kind)
{
	struct tg_hook_scratch *scratch = hit->scratch;
	struct tg_process *process = tg_hit_process(hit);
	struct tg_hook_record *record;
	__u64 thread = bpf_get_current_pid_tgid();

	if (!scratch)
		return;
	record = &scratch->record;
	record->process.start_ns = 0;
	record->process.pid = thread >> 32;
	record->process.reserved = 0;
	if (process)
		record->process = process->key;
	hit->process = 0; /* nobody asks any more, and for the verifier what follows is the same with and without */
	record->tid = thread;
	if (tg_hook.flags & TG_HOOK_TRACKED_SOCKS)
		tg_report_owner(ctx, hit, record, phase, kind);
	record->hook = tg_hook.id;
	record->instance = hit->instance;
	record->phase = phase;
	record->selector = which;
	record->arg_count = 0;
	record->action = 0;
	record->call = call;
	scratch->record_size = sizeof(*record);
	if (tg_hook.flags & (TG_HOOK_ACTIONS | TG_HOOK_RETURN_ACTIONS))
		__builtin_memset(scratch->chain.args_at, 0, sizeof(scratch->chain.args_at));
	if (phase != TG_PHASE_CANCEL) {
		TG_ROLLED
		for (__u32 i = 0; i < TG_HOOK_SLOTS; i++) {
			tg_opaque(i);
			if (!tg_slot_reported(&tg_hook.slots[i], i, phase, again))
				continue;
			tg_hit_fill(ctx, hit, i, kind);
			tg_report_slot(hit, i, phase);
		}
	}
}

#endif
