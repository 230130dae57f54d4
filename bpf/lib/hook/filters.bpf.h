/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_FILTERS_H
#define TETRAGON_BPF_LIB_HOOK_FILTERS_H

/* One filter of a selector. */

#include "lib/hook/numbers.bpf.h"
#include "lib/hook/read.bpf.h"
#include "lib/hook/text.bpf.h"

/* ---- network ------------------------------------------------------------------------------------------------------- */

/* What filters look at, whatever the type. */
struct tg_endpoints {
	const __u8 *saddr, *daddr; /* in the scratch */
	__u16 family, protocol;
	__u16 sport, dport;
	__u8 state;
};

static __always_inline void tg_endpoints(struct tg_endpoints *ends, const struct tg_value *value, __u8 type)
{
	if (type == TG_TYPE_SKB) {
		const struct tg_skb_arg *skb = (const void *)value->bytes;

		ends->saddr = skb->saddr;
		ends->daddr = skb->daddr;
		ends->family = skb->family;
		ends->protocol = skb->protocol;
		ends->sport = skb->sport;
		ends->dport = skb->dport;
		ends->state = 0;
	} else if (type == TG_TYPE_SOCKADDR) {
		/* One end: it answers for both. */
		const struct tg_sockaddr_arg *address = (const void *)value->bytes;

		ends->saddr = ends->daddr = address->addr;
		ends->family = address->family;
		ends->protocol = 0;
		ends->sport = ends->dport = address->port;
		ends->state = 0;
	} else {
		const struct tg_sock_arg *sock = (const void *)value->bytes;

		ends->saddr = sock->saddr;
		ends->daddr = sock->daddr;
		ends->family = sock->family;
		ends->protocol = sock->protocol;
		ends->sport = sock->sport;
		ends->dport = sock->dport;
		ends->state = sock->state;
	}
}

#define TG_AF_INET  2
#define TG_AF_INET6 10

/* values[0]: the kinds of networks that the set has. */
static __always_inline bool tg_address_matches(const volatile struct tg_filter *filter, const __u8 *address,
					       __u16 family)
{
	if (family == TG_AF_INET && tg_hook.uses & TG_USES_ADDRESSES4 && filter->values[0] & TG_ADDRESSES_V4) {
		struct tg_address4_key key = {.prefix_bits = 64};

		*(__u32 *)key.set = tg_big_endian(filter->set);
		__builtin_memcpy(key.address, address, sizeof(key.address));
		return bpf_map_lookup_elem(&tg_addresses4, &key);
	}
	if (family == TG_AF_INET6 && tg_hook.uses & TG_USES_ADDRESSES6 && filter->values[0] & TG_ADDRESSES_V6) {
		struct tg_address6_key key = {.prefix_bits = 160};

		*(__u32 *)key.set = tg_big_endian(filter->set);
		__builtin_memcpy(key.address, address, sizeof(key.address));
		return bpf_map_lookup_elem(&tg_addresses6, &key);
	}
	return false;
}

static __always_inline bool tg_port_matches(const volatile struct tg_filter *filter, const struct tg_endpoints *ends,
					    __u16 port)
{
	if (ends->family != TG_AF_INET && ends->family != TG_AF_INET6)
		return false;
	if (filter->value_count)
		return tg_number_values(filter, TG_OP_RANGE, port);
	return tg_hook.uses & TG_USES_NUMBERS && tg_in_numbers(filter->set, port);
}

/* The verifier looks at it once, whichever filters call it. */
__noinline int tg_net_matches(__u32 scratch_number, __u32 which, __u32 slot)
{
	const volatile struct tg_filter *filter;
	struct tg_hook_scratch *scratch;
	struct tg_endpoints ends;

	if (!(tg_hook.uses & TG_USES_NET) || slot >= TG_HOOK_SLOTS)
		return false;
	scratch = tg_scratch_at(scratch_number);
	if (!scratch)
		return false;
	filter = tg_filter_at(which);
	if (tg_hook.slots[slot].type == TG_TYPE_SOCKADDR_UN)
		return filter->op == TG_OP_FAMILY &&
		       tg_number_values(filter, TG_OP_EQUAL, *(__u16 *)scratch->values[slot].bytes);
	tg_endpoints(&ends, &scratch->values[slot], tg_hook.slots[slot].type);
	switch (filter->op) {
	case TG_OP_SADDR: return tg_address_matches(filter, ends.saddr, ends.family);
	case TG_OP_DADDR: return tg_address_matches(filter, ends.daddr, ends.family);
	case TG_OP_SPORT: return tg_port_matches(filter, &ends, ends.sport);
	case TG_OP_DPORT: return tg_port_matches(filter, &ends, ends.dport);
	case TG_OP_PROTOCOL: return tg_number_values(filter, TG_OP_EQUAL, ends.protocol);
	case TG_OP_FAMILY: return tg_number_values(filter, TG_OP_EQUAL, ends.family);
	case TG_OP_STATE: return tg_number_values(filter, TG_OP_EQUAL, ends.state);
	default: return false;
	}
}

