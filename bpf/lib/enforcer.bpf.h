/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_ENFORCER_H
#define TETRAGON_BPF_LIB_ENFORCER_H

/* Notifications: what the action leaves for the enforcer's programs. */

#include "lib/base.bpf.h"
#include "shared/action.h"
#include "shared/enforcer.h"

/* Shared through the host. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TG_NOTIFICATIONS);
	__type(key, struct tg_notification_key);
	__type(value, struct tg_notification);
} tg_notifications SEC(".maps");

static __always_inline struct tg_notification_key tg_notification_key(__u32 policy)
{
	return (struct tg_notification_key){.thread = bpf_get_current_pid_tgid(), .policy = policy};
}

/* Is it this thread's, and not that of an earlier one with the same number? */
static __always_inline bool tg_notification_own(const struct tg_notification *notification)
{
	struct task_struct *task = bpf_get_current_task_btf();

	tg_lighten(task);
	return notification->since_ns >= task->start_boottime;
}

#endif
