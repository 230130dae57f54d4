/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_TASK_H
#define TETRAGON_BPF_LIB_TASK_H

/* Extract layer: what a task is. Every function takes the pointer as the program got it (see TG_TYPED). */

#include "lib/base.bpf.h"

#define TG_UNSET_ID	   0xffffffffu /* what the kernel calls INVALID_UID: no login uid */
#define TG_CGROUP_NAME_MAX 128

/* Which hierarchy names a task's cgroup. */
enum tg_cgroup_mode {
	TG_CGROUP_V2,
	TG_CGROUP_V1_MEMORY,
	TG_CGROUP_V1_PIDS,
};
const volatile __u32 tg_cgroup_mode = TG_CGROUP_V2;

/* Why the cgroup could not be told. */
enum tg_cgroup_error {
	TG_CGROUP_OK,
	TG_CGROUP_NO_SET,    /* the task has no css_set */
	TG_CGROUP_NO_SUBSYS, /* the hierarchy is not there */
	TG_CGROUP_NO_CGROUP, /* the subsystem has no cgroup */
	TG_CGROUP_NO_ID,
};

struct tg_pid_view {
	__u32 level; /* 0: the initial pid namespace */
	__u32 pid;   /* in the innermost namespace */
	__u32 ns_inum;
};

static __always_inline void tg_pid_view(struct task_struct *task, struct tg_pid_view *view)
{
	struct pid *pid = tg_get(task, thread_pid);
	__u32 level = tg_get(pid, level);

	view->level = level;
	if (!level) {
		struct pid_namespace *ns = tg_get(pid, numbers[0].ns);

		view->pid = tg_get(pid, numbers[0].nr);
		view->ns_inum = tg_get(ns, ns.inum);
	} else {
		/* A variable index is not possible with a typed pointer; what a helper reads is a plain number. */
		const void *numbers = BPF_CORE_READ(task, thread_pid);
		struct upid upid = {};

		numbers += bpf_core_field_offset(struct pid, numbers) + (__u64)level * bpf_core_type_size(struct upid);
		bpf_probe_read_kernel(&upid, sizeof(upid), numbers);
		view->pid = upid.nr;
		view->ns_inum = BPF_CORE_READ(upid.ns, ns.inum);
	}
}

static __always_inline bool tg_is_namespace_init(const struct tg_pid_view *view)
{
	return view->level && view->pid == 1;
}

static __always_inline void tg_namespaces(struct task_struct *task, const struct tg_pid_view *pid, __u32 *inums)
{
	struct nsproxy *ns = tg_get(task, nsproxy);
	const struct cred *cred = tg_get(task, cred);

	inums[TG_NS_PID] = pid->ns_inum;
	if (ns) {
		struct uts_namespace *uts = tg_get(ns, uts_ns);
		struct ipc_namespace *ipc = tg_get(ns, ipc_ns);
		struct mnt_namespace *mnt = tg_get(ns, mnt_ns);
		struct pid_namespace *children = tg_get(ns, pid_ns_for_children);
		struct net *net = tg_get(ns, net_ns);
		struct time_namespace *time = tg_get(ns, time_ns);
		struct time_namespace *time_children = tg_get(ns, time_ns_for_children);
		struct cgroup_namespace *cgroup = tg_get(ns, cgroup_ns);

		inums[TG_NS_UTS] = tg_get(uts, ns.inum);
		inums[TG_NS_IPC] = tg_get(ipc, ns.inum);
		inums[TG_NS_MNT] = tg_get(mnt, ns.inum);
		inums[TG_NS_PID_FOR_CHILDREN] = tg_get(children, ns.inum);
		inums[TG_NS_NET] = tg_get(net, ns.inum);
		inums[TG_NS_TIME] = tg_get(time, ns.inum);
		inums[TG_NS_TIME_FOR_CHILDREN] = tg_get(time_children, ns.inum);
		inums[TG_NS_CGROUP] = tg_get(cgroup, ns.inum);
	}
	if (cred) {
		struct user_namespace *user = tg_get(cred, user_ns);

		inums[TG_NS_USER] = tg_get(user, ns.inum);
	}
}

static __always_inline __u32 tg_login_uid(struct task_struct *task)
{
	struct task_struct___audit *audit = (void *)task;

	if (bpf_core_field_exists(audit->loginuid))
		return tg_get(audit, loginuid.val);
	return TG_UNSET_ID;
}

/* The cgroup's name is its last path component. */
struct tg_cgroup_view {
	__u64 id;
	const char *name; /* kernel memory; NULL when it could not be told */
	enum tg_cgroup_error error;
};

/* The index depends on the kernel's configuration. CO-RE makes it a constant of the loaded program, which is what a
 * typed pointer needs; the access macros want one of the compiler. */
static __always_inline struct cgroup_subsys_state *tg_css(struct css_set *set, __u64 index)
{
	const void *at = (const void *)set + bpf_core_field_offset(struct css_set, subsys) + index * sizeof(void *);

#ifdef TG_TYPED
	return *(struct cgroup_subsys_state *const *)at;
#else
	struct cgroup_subsys_state *css = 0;

	bpf_probe_read_kernel(&css, sizeof(css), at);
	return css;
#endif
}

static __always_inline void tg_cgroup_view(struct task_struct *task, struct tg_cgroup_view *view)
{
	struct css_set *set = tg_get(task, cgroups);
	struct cgroup *cgroup;
	struct kernfs_node *node;

	view->id = 0;
	view->name = 0;
	if (!set) {
		view->error = TG_CGROUP_NO_SET;
		return;
	}
	if (tg_cgroup_mode == TG_CGROUP_V2) {
		cgroup = tg_get(set, dfl_cgrp);
	} else {
		struct cgroup_subsys_state *css = 0;

		if (tg_cgroup_mode == TG_CGROUP_V1_MEMORY) {
			if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
				css = tg_css(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		} else if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
			css = tg_css(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
		}
		if (!css) {
			view->error = TG_CGROUP_NO_SUBSYS;
			return;
		}
		cgroup = tg_get(css, cgroup);
	}
	if (!cgroup) {
		view->error = TG_CGROUP_NO_CGROUP;
		return;
	}
	node = tg_get(cgroup, kn);
	view->id = tg_get(node, id);
	view->name = tg_get(node, name);
	view->error = view->id ? TG_CGROUP_OK : TG_CGROUP_NO_ID;
}

#endif
