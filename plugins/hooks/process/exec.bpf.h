/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_PROCESS_EXEC_H
#define TETRAGON_PLUGIN_PROCESS_EXEC_H

/*
 * bprm_execve -> exec_binprm -> trace_sched_process_exec: the new image is in place and nothing of it has run. Memory,
 * credentials and thread group are the new ones; there is one thread, so nobody can change the arguments under us.
 */

#include "entry.bpf.h"
#include "lib/path.bpf.h"

const volatile bool tg_exec_credentials = false;
const volatile bool tg_exec_environment = false;

#define TG_EXEC_DATA_PIECES ((TG_EXEC_DATA_TOTAL + TG_DATA_MAX - 1) / TG_DATA_MAX)

/* Largest offsets in the record at which each text can begin. */
#define TG_EXEC_CGROUP_AT (sizeof(struct tg_exec) + TG_EXEC_FILENAME_MAX + TG_EXEC_CWD_MAX)
#define TG_EXEC_ARGS_AT	  (TG_EXEC_CGROUP_AT + TG_EXEC_CGROUP_MAX)
#define TG_EXEC_ENVS_AT	  (TG_EXEC_ARGS_AT + TG_EXEC_ARGS_INLINE)

/* Behind the largest record there is room for a new entry; the stack is needed by what is called. */
#define TG_EXEC_FRESH_AT (TG_RECORD_MAX - sizeof(struct tg_process))
_Static_assert(TG_EXEC_ENVS_AT + TG_EXEC_ENVS_INLINE <= TG_EXEC_FRESH_AT, "the record ends before");

/* A region of the process' memory that is reported: its arguments or its environment. */
struct tg_region {
	__u64 start, size;
	__u64 id;	/* of the pieces, when out of line */
	__u32 problems; /* TG_REGION_* */
};
#define TG_REGION_UNREADABLE 0x1
#define TG_REGION_TRUNCATED  0x2

/* Sends what is too long for the record ahead of it, piece by piece; answers TG_REGION_*. Global: verified once, by
 * itself. */
__noinline int tg_region_send(__u64 id, __u64 start, __u64 left)
{
	struct tg_data *data = tg_scratch();
	__u64 now = tg_now();
	int problems = 0;

	if (!data)
		return TG_REGION_TRUNCATED;
	if (left > TG_EXEC_DATA_TOTAL) {
		left = TG_EXEC_DATA_TOTAL;
		problems = TG_REGION_TRUNCATED;
	}
	for (int i = 0; i < TG_EXEC_DATA_PIECES && left; i++) {
		__u64 size = left;

		tg_opaque(size);
		if (size > TG_DATA_MAX)
			size = TG_DATA_MAX;
		if (bpf_probe_read_user(data + 1, size, (const void *)start)) {
			tg_count_loss(tg_cpu_state(), TG_LOSS_UNREADABLE);
			return problems | TG_REGION_UNREADABLE;
		}
		data->id = id;
		data->piece_size = size;
		data->reserved = 0;
		if (!tg_output(data, sizeof(*data) + size, TG_KIND_DATA, now))
			return problems | TG_REGION_TRUNCATED;
		start += size;
		left -= size;
	}
	return problems;
}

static __always_inline void tg_region_begin(struct tg_region *region, __u64 start, __u64 end, __u32 most)
{
	struct tg_cpu_state *cpu = tg_cpu_state();

	region->start = start;
	region->size = end - start;
	if (region->size > most && cpu) {
		region->id = tg_data_id(cpu);
		region->problems = tg_region_send(region->id, start, region->size);
	}
}

/* Copies the region to `to` unless it went ahead; answers the size copied. `most` is a constant. */
static __always_inline __u32 tg_region_copy(struct tg_region *region, void *to, __u32 most)
{
	__u64 size = region->size;

	if (region->id || !size)
		return 0;
	tg_opaque(size);
	if (size > most)
		return 0;
	if (bpf_probe_read_user(to, size, (const void *)region->start)) {
		region->problems = TG_REGION_UNREADABLE;
		tg_count_loss(tg_cpu_state(), TG_LOSS_UNREADABLE);
		return 0;
	}
	return size;
}

