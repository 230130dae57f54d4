/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_PROCESS_MATCH_H
#define TETRAGON_BPF_LIB_HOOK_PROCESS_MATCH_H

/*
 * What a selector asks of the process. Membership of binaries and pids was decided at exec and fork and is one bit
 * here; namespaces and capabilities are those of the task at this moment. A process that the map does not know is a
 * member of nothing and has changed nothing.
 */

#include "lib/hook/numbers.bpf.h"
#include "lib/hook/owner.bpf.h"
#include "lib/task.bpf.h"

#define TG_INLINE_VALUES 4

static __always_inline bool tg_group_bit(const __u64 *groups, __u32 group)
{
	return groups[(group >> 6) & (TG_GROUP_WORDS - 1)] & (1ULL << (group & 63));
}

static __always_inline bool tg_result(__u8 op, bool found)
{
	return op == TG_MATCH_NOT_IN ? !found : found;
}

static __always_inline bool tg_one_of(const volatile __u32 *values, __u32 count, __u32 set, __u32 value)
{
	if (set)
		return tg_in_numbers(set, value);
	TG_ROLLED
	for (__u32 i = 0; i < TG_INLINE_VALUES && i < count; i++) {
		tg_opaque(i);
		if (values[i] == value)
			return true;
	}
	return false;
}

static __always_inline struct task_struct *tg_task(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	tg_lighten(task);
	return task;
}

static __always_inline __u32 tg_namespace_pid(void)
{
	struct task_struct *leader = tg_get(tg_task(), group_leader);
	struct tg_pid_view view;

	tg_pid_view(leader, &view);
	return view.pid;
}

static __always_inline bool tg_pids_match(struct tg_hit *hit, const volatile struct tg_pid_match *pids)
{
	bool found;

	found = tg_one_of(pids->values, pids->value_count, pids->set,
			  pids->flags & TG_PID_NAMESPACE ? tg_namespace_pid() : tg_tgid());
	if (!found && pids->flags & TG_PID_FOLLOW) {
		struct tg_process *process = tg_hit_process(hit);

		found = process && tg_group_bit(process->groups, pids->group);
	}
	return tg_result(pids->op, found);
}

static __always_inline bool tg_groups_match(const struct tg_process *process,
					    const volatile struct tg_selector *selector)
{
	if (selector->binaries.op &&
	    !tg_result(selector->binaries.op, process && tg_group_bit(process->groups, selector->binaries.group)))
		return false;
	if (selector->parent_binaries.op &&
	    !tg_result(selector->parent_binaries.op,
		       process && tg_group_bit(process->parent_groups, selector->parent_binaries.group)))
		return false;
	return true;
}

/* ---- namespaces ---------------------------------------------------------------------------------------------------- */

#define TG_INUM(object)                                   \
	({                                                \
		__u32 __inum = 0;                         \
		if (object)                               \
			__inum = tg_get(object, ns.inum); \
		__inum;                                   \
	})

static __always_inline __u32 tg_user_namespace(struct task_struct *task)
{
	const struct cred *cred = tg_get(task, cred);
	struct user_namespace *user;

	if (!cred)
		return 0;
	user = tg_get(cred, user_ns);
	return TG_INUM(user);
}

/* `which` is known to the verifier. */
static __noinline __u32 tg_live_namespace(__u32 which)
{
	struct task_struct *task = tg_task();
	struct nsproxy *ns = tg_get(task, nsproxy);

	if (which == TG_NS_USER)
		return tg_user_namespace(task);
	if (which == TG_NS_PID) {
		struct tg_pid_view view;

		tg_pid_view(task, &view);
		return view.ns_inum;
	}
	if (!ns) /* exiting */
		return 0;
	switch (which) {
	case TG_NS_UTS: {
		struct uts_namespace *uts = tg_get(ns, uts_ns);

		return TG_INUM(uts);
	}
	case TG_NS_IPC: {
		struct ipc_namespace *ipc = tg_get(ns, ipc_ns);

		return TG_INUM(ipc);
	}
	case TG_NS_MNT: {
		struct mnt_namespace *mnt = tg_get(ns, mnt_ns);

		return TG_INUM(mnt);
	}
	case TG_NS_PID_FOR_CHILDREN: {
		struct pid_namespace *children = tg_get(ns, pid_ns_for_children);

		return TG_INUM(children);
	}
	case TG_NS_NET: {
		struct net *net = tg_get(ns, net_ns);

		return TG_INUM(net);
	}
	case TG_NS_TIME: {
		struct time_namespace *time = tg_get(ns, time_ns);

		return TG_INUM(time);
	}
	case TG_NS_TIME_FOR_CHILDREN: {
		struct time_namespace *children = tg_get(ns, time_ns_for_children);

		return TG_INUM(children);
	}
	case TG_NS_CGROUP: {
		struct cgroup_namespace *cgroup = tg_get(ns, cgroup_ns);

		return TG_INUM(cgroup);
	}
	default: return 0;
	}
}

