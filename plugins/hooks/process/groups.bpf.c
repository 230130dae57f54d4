/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Looks at every running process again when there are new groups (tg_group_state.fresh), and takes bits out that are
 * not in use any more. An object of its own, loaded when the first group comes; its buffers are apart from those of
 * exec, which may run in between on this CPU.
 *
 * Run again until a pass changes nothing: a bit that stays with descendants goes one generation further whenever a
 * child is visited before its parent, and a process that was cloned in front of the place the iterator had reached has
 * what its parent had by then.
 */
#define TG_TYPED

#include "lib/base.bpf.h"

#include "lib/groups.bpf.h"

#define TG_PF_KTHREAD 0x00200000 /* include/linux/sched.h; the same since 2.6.27 */

/* One element: entries that passes changed, all in all. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tg_group_changes SEC(".maps");

/* What an attempt knew of the image and what it wrote. */
struct tg_refresh {
	struct tg_process_key image;
	__u64 groups[TG_GROUP_WORDS];
	__u64 parent_groups[TG_GROUP_WORDS];
};

static __always_inline bool tg_same_image(const struct tg_process_key *a, const struct tg_process_key *b)
{
	return a->start_ns == b->start_ns && a->pid == b->pid;
}

/* The entry of the image that `entry` names as its parent. NULL: it has ended, or was replaced. */
static __always_inline const struct tg_process *tg_refresh_parent(const struct tg_process *entry)
{
	const struct tg_process *above = tg_process_find(entry->parent.pid);

	return above && tg_same_image(&above->key, &entry->parent) ? above : 0;
}

/*
 * Who hands on what stays with descendants: the parent, or, when that image is gone, the process that the kernel calls
 * the parent now, if its image is older than the child. Either it forked the child, or the child came to it because it
 * is an ancestor (a child reaper).
 */
static __always_inline const struct tg_process *tg_refresh_ancestor(const struct tg_process *parent,
								    struct task_struct *task)
{
	struct task_struct *leader, *real_parent;
	const struct tg_process *above;

	if (parent)
		return parent;
	leader = tg_get(task, group_leader);
	real_parent = tg_get(leader, real_parent);
	above = tg_process_find(tg_get(real_parent, tgid));
	return above && above->key.start_ns <= tg_get(leader, start_boottime) ? above : 0;
}

/* Only what is fresh is decided anew: what was decided when the image began stays, whatever was renamed since. */
static __always_inline bool tg_refresh_entry(struct tg_process *entry, struct tg_refresh *refresh,
					     const struct tg_group_state *state, const struct tg_group_scratch *scratch,
					     struct task_struct *task)
{
	const struct tg_process *parent = tg_refresh_parent(entry);
	const struct tg_process *ancestor = tg_refresh_ancestor(parent, task);
	bool changed = false;

	for (int w = 0; w < TG_GROUP_WORDS; w++) {
		__u64 live = state->live[w], fresh = state->fresh[w] & live;
		__u64 groups = entry->groups[w], parent_groups = entry->parent_groups[w];

		refresh->groups[w] = (groups & live) | (scratch->found.bits[w] & fresh);
		refresh->parent_groups[w] = parent_groups & live;
		if (parent)
			refresh->parent_groups[w] |= parent->groups[w] & fresh;
		if (ancestor)
			refresh->groups[w] |= ancestor->groups[w] & fresh & state->follow[w];
		if (refresh->groups[w] != groups || refresh->parent_groups[w] != parent_groups) {
			entry->groups[w] = refresh->groups[w];
			entry->parent_groups[w] = refresh->parent_groups[w];
			changed = true;
		}
	}
	return changed;
}

/* An exec came in between, and what it decided may have been written over: the same once more from what is known of the
 * image before. */
static __always_inline void tg_refresh_replaced(struct tg_process *entry, struct tg_refresh *refresh,
						const struct tg_group_state *state,
						const struct tg_group_scratch *scratch)
{
	bool replaced = tg_same_image(&entry->parent, &refresh->image);

	for (int w = 0; w < TG_GROUP_WORDS; w++) {
		__u64 before = refresh->groups[w] & state->live[w];

		if (replaced)
			refresh->parent_groups[w] = before;
		refresh->groups[w] = (before & state->follow[w]) | (scratch->found.bits[w] & state->live[w]);
		entry->groups[w] = refresh->groups[w];
		entry->parent_groups[w] = refresh->parent_groups[w];
	}
}

static __always_inline bool tg_refresh_needs_path(const struct tg_group_state *state)
{
	__u64 fresh = 0;

	for (int w = 0; w < TG_GROUP_WORDS; w++)
		fresh |= state->fresh[w];
	return fresh != 0;
}

#define TG_REFRESH_ATTEMPTS 4 /* an exec takes a hundred times as long as one of them */

static __always_inline int tg_refresh_task(struct task_struct *task, const bool loop)
{
	const struct tg_group_state *state = tg_group_state();
	struct tg_group_scratch *scratch = tg_group_scratch_get();
	struct tg_refresh refresh = {};
	struct task_struct *leader;
	struct tg_process *entry;
	struct tg_pid_view pid;
	__u32 tgid, zero = 0;
	__u64 *changes;
	bool changed;

	if (!task || !state || !scratch)
		return 0;
	tg_lighten(task);
	tgid = tg_get(task, tgid);
	leader = tg_get(task, group_leader);
	/* Once per process; of one whose leader has ended, by any other thread. */
	if (tg_get(task, pid) != tgid && tg_get(leader, mm))
		return 0;
	if (!tg_get(task, mm) && !(tg_get(task, flags) & TG_PF_KTHREAD))
		return 0;
	entry = tg_process_find(tgid);
	if (!entry)
		return 0;

	refresh.image = entry->key;
	tg_compiler_barrier();
	__builtin_memset(&scratch->found, 0, sizeof(scratch->found));
	if (tg_refresh_needs_path(state)) {
		tg_group_find(scratch, state, task, loop);
		tg_pid_view(leader, &pid);
		tg_group_find_pid(&scratch->found, state, tgid, pid.pid);
	}
	changed = tg_refresh_entry(entry, &refresh, state, scratch, task);
	tg_compiler_barrier();
	for (int attempt = 1; attempt < TG_REFRESH_ATTEMPTS; attempt++) {
		struct tg_process_key now = entry->key;

		if (tg_same_image(&now, &refresh.image))
			break;
		/* Groups of pids are in refresh.groups already: they stay with the process. */
		tg_group_find(scratch, state, task, loop);
		tg_refresh_replaced(entry, &refresh, state, scratch);
		tg_compiler_barrier();
		refresh.image = now;
		changed = true;
	}
	changes = bpf_map_lookup_elem(&tg_group_changes, &zero);
	if (changes && changed)
		(*changes)++;
	return 0;
}

/* Two of one, like tg_exec: with bpf_loop, and without (5.8 to 5.16). */
SEC("iter/task")
int tg_refresh(struct bpf_iter__task *ctx)
{
	return tg_refresh_task(ctx->task, true);
}

SEC("iter/task")
int tg_refresh_bounded(struct bpf_iter__task *ctx)
{
	return tg_refresh_task(ctx->task, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