/* Flags for the working directory; its text is put at `to`, its size into exec->cwd_size. */
static __always_inline __u32 tg_exec_cwd(struct tg_exec *exec, void *to, struct task_struct *task, const bool loop)
{
	struct fs_struct *fs = tg_get(task, fs);
	struct tg_path_buffer *buffer;
	__u32 zero = 0, flags, result = 0;
	__u64 size, pos;

	exec->cwd_size = 0;
	if (!fs)
		return TG_EXEC_NO_CWD;
	buffer = bpf_map_lookup_elem(&tg_path, &zero);
	if (!buffer)
		return TG_EXEC_ERROR_CWD;
	size = tg_path_walk(buffer, &fs->pwd, &fs->root, loop, &flags);
	if (flags)
		result |= TG_EXEC_ERROR_PATH_CWD;
	else if (size == 1)
		result |= TG_EXEC_ROOT_CWD;
	tg_opaque(size);
	if (size > TG_EXEC_CWD_MAX)
		size = TG_EXEC_CWD_MAX;
	pos = (TG_PATH_MAX - size) & (TG_PATH_MAX - 1);
	bpf_probe_read_kernel(to, size, &buffer->text[pos]);
	exec->cwd_size = size;
	return result;
}

static __always_inline __u32 tg_exec_cgroup(struct tg_exec *exec, void *to, const struct tg_cgroup_view *cgroup)
{
	long size;

	exec->cgroup_id = cgroup->id;
	exec->cgroup_size = 0;
	switch (cgroup->error) {
	case TG_CGROUP_NO_SET: return TG_EXEC_ERROR_CGROUPS;
	case TG_CGROUP_NO_SUBSYS: return TG_EXEC_ERROR_CGROUP_SUBSYS;
	case TG_CGROUP_NO_CGROUP: return TG_EXEC_ERROR_CGROUP_SUBSYS_CGRP;
	default: break;
	}
	size = bpf_probe_read_kernel_str(to, TG_EXEC_CGROUP_MAX, cgroup->name);
	if (size > 1)
		exec->cgroup_size = size - 1;
	return (cgroup->error == TG_CGROUP_NO_ID ? TG_EXEC_ERROR_CGROUP_ID : 0) |
	       (size < 0 ? TG_EXEC_ERROR_CGROUP_NAME : 0);
}

/*
 * Why this exec raised privileges. The old credentials are gone here, but the kernel left its verdict: per_clear is set
 * when set-id bits were honoured (not on nosuid mounts, not with no_new_privs) or when the file's capabilities added
 * something. The real ids are those of the caller, as exec never changes them.
 */
static __always_inline __u32 tg_exec_privileges(struct linux_binprm *bprm, struct inode *inode, const struct cred *cred)
{
	__u32 uid = cred->uid.val, euid = cred->euid.val, gid = cred->gid.val, egid = cred->egid.val;
	__u16 mode = tg_get(inode, i_mode);
	__u32 result = 0;

	if (!tg_get(bprm, per_clear))
		return 0;
	if ((mode & 04000) && euid != uid)
		result |= TG_PRIV_SETUID;
	if ((mode & 02010) == 02010 && egid != gid)
		result |= TG_PRIV_SETGID;
	/* Permitted beyond ambient, and not because root is root: the file gave them. */
	if (euid != 0 && uid != 0 && BPF_CORE_READ_BITFIELD(bprm, secureexec) &&
	    (TG_CAP_WORD(cred->cap_permitted) & ~TG_CAP_WORD(cred->cap_ambient)))
		result |= TG_PRIV_FILE_CAPS;
	return result;
}

