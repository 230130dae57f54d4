/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_FOLLOW_H
#define TETRAGON_BPF_LIB_HOOK_FOLLOW_H

/* What actions leave for other hooks of their policy: the maps, and how their keys are made. */

#include "lib/base.bpf.h"
#include "shared/follow.h"

/* Both shared through the host. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TG_FOLLOWED_ENTRIES);
	__type(key, struct tg_followed_key);
	__type(value, struct tg_followed);
} tg_followed_fds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TG_TRACKED_SOCKS);
	__type(key, struct tg_tracked_key);
	__type(value, struct tg_sock_owner);
} tg_tracked_socks SEC(".maps");

/* A descriptor of the current process. */
static __always_inline void tg_followed_key(struct tg_followed_key *key, __u32 policy, __s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf(), *leader;

	tg_lighten(task);
	leader = tg_get(task, group_leader);
	key->start_ns = tg_get(leader, start_boottime);
	key->policy = policy;
	key->tgid = bpf_get_current_pid_tgid() >> 32;
	key->fd = fd;
	key->reserved = 0;
}

/* A number that can be the address of a socket: no user address, no error in its place. */
static __always_inline bool tg_is_sock_address(__u64 sock)
{
	return (__s64)sock < -4095;
}

#endif