static __always_inline bool tg_namespaces_match(const volatile struct tg_selector *selector)
{
	__u32 count = selector->namespace_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_NAMESPACES && i < count; i++) {
		const volatile struct tg_namespace_match *match;

		tg_opaque(i);
		match = &selector->namespaces[i];
		if (!tg_result(match->op,
			       tg_one_of(match->values, match->value_count, match->set, tg_live_namespace(match->ns))))
			return false;
	}
	return true;
}

static __always_inline bool tg_namespaces_changed(struct tg_hit *hit, __u32 mask)
{
	struct tg_process *process = tg_hit_process(hit);

	if (!process)
		return false;
	TG_ROLLED
	for (__u32 i = 0; i < TG_NS_COUNT; i++) {
		tg_opaque(i);
		if (mask & (1U << i) && process->namespaces[i] != tg_live_namespace(i))
			return true;
	}
	return false;
}

/* ---- capabilities -------------------------------------------------------------------------------------------------- */

static __always_inline __u64 tg_live_caps(__u32 which)
{
	const struct cred *cred = tg_get(tg_task(), cred);

	if (!cred)
		return 0;
	switch (which) {
	case TG_CAPS_INHERITABLE: return TG_CAP_WORD(cred->cap_inheritable);
	case TG_CAPS_PERMITTED: return TG_CAP_WORD(cred->cap_permitted);
	default: return TG_CAP_WORD(cred->cap_effective);
	}
}

static __always_inline __u64 *tg_known_caps(struct tg_process *process, __u32 which)
{
	switch (which) {
	case TG_CAPS_INHERITABLE: return &process->cap_inheritable;
	case TG_CAPS_PERMITTED: return &process->cap_permitted;
	default: return &process->cap_effective;
	}
}

static __always_inline bool tg_caps_match(const volatile struct tg_selector *selector)
{
	TG_ROLLED
	for (__u32 i = 0; i < TG_CAPS_KINDS; i++) {
		const volatile struct tg_cap_match *match;

		tg_opaque(i);
		match = &selector->caps[i];
		if (!match->op)
			continue;
		if (match->namespaced && tg_user_namespace(tg_task()) == tg_hook.host_user_ns)
			return false;
		if (!tg_result(match->op, tg_live_caps(i) & match->mask))
			return false;
	}
	return true;
}

