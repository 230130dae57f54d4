/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_HOOK_H
#define TETRAGON_BPF_LIB_HOOK_HOOK_H

/*
 * What a hook plugin's program file includes and calls:
 *
 *     #include "lib/hook/hook.bpf.h"
 *
 *     SEC("kprobe")
 *     int hook_entry(struct pt_regs *ctx)
 *     {
 *     	return tg_hook_enter(ctx, TG_CONTEXT_KPROBE);
 *     }
 *     SEC("kretprobe")
 *     int hook_return(struct pt_regs *ctx)
 *     {
 *     	return tg_hook_return(ctx, TG_CONTEXT_KPROBE, PT_REGS_RC(ctx));
 *     }
 *
 * Layers: value -> scratch, maps -> hit -> load -> numbers, readers, text -> filters, process_match -> selector ->
 * report -> hook. Everything comes from bpf_get_current_task_btf and bpf_rdonly_cast, so programs of all types read
 * the task with plain loads: TG_TYPED holds for all of them.
 */

#ifndef TG_TYPED
#define TG_TYPED
#endif

#include "lib/hook/report.bpf.h"

char tg_license[] SEC("license") = "GPL";

/* Which of the hook's functions this is, when the host attached several. False: none of them. */
static __always_inline bool tg_hook_instance(void *ctx, struct tg_hit *hit, const enum tg_context kind)
{
	if (kind == TG_CONTEXT_SYSCALL && tg_hook.flags & TG_HOOK_BY_NUMBER) {
		__u64 regs = tg_context_load(ctx, 0, 8), number = 0;
		__u32 key, *instance;

		tg_peek(&number, regs + TG_REGISTER_NUMBER, 8);
		if (number >= TG_SYSCALLS32)
			return false;
		key = number;
		if (tg_syscall32())
			key += TG_SYSCALLS32;
		instance = bpf_map_lookup_elem(&tg_syscalls, &key);
		if (!instance || !*instance)
			return false;
		hit->instance = *instance - 1;
	}
	if (tg_hook.flags & TG_HOOK_COOKIE && (kind == TG_CONTEXT_KPROBE || kind == TG_CONTEXT_UPROBE ||
					       kind == TG_CONTEXT_RECORD || kind == TG_CONTEXT_TRAMPOLINE))
		hit->instance = bpf_get_attach_cookie(ctx);
	return true;
}

/* What tells a call from the others that the thread is in: where its frame is. */
static __always_inline void tg_call_key(struct tg_call_key *key, void *ctx, const enum tg_context kind)
{
	key->thread = bpf_get_current_pid_tgid();
	key->frame = 0;
	if (kind == TG_CONTEXT_KPROBE || kind == TG_CONTEXT_UPROBE)
		key->frame = tg_context_load(ctx, TG_REGISTER_STACK, 8);
	if (kind == TG_CONTEXT_TRAMPOLINE)
		key->frame = (__u64)ctx; /* one trampoline serves entry and return */
}

/* Values that are read when the function returns: where they are must be kept, the registers will be gone. */
static __always_inline void tg_call_slots(void *ctx, struct tg_hit *hit, struct tg_call *call,
					  const enum tg_context kind)
{
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_ARGS; i++) {
		const volatile struct tg_slot_config *config;
		bool at_return;

		tg_opaque(i);
		config = &tg_hook.slots[i];
		call->slots[i].raw = 0;
		call->slots[i].size = 0;
		if (config->load.from == TG_FROM_NONE)
			continue;
		at_return = config->flags & TG_SLOT_AT_RETURN;
		if (!at_return && config->type != TG_TYPE_STRING && !(tg_hook.flags & TG_HOOK_RETURN_ACTIONS))
			continue;
		tg_hit_load(ctx, hit, i, kind);
		if (tg_hit_failed(hit, i))
			continue;
		call->slots[i].raw = hit->raw[i];
		if (at_return && tg_is_sized(config))
			call->slots[i].size = tg_slot_size(ctx, config, kind);
	}
}

