/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_KILLER_ENFORCE_H
#define TETRAGON_PLUGIN_KILLER_ENFORCE_H

/* What the programs of all ways have in common. */

#define TG_TYPED
#include "lib/enforcer.bpf.h"
#include "lib/policies.bpf.h"

/* Set by the plugin. */
const volatile __u32 tg_policy_number = 0;
const volatile __u64 tg_loaded_ns = 0;

/* Takes this thread's notification and does what it says; the answer for the call, 0: it is to be done. */
static __always_inline __s32 tg_enforce(void)
{
	struct tg_notification_key key = tg_notification_key(tg_policy_number);
	struct tg_notification *found = bpf_map_lookup_elem(&tg_notifications, &key);
	struct tg_notification notification;
	struct tg_policy_state *policy;
	__u32 number = tg_policy_number;

	if (!found)
		return 0;
	notification = *found;
	bpf_map_delete_elem(&tg_notifications, &key);
	if (notification.since_ns < tg_loaded_ns || !tg_notification_own(&notification))
		return 0;
	/* Notified before the mode was switched. */
	policy = bpf_map_lookup_elem(&tg_policies, &number);
	if (!policy || policy->mode != TG_MODE_ENFORCE)
		return 0;
	if (notification.signal)
		bpf_send_signal(notification.signal);
	return notification.error;
}

char tg_license[] SEC("license") = "GPL";

#endif
