/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_PROCESS_H
#define TETRAGON_BPF_SHARED_PROCESS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/* Identity of one process image; see tetragon_process_key in abi.h. */
struct tg_process_key {
	__u64 start_ns;
	__u32 pid;
	__u32 reserved;
};

enum tg_ns {
	TG_NS_UTS,
	TG_NS_IPC,
	TG_NS_MNT,
	TG_NS_PID,
	TG_NS_PID_FOR_CHILDREN,
	TG_NS_NET,
	TG_NS_TIME,
	TG_NS_TIME_FOR_CHILDREN,
	TG_NS_CGROUP,
	TG_NS_USER,
	TG_NS_COUNT,
};

#define TG_PROCESS_CLONE	0x1 /* cloned, has not called exec yet */
#define TG_PROCESS_IN_INIT_TREE 0x2 /* descends from pid 1 of a pid namespace that is not the host's */

/* Value of map execve_map, key: __u32 thread group id. All that selectors need to know of a process. */
struct tg_process {
	struct tg_process_key key;
	struct tg_process_key parent;
	__u32 flags;	 /* TG_PROCESS_* */
	__u32 binary_id; /* 0: none given */
	__u64 cgroup_id;
	__u64 policies; /* bit set of policy filters this process is a member of */
	__u64 cap_permitted, cap_effective, cap_inheritable;
	__u32 namespaces[TG_NS_COUNT];
};

#endif
