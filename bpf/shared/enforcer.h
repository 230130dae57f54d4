/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_ENFORCER_H
#define TETRAGON_BPF_SHARED_ENFORCER_H

/* From the action NotifyEnforcer to the calls of spec.enforcers. */

#ifndef __bpf__
#include <linux/types.h>
#endif

/* tg_notifications: LRU hash, shared by all policies. A thread is answered at its next call, so few wait at a time. */
#define TG_NOTIFICATIONS 8192
struct tg_notification_key {
	__u64 thread; /* as bpf_get_current_pid_tgid gives it */
	__u32 policy; /* tg_action_step.policy */
	__u32 reserved;
};
struct tg_notification {
	__s32 error;  /* what the call answers; 0: it is done */
	__u32 signal; /* 0: none */
	/* CLOCK_BOOTTIME. Not answered when it is older than the thread (numbers of threads come again) or than the
	 * enforcer (those of policies too). */
	__u64 since_ns;
};

/* tg_enforcer_missed: array, by number of the policy: notifications that no call was answered for. */
struct tg_enforcer_missed {
	__u64 overwritten; /* the thread was notified again */
	__u64 no_action;   /* CleanupEnforcerNotification took it back */
};

#endif
