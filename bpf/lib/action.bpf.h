/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_ACTION_H
#define TETRAGON_BPF_LIB_ACTION_H

/*
 * What an action's program file includes:
 *
 *     #include "lib/action.bpf.h"
 *
 *     static __always_inline long my_action(void *ctx, struct tg_hook_scratch *hit)
 *     {
 *     	return bpf_send_signal(tg_step.signal);
 *     }
 *     TG_ACTION(my_action)
 *
 * One program; the host loads it once per place in a policy, as the type of the hook it follows, with the policy's words
 * in `tg_step`. Use helpers that every type has (those of bpf_tracing_func_proto). The answer: 0: done; negative: failed,
 * the next action still runs; TG_ACTION_STOP: failed, and no further action runs.
 */

#ifndef TG_TYPED
#define TG_TYPED
#endif

#include <asm-generic/errno-base.h>

#include "lib/hook/calls.bpf.h"
#include "lib/hook/send.bpf.h"
#include "lib/policies.bpf.h"
#include "lib/verdict.bpf.h"

#define TG_ACTION_STOP 1

const volatile struct tg_action_step tg_step = {};

/* The hook's: bound by the host. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TG_ACTION_ELEMENTS);
	__type(key, __u32);
	__type(value, __u32);
} tg_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_action_counts);
} tg_action_counts SEC(".maps");

static __always_inline struct tg_action_counts *tg_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tg_action_counts, &zero);
}

#define tg_count(member_, ...)                              \
	do {                                                \
		struct tg_action_counts *__c = tg_counts(); \
		if (__c)                                    \
			__c->member_ __VA_ARGS__ += 1;      \
	} while (0)

/* What the program that entered the chain built; NULL: it is not ours, which cannot be. Two hits of one CPU never have
 * the same context: both live. */
static __always_inline struct tg_hook_scratch *tg_chain_scratch(void *ctx)
{
	struct tg_hook_scratch *scratch;

	for (__u32 i = 0; i < TG_SCRATCH_MOST; i++) {
		__u32 key = i;

		scratch = bpf_map_lookup_elem(&tg_hook_scratch, &key);
		if (scratch && scratch->owner == (__u64)ctx)
			return scratch;
	}
	return 0;
}

/* What a slot's load gave: a number, or the address of an object. */
static __always_inline __u64 tg_action_raw(const struct tg_hook_scratch *hit, __u32 slot)
{
	return slot < TG_HOOK_SLOTS ? hit->chain.raw[slot] : 0;
}

/* The slot's value as the record has it; NULL: it has none. At most TG_VALUE_BYTES follow. */
static __always_inline struct tg_hook_arg *tg_action_arg(struct tg_hook_scratch *hit, __u32 slot)
{
	__u64 at;

	if (slot >= TG_HOOK_SLOTS)
		return 0;
	at = hit->chain.args_at[slot];
	tg_opaque(at);
	if (at < sizeof(struct tg_hook_record) || at > TG_REPORT_MAX - sizeof(struct tg_hook_arg) - TG_VALUE_BYTES)
		return 0;
	return (void *)hit + at;
}

/* The hooked function, system call or operation answers `value` instead of doing its work. */
static __always_inline void tg_action_verdict(struct tg_hook_scratch *hit, __s64 value)
{
	hit->chain.has_verdict = 1;
	hit->chain.verdict = value;
}

/* Pid 1, and the process that the policy names: the daemon, not another one that got its pid. */
static __always_inline bool tg_is_spared(const struct tg_policy_state *policy)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct task_struct *task;

	if (policy->flags & TG_POLICY_UNGUARDED)
		return false;
	if (tgid == 1)
		return true;
	if (tgid != policy->daemon)
		return false;
	task = bpf_get_current_task_btf();
	tg_lighten(task);
	/* Either may be rounded down. */
	return task->group_leader->start_boottime / TG_TICK_NS - policy->daemon_start + 1 <= 2;
}

enum tg_permission { TG_ENFORCE, TG_MONITOR, TG_SPARE };