static __always_inline void tg_exec_put_credentials(struct tg_exec_credentials *out, const struct cred *cred)
{
	struct user_namespace *user = tg_get(cred, user_ns);

	out->uid = cred->uid.val;
	out->gid = cred->gid.val;
	out->euid = cred->euid.val;
	out->egid = cred->egid.val;
	out->suid = cred->suid.val;
	out->sgid = cred->sgid.val;
	out->fsuid = cred->fsuid.val;
	out->fsgid = cred->fsgid.val;
	out->securebits = cred->securebits;
	out->user_ns_level = tg_get(user, level);
	out->user_ns_uid = tg_get(user, owner.val);
	out->user_ns_gid = tg_get(user, group.val);
	out->user_ns_inum = tg_get(user, ns.inum);
	out->reserved = 0;
	out->cap_permitted = TG_CAP_WORD(cred->cap_permitted);
	out->cap_effective = TG_CAP_WORD(cred->cap_effective);
	out->cap_inheritable = TG_CAP_WORD(cred->cap_inheritable);
}

/* Keys of the new image, and its entry in the process map. */
static __always_inline __u32 tg_exec_identity(struct tg_exec *exec, struct task_struct *task,
					      const struct tg_pid_view *pid, __u64 cgroup_id, __u64 now,
					      const bool loop)
{
	struct task_struct *real_parent = tg_get(task, real_parent);
	__u32 tgid = tg_get(task, tgid), flags = 0, mode = TG_GROUP_EXEC_REPLACED;
	struct tg_process *entry = tg_process_find(tgid);

	exec->process.start_ns = now;
	exec->process.pid = tgid;
	exec->process.reserved = 0;
	__builtin_memset(&exec->replaced, 0, sizeof(exec->replaced));
	exec->parent_pid = tg_get(real_parent, tgid);

	if (entry) {
		if (entry->flags & TG_PROCESS_CLONE) {
			flags |= TG_EXEC_CLONE;
			mode = TG_GROUP_EXEC_CLONED;
			exec->parent = entry->parent;
		} else {
			exec->parent = entry->key;
			exec->replaced = entry->key;
		}
		if (exec->parent.pid)
			exec->parent_pid = exec->parent.pid;
		/* In place: only this thread is left of the process, and hooks of others do not ask for it. */
		entry->flags &= ~TG_PROCESS_CLONE;
		entry->parent = exec->parent;
		entry->key = exec->process;
		tg_entry_snapshot(entry, task, pid, cgroup_id);
		if (entry->flags & TG_PROCESS_IN_INIT_TREE)
			flags |= TG_EXEC_IN_INIT_TREE;
	} else {
		/* Older than the sensor and not scanned yet, or the map was full at its fork. */
		struct tg_process *fresh = (void *)exec + TG_EXEC_FRESH_AT;
		struct tg_process *above = tg_process_find(exec->parent_pid);

		flags |= TG_EXEC_MISS;
		__builtin_memset(fresh, 0, sizeof(*fresh));
		fresh->key = exec->process;
		if (above) {
			fresh->parent = above->key;
			fresh->flags = above->flags & TG_PROCESS_IN_INIT_TREE;
			fresh->policies = above->policies;
		}
		if (tg_is_namespace_init(pid))
			fresh->flags |= TG_PROCESS_IN_INIT_TREE;
		if (fresh->flags & TG_PROCESS_IN_INIT_TREE)
			flags |= TG_EXEC_IN_INIT_TREE;
		exec->parent = fresh->parent;
		tg_entry_snapshot(fresh, task, pid, cgroup_id);
		tg_entry_store(tgid, fresh);
		mode = TG_GROUP_EXEC_UNKNOWN;
	}
	tg_group_exec(tgid, pid->pid, mode, loop);
	return flags;
}