static __always_inline bool tg_caps_changed(struct tg_hit *hit, const volatile struct tg_selector *selector)
{
	struct tg_process *process = tg_hit_process(hit);
	__u32 which = selector->cap_changes_kind;

	if (!process)
		return false;
	return (*tg_known_caps(process, which) ^ tg_live_caps(which)) & selector->cap_changes;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

/* But for the pids. */
static __always_inline bool tg_process_matches(struct tg_hit *hit, const volatile struct tg_selector *selector)
{
	if ((selector->binaries.op || selector->parent_binaries.op) && !tg_groups_match(tg_hit_process(hit), selector))
		return false;
	if (selector->namespace_count && !tg_namespaces_match(selector))
		return false;
	if (!tg_caps_match(selector))
		return false;
	if (selector->ns_changes_op &&
	    !tg_result(selector->ns_changes_op, tg_namespaces_changed(hit, selector->ns_changes)))
		return false;
	return !selector->cap_changes_op || tg_result(selector->cap_changes_op, tg_caps_changed(hit, selector));
}

/* The same of the owner of a tracked socket, which need not be the process that runs: there is only what the map has of
 * it, as it was at exec or fork. */
static __always_inline bool tg_owner_pids_match(const struct tg_process *process, const struct tg_sock_owner *owner,
						const volatile struct tg_pid_match *pids)
{
	__u32 pid = 0;
	bool found;

	if (owner)
		pid = pids->flags & TG_PID_NAMESPACE ? owner->ns_pid : owner->process.pid;
	found = tg_one_of(pids->values, pids->value_count, pids->set, pid);
	if (!found && pids->flags & TG_PID_FOLLOW)
		found = process && tg_group_bit(process->groups, pids->group);
	return tg_result(pids->op, found);
}

static __always_inline bool tg_owner_namespaces_match(const struct tg_process *process,
						      const volatile struct tg_selector *selector)
{
	__u32 count = selector->namespace_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_NAMESPACES && i < count; i++) {
		const volatile struct tg_namespace_match *match;
		__u32 number = 0;

		tg_opaque(i);
		match = &selector->namespaces[i];
		if (process && match->ns < TG_NS_COUNT)
			number = process->namespaces[match->ns];
		if (!tg_result(match->op, tg_one_of(match->values, match->value_count, match->set, number)))
			return false;
	}
	return true;
}

static __always_inline bool tg_owner_caps_match(struct tg_process *process, const volatile struct tg_selector *selector)
{
	TG_ROLLED
	for (__u32 i = 0; i < TG_CAPS_KINDS; i++) {
		const volatile struct tg_cap_match *match;
		__u32 user = 0;
		__u64 caps = 0;

		tg_opaque(i);
		match = &selector->caps[i];
		if (!match->op)
			continue;
		if (process) {
			user = process->namespaces[TG_NS_USER];
			caps = *tg_known_caps(process, i);
		}
		if (match->namespaced && user == tg_hook.host_user_ns)
			return false;
		if (!tg_result(match->op, caps & match->mask))
			return false;
	}
	return true;
}

static __always_inline bool tg_owner_matches(void *ctx, struct tg_hit *hit, const volatile struct tg_selector *selector,
					     const enum tg_context kind)
{
	struct tg_process *process = hit->process;

	if (selector->pids.op && !tg_owner_pids_match(process, tg_hit_sock_owner(ctx, hit, kind), &selector->pids))
		return false;
	if (!tg_groups_match(process, selector))
		return false;
	if (selector->namespace_count && !tg_owner_namespaces_match(process, selector))
		return false;
	if (!tg_owner_caps_match(process, selector))
		return false;
	/* Nothing has changed that could be seen. */
	if (selector->ns_changes_op && !tg_result(selector->ns_changes_op, false))
		return false;
	return !selector->cap_changes_op || tg_result(selector->cap_changes_op, false);
}

/* A function of its own, and all of the process in one place: else the verifier follows both ways at every part. */
static __noinline int tg_either_matches(void *ctx, struct tg_hit *hit, const volatile struct tg_selector *selector,
					const enum tg_context kind)
{
	if (tg_hit_owned(hit))
		return tg_owner_matches(ctx, hit, selector, kind);
	if (selector->pids.op && !tg_pids_match(hit, &selector->pids))
		return false;
	return tg_process_matches(hit, selector);
}

/* After a match, the next event takes another change. */
static __always_inline void tg_changes_seen(struct tg_hit *hit, const volatile struct tg_selector *selector)
{
	struct tg_process *process;

	if (!selector->ns_changes_op && !selector->cap_changes_op)
		return;
	process = tg_hit_process(hit);
	if (!process || tg_hit_owned(hit))
		return;
	if (selector->ns_changes_op) {
		TG_ROLLED
		for (__u32 i = 0; i < TG_NS_COUNT; i++) {
			tg_opaque(i);
			if (selector->ns_changes & (1U << i))
				process->namespaces[i] = tg_live_namespace(i);
		}
	}
	if (selector->cap_changes_op)
		*tg_known_caps(process, selector->cap_changes_kind) = tg_live_caps(selector->cap_changes_kind);
}

#endif