/*
 * Enters the chain of actions, which sends the record and gives the scratch back. Comes back only when a program is
 * missing; then the event is still reported.
 */
static __always_inline void tg_chain_enter(void *ctx, struct tg_hit *hit, void *programs, __u32 first, bool post)
{
	struct tg_hook_scratch *scratch = hit->scratch;
	struct tg_action_counts *counts;
	struct tg_chain *chain;
	__u32 zero = 0;

	if (!scratch)
		return;
	chain = &scratch->chain;
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_SLOTS; i++)
		chain->raw[i] = hit->raw[i];
	chain->post = post;
	chain->action = TG_ACTION_UNKNOWN;
	chain->has_verdict = 0;
	*(volatile __u64 *)&scratch->owner = (__u64)ctx;
	bpf_tail_call(ctx, programs, first);
	*(volatile __u64 *)&scratch->owner = 1;
	counts = bpf_map_lookup_elem(&tg_action_counts, &zero);
	if (counts)
		counts->broken++;
}

/* No scratch, and actions that need one. */
static __always_inline void tg_chain_unclaimed(void)
{
	struct tg_action_counts *counts;
	__u32 zero = 0;

	counts = bpf_map_lookup_elem(&tg_action_counts, &zero);
	if (counts)
		counts->unclaimed++;
}

static __always_inline __u32 tg_first_action(__u32 which, bool at_return)
{
	__u64 n = which;

	tg_opaque(n); /* compared as 64 bits: 6.1 knows nothing of the upper half after a comparison of the lower one */
	if (n >= TG_HOOK_SELECTORS)
		return 0;
	return at_return ? tg_hook.selectors[n].first_return_action : tg_hook.selectors[n].first_action;
}

/* Keeps what the return needs. */
static __always_inline void tg_call_keep(void *ctx, struct tg_hit *hit, const enum tg_context kind)
{
	struct tg_call_key key;

	tg_call_key(&key, ctx, kind);
	hit->scratch->call.ret = key.frame;
	bpf_map_update_elem(&tg_calls, &key, &hit->scratch->call, BPF_ANY);
}

/* The selector matched: reports, and acts. `post`: false when the policy does not want the event. */
static __always_inline void tg_hook_matched(void *ctx, struct tg_hit *hit, __u32 which, bool post,
					    const enum tg_context kind)
{
	__u32 first = tg_hook.flags & TG_HOOK_ACTIONS ? tg_first_action(which, false) : 0;
	struct tg_cpu_state *cpu;
	struct tg_call *call;
	__u64 id = 0;
	/* What is not reported has no return, unless that has actions. */
	bool returns = tg_hook.flags & TG_HOOK_HAS_RETURN && (post || tg_hook.flags & TG_HOOK_RETURN_ACTIONS);

	if (!post && !first && !(tg_hook.flags & TG_HOOK_RETURN_ACTIONS))
		return;
	if (!tg_hit_claim(hit)) {
		if (tg_hook.flags & TG_HOOK_ACTIONS)
			tg_chain_unclaimed();
		return;
	}
	if (returns) {
		cpu = tg_cpu_state();
		if (!cpu)
			return;
		id = tg_data_id(cpu);
		call = &hit->scratch->call;
		call->id = id;
		call->instance = hit->instance;
		call->selector = which;
		call->silent = !post;
		call->ret = 0;
		tg_call_slots(ctx, hit, call, kind);
	}
	tg_report_build(ctx, hit, which, id, returns ? TG_PHASE_ENTER : TG_PHASE_ONLY, 0, kind);
	if (!first)
		tg_report_send(hit->scratch, post);
	if (returns) {
		hit->scratch->call.again = hit->again;
		tg_call_keep(ctx, hit, kind);
	}
	if (first) {
		tg_chain_enter(ctx, hit, &tg_actions, first, post);
		tg_report_send(hit->scratch, post);
	}
}

