/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_OWNER_H
#define TETRAGON_BPF_LIB_HOOK_OWNER_H

/*
 * Hits on a socket that TrackSock noted belong to the process that had it then, whichever runs now: packets are handled
 * in interrupts. The first socket or packet among the hook's arguments whose socket is tracked decides.
 */

#include "lib/hook/follow.bpf.h"
#include "lib/hook/load.bpf.h"
#include "lib/hook/object.bpf.h"

static __always_inline bool tg_has_sock(__u8 type)
{
	return type == TG_TYPE_SOCK || type == TG_TYPE_SOCKET || type == TG_TYPE_SKB;
}

/* Address of the socket of an object; 0: it has none. */
static __always_inline __u64 tg_sock_of(__u64 raw, __u8 type, const bool typed)
{
	__u64 at = type == TG_TYPE_SKB ? bpf_core_field_offset(struct sk_buff, sk)
				       : bpf_core_field_offset(struct socket, sk);

	if (type == TG_TYPE_SOCK || !tg_is_sock_address(raw))
		return raw;
	return tg_word(typed, raw + at);
}

/* Asked at most three times in a hit, and again: what it answers is kept nowhere, the stack is short. */
static __noinline struct tg_sock_owner *tg_hit_sock_owner(void *ctx, struct tg_hit *hit, const enum tg_context kind)
{
	struct tg_tracked_key key = {.policy = tg_hook.policy};
	struct tg_sock_owner *owner;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_ARGS; i++) {
		const volatile struct tg_slot_config *config;

		tg_opaque(i);
		config = &tg_hook.slots[i];
		if (!tg_has_sock(config->type) || config->load.from == TG_FROM_NONE ||
		    config->flags & TG_SLOT_AT_RETURN)
			continue;
		tg_hit_load(ctx, hit, i, kind);
		if (tg_hit_failed(hit, i))
			continue;
		if (TG_HAS_RDONLY_CAST)
			key.sock = tg_sock_of(tg_apart(hit->raw[i]), config->type, true);
		else
			key.sock = tg_sock_of(tg_apart(hit->raw[i]), config->type, false);
		if (!tg_is_sock_address(key.sock))
			continue;
		owner = bpf_map_lookup_elem(&tg_tracked_socks, &key);
		if (owner)
			return owner;
	}
	return 0;
}

/* Before anything is asked of the process. */
static __always_inline void tg_hit_find_owner(void *ctx, struct tg_hit *hit, const enum tg_context kind)
{
	struct tg_sock_owner *owner = tg_hit_sock_owner(ctx, hit, kind);
	struct tg_process *process;

	if (!owner)
		return;
	process = tg_process_find(owner->process.pid);
	/* It has called exec since, or has ended and another one has its number: a member of nothing. */
	if (process && process->key.start_ns != owner->process.start_ns)
		process = 0;
	hit->process = process;
	tg_hit_note(hit, TG_NOTE_SOUGHT | TG_NOTE_OWNED);
}

static __always_inline bool tg_hit_owned(const struct tg_hit *hit)
{
	return tg_hook.flags & TG_HOOK_TRACKED_SOCKS && tg_hit_noted(hit, TG_NOTE_OWNED);
}

#endif
