/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_SELECTOR_H
#define TETRAGON_BPF_LIB_HOOK_SELECTOR_H

/* Selectors: all parts of one must match; the first one that does decides. The cheapest parts are asked first. */

#include "lib/hook/filters.bpf.h"
#include "lib/hook/process_match.bpf.h"

#define TG_NO_SELECTOR 255

/* `first`: TG_FILTER_NUMBER of the first. `cheap`: only the filters that are decided from numbers on the stack; else
 * only the others. */
static __always_inline bool tg_filters_match(void *ctx, struct tg_hit *hit, __u32 first, __u32 count, bool cheap,
					     const enum tg_context kind)
{
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_FILTERS && i < count; i++) {
		tg_opaque(i);
		if (tg_filter_is_cheap(tg_filter_at(first + i)) != cheap)
			continue;
		if (!tg_filter_matches(ctx, hit, first + i, kind))
			return false;
	}
	return true;
}

static __always_inline bool tg_selector_matches(void *ctx, struct tg_hit *hit,
						const volatile struct tg_selector *selector, __u32 number,
						const enum tg_context kind)
{
	__u32 count = selector->filter_count;
	bool tracked = tg_hook.flags & TG_HOOK_TRACKED_SOCKS;

	if (tracked && !tg_apart(tg_either_matches(ctx, hit, selector, kind)))
		return false;
	if (!tracked && selector->pids.op && !tg_pids_match(hit, &selector->pids))
		return false;
	if (count) {
		TG_ROLLED
		for (__u32 i = 0; i < TG_HOOK_FILTERS && i < count; i++) {
			const volatile struct tg_filter *filter;

			tg_opaque(i);
			filter = &selector->filters[i];
			if (!tg_filter_is_cheap(filter) || filter->slot >= TG_HOOK_SLOTS)
				continue;
			if (tg_filter_number(ctx, hit, filter, filter->slot, kind) == !!(filter->flags & TG_FILTER_NOT))
				return false;
		}
	}
	if (!tracked && !tg_process_matches(hit, selector))
		return false;
	return !count || tg_filters_match(ctx, hit, TG_FILTER_NUMBER(number, 0), count, false, kind);
}

enum { TG_VERDICT_NO, TG_VERDICT_SILENT /* matched, not reported */, TG_VERDICT_REPORT };

/* *which: selector that matched. */
static __always_inline int tg_select(void *ctx, struct tg_hit *hit, __u32 *which, const enum tg_context kind)
{
	__u32 count = tg_hook.selector_count;

	*which = TG_NO_SELECTOR;
	if (!count)
		return TG_VERDICT_REPORT;
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_SELECTORS && i < count; i++) {
		const volatile struct tg_selector *selector;

		tg_opaque(i);
		selector = &tg_hook.selectors[i];
		if (!tg_selector_matches(ctx, hit, selector, i, kind))
			continue;
		tg_changes_seen(hit, selector);
		*which = i;
		return selector->flags & TG_SELECTOR_NO_POST ? TG_VERDICT_SILENT : TG_VERDICT_REPORT;
	}
	return TG_VERDICT_NO;
}

/* Return filters of the selector that matched at entry. */
static __always_inline bool tg_select_return(void *ctx, struct tg_hit *hit, __u32 which, const enum tg_context kind)
{
	__u32 count = tg_hook.selector_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_SELECTORS && i < count; i++) {
		const volatile struct tg_selector *selector;
		__u32 known = i, first;

		tg_opaque(i);
		tg_opaque(known); /* or the compiler takes `which` for it, which the verifier does not know */
		selector = &tg_hook.selectors[known];
		if (i != which || !selector->return_filter_count)
			continue;
		first = TG_FILTER_AT_RETURN | TG_FILTER_NUMBER(i, 0);
		return tg_filters_match(ctx, hit, first, selector->return_filter_count, true, kind) &&
		       tg_filters_match(ctx, hit, first, selector->return_filter_count, false, kind);
	}
	return true;
}

#endif
