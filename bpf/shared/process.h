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

/* Groups of processes: each set that a policy names (a list of binaries, of prefixes, of pids) is one bit. Exec and fork
 * decide which ones a process belongs to, hooks test the bit. */
#define TG_GROUPS      256
#define TG_GROUP_WORDS (TG_GROUPS / 64)

/* Value of map execve_map, key: __u32 thread group id. All that selectors need to know of a process. */
struct tg_process {
	struct tg_process_key key;
	struct tg_process_key parent;
	__u32 flags;	 /* TG_PROCESS_* */
	__u32 binary_id; /* not used */
	__u64 cgroup_id;
	__u64 policies; /* bit set of policy filters this process is a member of */
	__u64 cap_permitted, cap_effective, cap_inheritable;
	__u32 namespaces[TG_NS_COUNT];
	__u64 groups[TG_GROUP_WORDS];	     /* this image is in */
	__u64 parent_groups[TG_GROUP_WORDS]; /* the parent was in when this image began */
};

/* ---- maps of the groups: user space writes them, exec, fork and the refresh read them -------------------------------- */

struct tg_group_bits {
	__u64 bits[TG_GROUP_WORDS];
};

/* Key of tg_group_paths (hash): whole path of the binary, padded with zeros. */
#define TG_GROUP_PATH_MAX 256
struct tg_group_path {
	char text[TG_GROUP_PATH_MAX];
};

/* Keys of tg_group_prefixes and tg_group_postfixes (LPM tries; postfixes have their bytes reversed). A trie gives the
 * longest match only, so a value holds the bits of all shorter ones that match, too. */
#define TG_GROUP_PREFIX_MAX 256 /* LPM_DATA_SIZE_MAX */
struct tg_group_prefix {
	__u32 prefix_bits;
	char text[TG_GROUP_PREFIX_MAX];
};
#define TG_GROUP_POSTFIX_MAX 128
struct tg_group_postfix {
	__u32 prefix_bits;
	char text[TG_GROUP_POSTFIX_MAX];
};

/* Key of tg_group_pids (hash). */
struct tg_group_pid {
	__u32 pid;
	__u32 namespaced; /* 1: the pid in the innermost pid namespace */
};

/* Value of tg_groups (array, one element). Entries of the other maps are there before they are counted here. */
struct tg_group_state {
	__u32 paths, prefixes, postfixes; /* entries; 0: the map is not asked */
	__u32 pids, namespace_pids;
	__u32 generation;	      /* counts the changes */
	__u64 live[TG_GROUP_WORDS];   /* in use; other bits are not handed on */
	__u64 follow[TG_GROUP_WORDS]; /* stays with descendants */
	__u64 fresh[TG_GROUP_WORDS];  /* new: running processes were not looked at yet */
};

#endif
