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

/*
 * Before 6.16 several threads can find `live` at 0: it was counted down before the tracepoint, which is after exit_mm
 * there, and a thread that joins another is woken in between. Who enters the process here first reports; the key is
 * never used again, so old ones may go. Only needed while other threads of the group are not released yet, or when the
 * process map does not know the process. User space shrinks the map to one element where group_dead exists.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct tg_process_key);
	__type(value, __u32);
} tg_exited SEC(".maps");

static __always_inline bool tg_exit_is_first(struct task_struct *leader, __u32 tgid)
{
	struct tg_process_key process = {
		.start_ns = tg_get(leader, start_boottime),
		.pid = tgid,
	};
	__u32 one = 1;

	return !bpf_map_update_elem(&tg_exited, &process, &one, BPF_NOEXIST);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tg_exit, struct task_struct *task)
{
	struct signal_struct *signal;
	struct task_struct *leader;
	__u32 tgid;
	struct tg_process_key key = {};
	struct tg_process *entry;
	struct tg_exit *exit;

	if (tg_exit_has_group_dead && !(ctx[1] & 1))
		return 0;
	tg_lighten(task);
	signal = tg_get(task, signal);
	leader = tg_get(task, group_leader);
	tgid = tg_get(task, tgid);
	if (!tg_exit_has_group_dead && tg_get(signal, live.counter))
		return 0;

	key.pid = tgid;
	entry = tg_process_find(tgid);
	if (!tg_exit_has_group_dead && (!entry || tg_get(signal, nr_threads) > 1) && !tg_exit_is_first(leader, tgid))
		return 0;
	if (entry) {
		key = entry->key;
		bpf_map_delete_elem(&execve_map, &tgid);
	}

	exit = tg_reserve(sizeof(*exit), TG_KIND_EXIT, tg_now());
	if (!exit)
		return 0;
	exit->process = key;
	/* As wait4 tells it: exit_group and fatal signals end the group, otherwise the leader's own code counts. */
	if (tg_get(signal, flags) & TG_SIGNAL_GROUP_EXIT)
		exit->code = tg_get(signal, group_exit_code);
	else
		exit->code = tg_get(leader, exit_code);
	exit->tid = tg_get(task, pid);
	tg_submit(exit);
	return 0;
}

#endif