/* ---- one filter ---------------------------------------------------------------------------------------------------- */

/* Decided from numbers on the stack, with no look-up at all. */
static __always_inline bool tg_filter_is_cheap(const volatile struct tg_filter *filter)
{
	return tg_is_comparison(filter->op) && tg_is_number(tg_hook.slots[filter->slot].type);
}

static __always_inline bool tg_filter_number(void *ctx, struct tg_hit *hit, const volatile struct tg_filter *filter,
					     __u32 slot, const enum tg_context kind)
{
	tg_hit_load(ctx, hit, slot, kind);
	if (tg_hit_failed(hit, slot))
		return false;
	return tg_number_values(filter, filter->op, tg_apart(hit->raw[slot]));
}

static __always_inline bool tg_filter_mode(const struct tg_value *value, const volatile struct tg_filter *filter)
{
	const struct tg_path_arg *path = (const void *)value->bytes;

	return tg_number_values(filter, TG_OP_EQUAL, path->mode & 0170000);
}

/* The filter's operator without its negation. */
static __always_inline bool tg_filter_op(void *ctx, struct tg_hit *hit, __u32 which, __u32 slot,
					 const enum tg_context kind)
{
	const volatile struct tg_filter *filter = tg_filter_at(which);
	__u8 op = filter->op;

	switch (op) {
	case TG_OP_EQUAL:
	case TG_OP_GREATER:
	case TG_OP_LESS:
	case TG_OP_MASK:
	case TG_OP_RANGE: return tg_filter_number(ctx, hit, filter, slot, kind);
	case TG_OP_IN_SET:
		tg_hit_load(ctx, hit, slot, kind);
		return !tg_hit_failed(hit, slot) && tg_in_numbers(filter->set, hit->raw[slot]);
	case TG_OP_CAPS_GAINED: {
		__u32 old = filter->slot2;

		if (old >= TG_HOOK_SLOTS)
			return false;
		tg_hit_load(ctx, hit, slot, kind);
		tg_hit_load(ctx, hit, old, kind);
		if (tg_hit_failed(hit, slot) || tg_hit_failed(hit, old))
			return false;
		return tg_apart(hit->raw[slot]) & ~tg_apart(hit->raw[old]);
	}
	case TG_OP_CEL: return tg_cel_matches(ctx, hit, filter->set - 1, kind);
	default: break;
	}
	if (!tg_hit_claim(hit))
		return false;
	tg_hit_fill(ctx, hit, slot, kind);
	if (hit->scratch->values[slot].status)
		return false;
	if (op >= TG_OP_TEXT_EQUAL && op <= TG_OP_TEXT_SUBSTRING_NOCASE)
		return tg_text_matches(hit->scratch->number, which, slot, tg_text_offset(tg_hook.slots[slot].type));
	if (op == TG_OP_FILE_TYPE)
		return tg_filter_mode(&hit->scratch->values[slot], filter);
	return tg_net_matches(hit->scratch->number, which, slot);
}

static __always_inline bool tg_filter_matches(void *ctx, struct tg_hit *hit, __u32 which, const enum tg_context kind)
{
	const volatile struct tg_filter *filter = tg_filter_at(which);
	__u32 slot = filter->slot;
	bool matches;

	if (slot >= TG_HOOK_SLOTS)
		return false;
	matches = tg_filter_op(ctx, hit, which, slot, kind);
	return filter->flags & TG_FILTER_NOT ? !matches : matches;
}

#endif
