/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_PROCESS_EXIT_H
#define TETRAGON_PLUGIN_PROCESS_EXIT_H

/*
 * do_exit -> trace_sched_process_exit, once per thread, after signal->live was counted down and exit_code was set. One
 * record per thread group: when its last thread ends, whichever thread that is.
 */

#include "entry.bpf.h"

/* The tracepoint has the argument `group_dead` (see compat). */
const volatile bool tg_exit_has_group_dead = false;

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tg_exit, struct task_struct *task)
{
	struct signal_struct *signal = tg_get(task, signal);
	__u32 tgid = tg_get(task, tgid);
	struct tg_process_key key = {};
	struct tg_process *entry;
	struct tg_exit *exit;

	if (tg_exit_has_group_dead) {
		if (!(ctx[1] & 1))
			return 0;
	} else if (tg_get(signal, live.counter)) {
		return 0;
	}

	key.pid = tgid;
	entry = tg_process_find(tgid);
	if (entry) {
		key = entry->key;
		/* Without group_dead two threads can both find `live` at 0: who deletes the entry reports. */
		if (bpf_map_delete_elem(&execve_map, &tgid))
			return 0;
	} else if (!tg_exit_has_group_dead) {
		/* No entry: the map was full, or the other thread was here first. The leader reports; a process whose
		 * leader had ended before (it has an exit state then) is reported by the thread that finds it so. */
		struct task_struct *leader = tg_get(task, group_leader);

		if (task != leader && !tg_get(leader, exit_state))
			return 0;
	}

	exit = tg_reserve(sizeof(*exit), TG_KIND_EXIT, tg_now());
	if (!exit)
		return 0;
	exit->process = key;
	/* As wait4 tells it: exit_group and fatal signals end the group, otherwise the leader's own code counts. */
	if (tg_get(signal, flags) & TG_SIGNAL_GROUP_EXIT) {
		exit->code = tg_get(signal, group_exit_code);
	} else {
		struct task_struct *leader = tg_get(task, group_leader);

		exit->code = tg_get(leader, exit_code);
	}
	exit->tid = tg_get(task, pid);
	tg_submit(exit);
	return 0;
}

#endif
