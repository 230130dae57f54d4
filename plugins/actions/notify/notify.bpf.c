// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* NotifyEnforcer, CleanupEnforcerNotification: for the calls of spec.enforcers that this thread will do. */
#include "lib/action.bpf.h"
#include "lib/enforcer.bpf.h"

/* Shared through the host. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TG_POLICIES);
	__type(key, __u32);
	__type(value, struct tg_enforcer_missed);
} tg_enforcer_missed SEC(".maps");

/* The one that waits will not be answered. */
static __always_inline void tg_notification_missed(bool overwritten)
{
	struct tg_enforcer_missed *missed;
	__u32 key = tg_step.policy;

	missed = bpf_map_lookup_elem(&tg_enforcer_missed, &key);
	if (missed)
		__sync_fetch_and_add(overwritten ? &missed->overwritten : &missed->no_action, 1);
}

static __always_inline long notify(void *ctx, struct tg_hook_scratch *hit)
{
	struct tg_notification_key key = tg_notification_key(tg_step.policy);
	struct tg_notification made = {
		.error = tg_step.error,
		.signal = tg_step.signal,
		.since_ns = tg_now(),
	};
	struct tg_notification *waits = bpf_map_lookup_elem(&tg_notifications, &key);
	const bool cleanup = tg_step.code == TG_ACTION_CLEANUPENFORCERNOTIFICATION;

	if (waits && tg_notification_own(waits))
		tg_notification_missed(!cleanup);
	if (!cleanup)
		return bpf_map_update_elem(&tg_notifications, &key, &made, BPF_ANY);
	if (waits)
		bpf_map_delete_elem(&tg_notifications, &key);
	return 0;
}

TG_ACTION(notify)
