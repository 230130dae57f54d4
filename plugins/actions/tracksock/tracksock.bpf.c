// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* TrackSock, UntrackSock: whose a socket is. Hooks of the policy with the socket, or a packet of it, belong to that
 * process (bpf/lib/hook/owner.bpf.h). */
#include "lib/action.bpf.h"
#include "lib/hook/follow.bpf.h"
#include "lib/process_map.bpf.h"
#include "lib/task.bpf.h"

static __always_inline long tracksock(void *ctx, struct tg_hook_scratch *hit)
{
	struct tg_tracked_key key = {.sock = tg_action_raw(hit, tg_step.sock_slot), .policy = tg_step.serial};
	__u64 thread = bpf_get_current_pid_tgid();
	struct tg_sock_owner owner = {.process.pid = thread >> 32, .tid = thread};
	struct task_struct *task, *leader;
	struct tg_process *process;
	struct tg_pid_view view;

	if (!tg_is_sock_address(key.sock))
		return TG_ACTION_STOP;
	if (tg_step.code == TG_ACTION_UNTRACKSOCK) {
		bpf_map_delete_elem(&tg_tracked_socks, &key); /* most are not tracked */
		return 0;
	}
	if (!owner.process.pid) /* an interrupt while nothing ran */
		return TG_ACTION_STOP;
	process = tg_process_find(owner.process.pid);
	if (process)
		owner.process = process->key;
	task = bpf_get_current_task_btf();
	tg_lighten(task);
	leader = tg_get(task, group_leader);
	tg_pid_view(leader, &view);
	owner.ns_pid = view.pid;
	return bpf_map_update_elem(&tg_tracked_socks, &key, &owner, BPF_ANY) ? TG_ACTION_STOP : 0;
}

TG_ACTION(tracksock)
