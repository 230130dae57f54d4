/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_FOLLOW_H
#define TETRAGON_BPF_SHARED_FOLLOW_H

/* What actions leave for other hooks of their policy: names of descriptors (FollowFD), owners of sockets (TrackSock).
 * Shared maps; keys begin with the policy's serial, so what a deleted policy left is never found. */

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "process.h"

/* tg_action_step.options of FollowFD: argName is a struct path, else a struct file. */
enum { TG_FOLLOW_PATH = 1 };

/* tg_followed_fds: LRU hash. Longer names are not kept; then the descriptor itself is asked. */
#define TG_FOLLOWED_PATH    256
#define TG_FOLLOWED_ENTRIES 16384
struct tg_followed_key {
	__u64 start_ns; /* of the process, as the kernel's start_boottime: it may call exec */
	__u32 policy;
	__u32 tgid;
	__s32 fd;
	__u32 reserved;
};
struct tg_followed {
	__u64 dentry; /* of the file: a descriptor that has another file now was closed and opened unseen */
	__u32 flags;  /* as in struct tg_path_arg */
	__u16 mode;
	__u16 size; /* of path; 0: not kept */
	char path[TG_FOLLOWED_PATH];
};

/* tg_tracked_socks: LRU hash. */
#define TG_TRACKED_SOCKS 32000
struct tg_tracked_key {
	__u64 sock; /* address of struct sock */
	__u32 policy;
	__u32 reserved;
};
struct tg_sock_owner {
	struct tg_process_key process; /* as the process map had it; start_ns 0: it did not know it */
	__u32 tid;
	__u32 ns_pid; /* in the innermost pid namespace */
};

#endif