/* May the action change what the process does? Else it is counted as what would have been done. */
static __always_inline enum tg_permission tg_permission(void)
{
	struct tg_policy_state *policy;
	__u32 key = tg_step.policy;

	if (!(tg_step.flags & TG_STEP_ENFORCES))
		return TG_ENFORCE;
	policy = bpf_map_lookup_elem(&tg_policies, &key);
	if (!policy || policy->mode != TG_MODE_ENFORCE) {
		tg_count(monitored, [tg_step.code]);
		return TG_MONITOR;
	}
	if (tg_is_spared(policy)) {
		tg_count(spared);
		return TG_SPARE;
	}
	return TG_ENFORCE;
}

/* The entry is held back: nobody waits for what the call answers. */
static __always_inline void tg_call_silence(const struct tg_hook_scratch *hit)
{
	struct tg_call_key key = {.thread = bpf_get_current_pid_tgid(), .frame = hit->call.ret};
	struct tg_call *call = bpf_map_lookup_elem(&tg_calls, &key);

	if (call)
		call->silent = 1;
}

static __always_inline int tg_chain_end(void *ctx, struct tg_hook_scratch *hit)
{
	__s64 value = hit->chain.verdict;
	__u64 frame = (__u64)ctx;
	bool has = hit->chain.has_verdict;

	if (has && (tg_step.deliver == TG_DELIVER_TRAMPOLINE || tg_step.deliver == TG_DELIVER_KPROBE)) {
		if (tg_step.deliver == TG_DELIVER_KPROBE)
			frame = PT_REGS_SP((struct pt_regs *)ctx);
		if (!tg_verdict_put(frame, value)) {
			tg_count(failed, [TG_ACTION_OVERRIDE]);
			if (hit->chain.action == TG_ACTION_OVERRIDE)
				hit->chain.action = TG_ACTION_UNKNOWN; /* it is not denied: do not say so */
		}
	}
	if (tg_step.flags & TG_STEP_CALLS && !hit->chain.post)
		tg_call_silence(hit);
	hit->record.action = hit->chain.action;
	tg_report_send(hit, hit->chain.post);
	tg_scratch_release(hit);
	if (tg_step.after) {
		bpf_tail_call(ctx, &tg_actions, TG_ACTION_AFTER);
		tg_count(broken, );
	}
	if (tg_step.deliver == TG_DELIVER_VALUE && has) {
		int answer = value;

		/* The verifier wants to know its bounds, of the 32 bits that are answered. */
		tg_opaque(answer);
		if (answer < -4095)
			answer = -EPERM;
		tg_opaque(answer);
		if (answer > 0)
			answer = -EPERM;
		return answer;
	}
	return 0;
}

#define TG_ACTION(function_)                                                         \
	SEC("tg_action")                                                             \
	int tg_##function_(void *ctx)                                                \
	{                                                                            \
		struct tg_hook_scratch *hit = tg_chain_scratch(ctx);                 \
		enum tg_permission permission;                                       \
		long result = 0;                                                     \
                                                                                     \
		if (!hit) {                                                          \
			tg_count(broken, );                                          \
			return 0;                                                    \
		}                                                                    \
		permission = tg_permission();                                        \
		if (permission == TG_ENFORCE) {                                      \
			result = function_(ctx, hit);                                \
			if (result)                                                  \
				tg_count(failed, [tg_step.code]);                    \
			else                                                         \
				tg_count(done, [tg_step.code]);                      \
		}                                                                    \
		/* What monitor mode left out is reported as if it had been done. */ \
		if (!result && permission != TG_SPARE)                               \
			hit->chain.action = tg_step.code;                            \
		if (tg_step.next && result != TG_ACTION_STOP) {                      \
			bpf_tail_call(ctx, &tg_actions, tg_step.next);               \
			tg_count(broken, );                                          \
		}                                                                    \
		return tg_chain_end(ctx, hit);                                       \
	}                                                                            \
	char tg_license[] SEC("license") = "GPL";

#endif
