/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_PROCESS_FORK_H
#define TETRAGON_PLUGIN_PROCESS_FORK_H

/*
 * kernel_clone -> copy_process -> trace_sched_process_fork -> wake_up_new_task: the child is complete and has not run
 * yet, so its entry is there before any hook can ask for it.
 */

#include "entry.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(tg_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = tg_get(parent, tgid), tgid = tg_get(child, tgid);
	struct tg_process entry = {};
	struct tg_cgroup_view cgroup;
	struct tg_process *above;
	struct tg_pid_view pid;
	struct tg_clone *clone;
	__u32 flags = 0;
	__u64 now;

	if (tgid == parent_tgid) /* a thread */
		return 0;
	tg_lighten(child);

	now = tg_now();
	tg_pid_view(child, &pid);
	tg_cgroup_view(child, &cgroup);

	entry.key.start_ns = now;
	entry.key.pid = tgid;
	entry.flags = TG_PROCESS_CLONE;
	tg_entry_snapshot(&entry, child, &pid, cgroup.id);

	/* `parent` is the caller also with CLONE_PARENT: the process that did it, not the one that will be told. */
	above = tg_process_find(parent_tgid);
	if (above) {
		entry.parent = above->key;
		entry.flags |= above->flags & TG_PROCESS_IN_INIT_TREE;
		entry.policies = above->policies;
	} else {
		flags |= TG_EXEC_MISS;
	}
	tg_group_fork(&entry, above, pid.pid);
	if (tg_is_namespace_init(&pid))
		entry.flags |= TG_PROCESS_IN_INIT_TREE;
	if (entry.flags & TG_PROCESS_IN_INIT_TREE)
		flags |= TG_EXEC_IN_INIT_TREE;

	if (!tg_entry_store(tgid, &entry))
		flags |= TG_EXEC_MISS;

	clone = tg_reserve(sizeof(*clone), TG_KIND_CLONE, now);
	if (!clone)
		return 0;
	clone->process = entry.key;
	clone->parent = entry.parent;
	clone->flags = flags;
	clone->tid = tg_get(child, pid);
	clone->ns_pid = pid.pid;
	clone->parent_pid = parent_tgid;
	tg_submit(clone);
	return 0;
}

#endif