static __always_inline int tg_exec_report(struct task_struct *task, struct linux_binprm *bprm, const bool loop)
{
	struct mm_struct *mm;
	const struct cred *cred;
	struct file *file;
	struct inode *inode;
	struct tg_region args = {}, envs = {};
	struct tg_cgroup_view cgroup;
	struct tg_pid_view pid;
	struct tg_exec *exec;
	__u64 now = tg_now(), at;
	long size;

	tg_lighten(task);
	tg_lighten(bprm);
	mm = tg_get(task, mm);
	cred = tg_get(task, cred);
	file = tg_get(bprm, file);
	inode = tg_get(file, f_inode);
	if (!cred)
		return 0;
	exec = tg_scratch();
	if (!exec) {
		tg_count_loss(tg_cpu_state(), TG_LOSS_NO_SCRATCH);
		return 0;
	}

	/* Before anything is built: the pieces use the same scratch. */
	tg_region_begin(&args, tg_get(mm, arg_start), tg_get(mm, arg_end), TG_EXEC_ARGS_INLINE);
	if (tg_exec_environment)
		tg_region_begin(&envs, tg_get(mm, env_start), tg_get(mm, env_end), TG_EXEC_ENVS_INLINE);

	tg_pid_view(task, &pid);
	tg_cgroup_view(task, &cgroup);
	/* Collected in the record: as a known number on the stack each set of flags would be verified apart. */
	exec->flags = TG_EXEC_EXECVE;
	exec->flags |= tg_exec_identity(exec, task, &pid, cgroup.id, now, loop);

	exec->tid = exec->process.pid; /* exec leaves one thread, with the group's number */
	exec->uid = cred->euid.val;
	exec->auid = tg_login_uid(task);
	exec->ns_pid = pid.pid;
	exec->privileges = tg_exec_privileges(bprm, inode, cred);
	exec->file_links = tg_get(inode, i_nlink);
	exec->file_inode = tg_get(inode, i_ino);
	exec->valid = inode ? TG_EXEC_VALID_FILE : 0;
	tg_namespaces(task, &pid, exec->namespaces);
	if (tg_exec_credentials) {
		exec->valid |= TG_EXEC_VALID_CREDENTIALS;
		tg_exec_put_credentials(&exec->credentials, cred);
	} else {
		__builtin_memset(&exec->credentials, 0, sizeof(exec->credentials));
	}

	/* The texts, one behind the other. `at` is tested before each copy, as it grew by what the verifier forgot. */
	at = sizeof(*exec);
	size = bpf_probe_read_kernel_str((void *)exec + at, TG_EXEC_FILENAME_MAX, tg_get(bprm, filename));
	if (size > 0) {
		exec->filename_size = size - 1;
		at += exec->filename_size;
	} else {
		exec->filename_size = 0;
		exec->flags |= TG_EXEC_ERROR_FILENAME;
	}

	tg_opaque(at);
	if (at > sizeof(*exec) + TG_EXEC_FILENAME_MAX)
		return 0;
	exec->flags |= tg_exec_cwd(exec, (void *)exec + at, task, loop);
	at += exec->cwd_size;

	tg_opaque(at);
	if (at > TG_EXEC_CGROUP_AT)
		return 0;
	exec->flags |= tg_exec_cgroup(exec, (void *)exec + at, &cgroup);
	at += exec->cgroup_size;

	tg_opaque(at);
	if (at > TG_EXEC_ARGS_AT)
		return 0;
	exec->args_size = tg_region_copy(&args, (void *)exec + at, TG_EXEC_ARGS_INLINE);
	exec->args_data = args.id;
	at += exec->args_size;

	tg_opaque(at);
	if (at > TG_EXEC_ENVS_AT)
		return 0;
	exec->envs_size = tg_region_copy(&envs, (void *)exec + at, TG_EXEC_ENVS_INLINE);
	exec->envs_data = envs.id;
	at += exec->envs_size;

	if (args.id)
		exec->flags |= TG_EXEC_DATA_ARGS;
	if (args.problems & TG_REGION_UNREADABLE)
		exec->flags |= TG_EXEC_ERROR_ARGS;
	if (args.problems & TG_REGION_TRUNCATED)
		exec->flags |= TG_EXEC_TRUNC_ARGS;
	if (envs.problems)
		exec->flags |= TG_EXEC_ERROR_ENVS;

	tg_opaque(at);
	if (at > TG_RECORD_MAX)
		return 0;
	tg_output(exec, at, TG_KIND_EXEC, now);
	return 0;
}

/* Two of one, user space loads the first that this kernel takes. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(tg_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return tg_exec_report(task, bprm, true);
}

/* Without bpf_loop and kernel functions: 5.8 to 5.16. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(tg_exec_bounded, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return tg_exec_report(task, bprm, false);
}

#endif
