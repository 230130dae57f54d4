// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Types and functions as a kernel's BTF has them, small enough to know by heart. Never loaded. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int pid_t;
typedef u16 umode_t;

enum color { RED, GREEN = -1 };

typedef struct {
	u64 val;
} kernel_cap_t;

struct user_namespace {
	int level;
};
struct cred {
	u32 uid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};

struct super_block {
	u64 s_magic;
};
struct inode {
	umode_t i_mode;
	u64 i_ino;
	struct super_block *i_sb;
};
struct dentry {
	struct inode *d_inode;
	char d_iname[32];
};
struct vfsmount {
	int flags;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	u32 f_mode;
	union {
		struct path f_path;
		struct path f_alias;
	};
	struct {
		u8 in_anonymous;
	};
	struct inode *f_inode;
	const struct cred *f_cred;
	void *private_data;
	short numbers[4];
	struct dentry *dentries[2];
	u32 low : 3, middle : 7, high : 22;
	long long wide : 40;
	enum color color;
	int (*function)(int);
	double real;
};
struct linux_binprm {
	struct file *file;
	struct cred *cred;
};
struct task_struct {
	u64 state;
	struct task_struct *real_parent;
	pid_t pid;
	char comm[16];
	struct cred *cred;
	struct file *exe;
};
struct sock {
	u16 family;
};
struct pt_regs {
	unsigned long di;
};

/* A way of more than ten pointers. */
struct list {
	struct list *next;
	int value;
};

struct trace_entry {
	unsigned short type;
	unsigned char flags, preempt_count;
	int pid;
};
struct trace_event_raw_mock_event {
	struct trace_entry ent;
	u32 __data_loc_filename;
	pid_t pid;
	char comm[16];
	unsigned long args[2];
	char __data[0];
};

/* Else the compiler only declares them. */
struct inode whole_inode;
struct dentry whole_dentry;
struct super_block whole_super_block;
struct vfsmount whole_vfsmount;
struct cred whole_cred;
struct user_namespace whole_user_namespace;

#define KEEP __attribute__((noinline, used))

KEEP int security_file_open(struct file *file)
{
	return file->f_mode;
}
KEEP int security_bprm_check(struct linux_binprm *bprm)
{
	return bprm->file != 0;
}
KEEP int security_path_truncate(const struct path *path)
{
	return path->dentry != 0;
}
KEEP int bpf_lsm_file_open(struct file *file)
{
	return file->f_mode + 1;
}
KEEP int bpf_lsm_capable(const struct cred *cred, struct user_namespace *ns, int cap, unsigned int opts)
{
	return cred->uid + ns->level + cap + opts;
}
KEEP int commit_creds(struct cred *new)
{
	return new->uid;
}
KEEP long __x64_sys_openat(const struct pt_regs *regs)
{
	return regs->di;
}
KEEP long __x64_sys_read(const struct pt_regs *regs)
{
	return regs->di + 1;
}
KEEP void tcp_close(struct sock *sk, long timeout)
{
	sk->family = timeout;
}
KEEP char *text_of(const char *text, u64 number, u8 small)
{
	return (char *)text + number + small;
}
KEEP int use_list(struct list *list, struct inode *inode, struct dentry *dentry, struct super_block *sb)
{
	return list->value + inode->i_ino + dentry->d_iname[0] + sb->s_magic;
}
KEEP int use_task(struct task_struct *task, struct trace_event_raw_mock_event *event, struct vfsmount *mnt)
{
	return task->pid + event->pid + mnt->flags;
}

/* The kernel's own description of a tracepoint. */
typedef void (*btf_trace_mock_event)(void *, struct task_struct *, pid_t, const char *);
KEEP int use_tracepoint(btf_trace_mock_event probe)
{
	return probe != 0;
}
