/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_PROCESS_ENTRY_H
#define TETRAGON_PLUGIN_PROCESS_ENTRY_H

/* What fork and exec write into the process map. */

#include "lib/emit.bpf.h"
#include "lib/groups.bpf.h"
#include "lib/process_map.bpf.h"
#include "lib/task.bpf.h"
#include "process.h"

/* The part of an entry that follows from the task; everything else is the caller's. */
static __always_inline void tg_entry_snapshot(struct tg_process *entry, struct task_struct *task,
					      const struct tg_pid_view *pid, __u64 cgroup_id)
{
	const struct cred *cred = tg_get(task, cred);

	entry->cgroup_id = cgroup_id;
	if (cred) {
		entry->cap_permitted = TG_CAP_WORD(cred->cap_permitted);
		entry->cap_effective = TG_CAP_WORD(cred->cap_effective);
		entry->cap_inheritable = TG_CAP_WORD(cred->cap_inheritable);
	}
	tg_namespaces(task, pid, entry->namespaces);
}

/* False: no room; counted. */
static __always_inline bool tg_entry_store(__u32 tgid, const struct tg_process *entry)
{
	if (!bpf_map_update_elem(&execve_map, &tgid, entry, BPF_ANY))
		return true;
	tg_count_loss(tg_cpu_state(), TG_LOSS_PROCESS_FULL);
	return false;
}

#endif