static __always_inline int tg_hook_enter(void *ctx, const enum tg_context kind)
{
	struct tg_hit hit = {};
	__u32 which;
	int verdict;

	if (!tg_hook_instance(ctx, &hit, kind))
		return 0;
	tg_hit_begin(&hit);
	if (tg_hook.flags & TG_HOOK_TRACKED_SOCKS)
		tg_hit_find_owner(ctx, &hit, kind);
	verdict = tg_select(ctx, &hit, &which, kind);
	/* Or the verifier goes through what follows once for each selector. */
	which ^= (__u32)hit.unknown;
	if (verdict != TG_VERDICT_NO)
		tg_hook_matched(ctx, &hit, which, verdict == TG_VERDICT_REPORT, kind);
	tg_hit_release(&hit);
	return 0;
}

/* Slots that are read now were located at entry. */
static __always_inline void tg_hook_resume(struct tg_hit *hit, const struct tg_call *call)
{
	hit->returning = true;
	hit->instance = call->instance;
	tg_hit_note(hit, TG_NOTE_LOADED * ((1UL << TG_HOOK_ARGS) - 1));
	for (__u32 i = 0; i < TG_HOOK_ARGS; i++)
		hit->raw[i] = call->slots[i].raw;
	hit->raw[TG_HOOK_RETURN_SLOT] = call->ret;
}

/* Moves the call that returns into the work space. False: it is not one that matched, or there is no work space. */
static __always_inline bool tg_call_take(struct tg_hit *hit, void *ctx, const enum tg_context kind)
{
	struct tg_call_key key;
	struct tg_call *found;
	bool claimed;

	tg_call_key(&key, ctx, kind);
	if (kind == TG_CONTEXT_KPROBE || kind == TG_CONTEXT_UPROBE)
		key.frame -= TG_CALL_PUSHES;
	found = bpf_map_lookup_elem(&tg_calls, &key);
	if (!found && (kind == TG_CONTEXT_KPROBE || kind == TG_CONTEXT_UPROBE) && TG_CALL_PUSHES != 0) {
		/* Return probes of the function graph tracer (fprobe since 6.14) give the stack pointer of the entry. */
		key.frame += TG_CALL_PUSHES;
		found = bpf_map_lookup_elem(&tg_calls, &key);
	}
	if (!found)
		return false;
	claimed = tg_hit_claim(hit);
	if (claimed)
		hit->scratch->call = *found;
	bpf_map_delete_elem(&tg_calls, &key);
	return claimed;
}

/* `ret`: what the function returned. */
static __always_inline int tg_hook_return(void *ctx, const enum tg_context kind, __u64 ret)
{
	struct tg_hit hit = {};
	struct tg_call *call;
	__u32 first = 0;
	bool matches, post;

	if (!(tg_hook.flags & TG_HOOK_HAS_RETURN) || !tg_hook_instance(ctx, &hit, kind))
		return 0;
	tg_hit_begin(&hit);
	if (!tg_call_take(&hit, ctx, kind) || !hit.scratch)
		return 0;
	call = &hit.scratch->call;
	if (call->silent && !(tg_hook.flags & TG_HOOK_RETURN_ACTIONS)) {
		tg_hit_release(&hit);
		return 0;
	}
	call->ret = ret;
	tg_hook_resume(&hit, call);
	matches = tg_select_return(ctx, &hit, call->selector, kind);
	post = !call->silent;
	tg_report_build(ctx, &hit, call->selector, call->id, matches ? TG_PHASE_RETURN : TG_PHASE_CANCEL, call->again,
			kind);
	if (tg_hook.flags & TG_HOOK_RETURN_ACTIONS && matches) {
		first = tg_first_action(call->selector, true);
		if (call->selector < TG_HOOK_SELECTORS &&
		    tg_hook.selectors[call->selector].flags & TG_SELECTOR_NO_RETURN_POST)
			post = false;
	}
	if (first)
		tg_chain_enter(ctx, &hit, &tg_return_actions, first, post);
	tg_report_send(hit.scratch, post);
	tg_hit_release(&hit);
	return 0;
}

#endif
