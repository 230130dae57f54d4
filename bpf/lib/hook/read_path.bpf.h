/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_READ_PATH_H
#define TETRAGON_BPF_LIB_HOOK_READ_PATH_H

/*
 * Readers of what has a path: struct tg_path_arg and the text, as /proc/self/fd shows it to the process, without
 * " (deleted)". The text is built from the back of the work buffer and then copied.
 */

#include "lib/hook/object.bpf.h"

/* include/uapi/linux/magic.h */
#define TG_MAGIC_PIPEFS	   0x50495045
#define TG_MAGIC_SOCKFS	   0x534f434b
#define TG_MAGIC_ANON	   0x09041934
#define TG_MAGIC_NSFS	   0x6e736673
#define TG_MAGIC_PIDFS	   0x50494446
#define TG_MAGIC_DMABUF	   0x444d4142
#define TG_NUMBER_DIGITS   20
#define TG_PATH_COPY_WORDS 8 /* a longer text is copied by a helper */

/* ---- what a selector can look at before there is a path ---------------------------------------------------------- */

struct tg_name {
	const unsigned char *text; /* kernel memory, not terminated at size */
	__u32 size;
};

static __always_inline struct tg_name tg_path_last_component(const struct dentry *dentry, const bool typed)
{
	return (struct tg_name){.text = tg_step_get(typed, dentry, d_name.name),
				.size = tg_step_get(typed, dentry, d_name.len)};
}

/* ---- files without a place in a tree ----------------------------------------------------------------------------- */

static __always_inline void tg_path_push_number(char *text, __u64 *position, __u64 number)
{
	for (int i = 0; i < TG_NUMBER_DIGITS; i++) {
		__u64 pos = *position - 1;

		*position = pos;
		tg_opaque(pos);
		text[pos & (TG_PATH_MAX - 1)] = '0' + number % 10;
		number /= 10;
		if (!number)
			break;
	}
}

/* What d_path(9) shows for such a file, of which the kernel holds no more than an inode and perhaps a name. */
static __always_inline void tg_path_name_special(struct dentry *dentry, char *text, __u64 *position, const bool typed)
{
	struct super_block *sb = tg_step_get(typed, dentry, d_sb);
	struct tg_dentry_view view = tg_dentry_view(dentry, text, typed);
	struct inode *inode = view.inode;
	__u64 magic = tg_step_get(typed, sb, s_magic);
	__u64 number = tg_step_get(typed, inode, i_ino);

	switch (magic) {
	case TG_MAGIC_ANON:
		tg_path_prepend(text, position, &view, typed);
		tg_path_push_text(text, position, "n_inode:");
		tg_path_push_text(text, position, "ano");
		return;
	case TG_MAGIC_PIDFS: /* 6.9, cb12fd8e0dab */
		tg_path_push_text(text, position, "[pidfd]");
		tg_path_push_text(text, position, "n_inode:");
		tg_path_push_text(text, position, "ano");
		return;
	case TG_MAGIC_PIPEFS:
	case TG_MAGIC_SOCKFS:
	case TG_MAGIC_NSFS:
		tg_path_push_text(text, position, "]");
		tg_path_push_number(text, position, number);
		if (magic == TG_MAGIC_PIPEFS) {
			tg_path_push_text(text, position, "pipe:[");
		} else if (magic == TG_MAGIC_SOCKFS) {
			tg_path_push_text(text, position, "socket:[");
		} else {
			struct ns_common *ns = tg_object(typed, struct ns_common, tg_step_get(typed, inode, i_private));
			const struct proc_ns_operations *ops = tg_step_get(typed, ns, ops);
			char kind[24] = {};
			long size = bpf_probe_read_kernel_str(kind, sizeof(kind), tg_step_get(typed, ops, name));

			tg_path_push_text(text, position, ":[");
			view.name = (const void *)tg_step_get(typed, ops, name);
			view.length = size > 1 ? size - 1 : 0;
			view.copied = false;
			tg_path_prepend(text, position, &view, typed);
		}
		return;
	default: break;
	}
	/* memfd, shared memory, huge pages: an unlinked file with a name of its own. */
	if (view.length)
		tg_path_step_name(&view, text, position, typed);
}

static __noinline int tg_path_special_typed(__u64 dentry, char *text, __u64 *position)
{
	tg_path_name_special(tg_object(true, struct dentry, dentry), text, position, true);
	return 0;
}

static __noinline int tg_path_special_read(__u64 dentry, char *text, __u64 *position)
{
	tg_path_name_special((struct dentry *)dentry, text, position, false);
	return 0;
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

struct tg_hook_walk { /* what bpf_loop hands to a step */
	struct tg_walk walk;
	struct tg_hook_scratch *scratch;
};

static long tg_hook_step_typed(__u32 index, struct tg_hook_walk *loop)
{
	return tg_path_step(&loop->walk, loop->scratch->work, &loop->scratch->work_pos, true);
}

static long tg_hook_step_read(__u32 index, struct tg_hook_walk *loop)
{
	return tg_path_step(&loop->walk, loop->scratch->work, &loop->scratch->work_pos, false);
}

/* Inside of one file system: mounts are not known, the root of the file system ends it. */
static __always_inline bool tg_dentry_step(struct tg_walk *walk, char *text, __u64 *position, const bool typed)
{
	struct tg_dentry_view view = tg_dentry_view(walk->dentry, text, typed);

	if (!view.parent || view.parent == walk->dentry) {
		walk->done = 1;
		return true;
	}
	if (!tg_path_step_name(&view, text, position, typed)) {
		walk->flags |= TG_PATH_TRUNCATED;
		walk->done = 1;
		return true;
	}
	walk->dentry = view.parent;
	return false;
}

static long tg_dentry_step_typed(__u32 index, struct tg_hook_walk *loop)
{
	return tg_dentry_step(&loop->walk, loop->scratch->work, &loop->scratch->work_pos, true);
}

static long tg_dentry_step_read(__u32 index, struct tg_hook_walk *loop)
{
	return tg_dentry_step(&loop->walk, loop->scratch->work, &loop->scratch->work_pos, false);
}

static __always_inline void tg_path_finish(struct tg_value *value, struct tg_hook_scratch *scratch, __u32 flags)
{
	struct tg_path_arg *arg = (void *)value->bytes;
	__u64 pos = scratch->work_pos, size;
	char *to = value->bytes + sizeof(*arg);

	if (pos >= TG_PATH_MAX) { /* nothing but the root, or nothing at all */
		pos = TG_PATH_MAX - 1;
		scratch->work[pos] = '/';
	}
	size = TG_PATH_MAX - pos;
	tg_opaque(pos);
	tg_opaque(size);
	pos &= TG_PATH_MAX - 1;
	if (size <= TG_PATH_COPY_WORDS * 8) { /* both buffers have room behind */
		const __u64 *from = (const void *)&scratch->work[pos];

		for (int i = 0; i < TG_PATH_COPY_WORDS / 2; i++)
			((__u64 *)to)[i] = from[i];
		if (size > TG_PATH_COPY_WORDS * 4) {
			for (int i = TG_PATH_COPY_WORDS / 2; i < TG_PATH_COPY_WORDS; i++)
				((__u64 *)to)[i] = from[i];
		}
	} else {
		if (size > TG_PATH_MAX)
			size = TG_PATH_MAX;
		bpf_probe_read_kernel(to, size, &scratch->work[pos]);
	}
	arg->flags = flags ? TG_PATH_FLAG_UNRESOLVED : 0;
	tg_value_done(value, sizeof(*arg) + size);
}

/* A struct path inside of an object, by one call where loads are calls. */
#define tg_path_at(object, member, typed)                                          \
	({                                                                         \
		struct path __path = {};                                           \
		if (typed) {                                                       \
			__path.dentry = (object)->member.dentry;                   \
			__path.mnt = (object)->member.mnt;                         \
		} else {                                                           \
			bpf_core_read(&__path, sizeof(__path), &(object)->member); \
		}                                                                  \
		__path;                                                            \
	})

/* `mounts` false: inside of the file system only; then mnt is not used. */
static __always_inline void tg_fill_path(struct tg_value *value, struct tg_hook_scratch *scratch, struct path path,
					 const bool mounts, const bool typed)
{
	struct tg_path_arg *arg = (void *)value->bytes;
	struct tg_hook_walk loop = {.scratch = scratch};
	struct dentry *dentry = path.dentry, *mnt_root;
	struct vfsmount *mnt = path.mnt;
	struct tg_dentry_view view;
	struct inode *inode;

	if (!dentry) {
		tg_value_fail(value, -EFAULT);
		return;
	}
	view = tg_dentry_view(dentry, scratch->work, typed);
	inode = view.inode;
	arg->mode = tg_step_get(typed, inode, i_mode);
	arg->reserved = 0;
	scratch->work_pos = TG_PATH_MAX;
	if (mounts) {
		mnt_root = tg_step_get(typed, mnt, mnt_root);
	} else {
		struct super_block *sb = tg_step_get(typed, dentry, d_sb);

		mnt_root = tg_step_get(typed, sb, s_root);
	}
	if (dentry == view.parent && dentry != mnt_root) {
		if (typed)
			tg_path_special_typed((__u64)dentry, scratch->work, &scratch->work_pos);
		else
			tg_path_special_read((__u64)dentry, scratch->work, &scratch->work_pos);
		tg_path_finish(value, scratch, scratch->work_pos >= TG_PATH_MAX);
		return;
	}
	loop.walk.dentry = dentry;
	if (mounts) {
		struct task_struct *task = tg_object(typed, struct task_struct, bpf_get_current_task());
		struct fs_struct *fs = tg_step_get(typed, task, fs);
		struct path root = tg_path_at(fs, root, typed);

		loop.walk.mnt = mnt;
		loop.walk.mnt_root = mnt_root;
		loop.walk.root_dentry = root.dentry;
		loop.walk.root_mnt = root.mnt;
		bpf_loop(TG_PATH_STEPS, typed ? tg_hook_step_typed : tg_hook_step_read, &loop, 0);
		/* Or the compiler makes one loop of both, of a step that is not known: the kernel does not inline that. */
		asm volatile("");
	} else {
		bpf_loop(TG_PATH_STEPS, typed ? tg_dentry_step_typed : tg_dentry_step_read, &loop, 0);
	}
	tg_path_finish(value, scratch, loop.walk.flags | !loop.walk.done);
}

static __always_inline void tg_fill_file(struct tg_value *value, struct tg_hook_scratch *scratch, struct file *file,
					 const bool typed)
{
	tg_fill_path(value, scratch, tg_path_at(file, f_path, typed), /* mounts= */ true, typed);
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

static __always_inline void tg_read_file_as(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
					    const bool typed)
{
	tg_fill_file(value, scratch, tg_object(typed, struct file, raw), typed);
}

TG_READER tg_read_file(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		       struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_read_file_as, value, raw, scratch);
}

static __always_inline void tg_read_path_as(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
					    const bool typed)
{
	struct path *path = tg_object(typed, struct path, raw);

	struct path copy = {};

	if (typed) {
		copy.dentry = path->dentry;
		copy.mnt = path->mnt;
	} else {
		bpf_probe_read_kernel(&copy, sizeof(copy), path);
	}
	tg_fill_path(value, scratch, copy, /* mounts= */ true, typed);
}

TG_READER tg_read_path(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		       struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_read_path_as, value, raw, scratch);
}

static __always_inline void tg_read_dentry_as(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
					      const bool typed)
{
	struct path path = {.dentry = tg_object(typed, struct dentry, raw)};

	tg_fill_path(value, scratch, path, /* mounts= */ false, typed);
}

TG_READER tg_read_dentry(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_read_dentry_as, value, raw, scratch);
}

/* The open file of the current task; 0: not open. */
static __always_inline __u64 tg_file_of_fd(__s32 fd, const bool typed)
{
	struct task_struct *task = tg_object(typed, struct task_struct, bpf_get_current_task());
	struct files_struct *files = tg_step_get(typed, task, files);
	struct fdtable *table = tg_step_get(typed, files, fdt);
	__u64 entries = (__u64)tg_step_get(typed, table, fd);

	if (fd < 0 || (__u32)fd >= tg_step_get(typed, table, max_fds))
		return 0;
	return tg_word(typed, entries + (__u64)fd * sizeof(void *));
}

static __always_inline void tg_read_fd_as(struct tg_value *value, __s32 fd, struct tg_hook_scratch *scratch,
					  const bool typed)
{
	__u64 file = tg_file_of_fd(fd, typed);

	if (!file) {
		tg_value_fail(value, -EBADF);
		return;
	}
	tg_fill_file(value, scratch, tg_object(typed, struct file, file), typed);
}

TG_READER tg_read_fd(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		     struct tg_hook_scratch *scratch)
{
	tg_both_ways(tg_read_fd_as, value, (__s32)raw, scratch);
}

static __always_inline void tg_read_kiocb_as(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
					     const bool typed)
{
	struct kiocb *iocb = tg_object(typed, struct kiocb, raw);

	tg_fill_file(value, scratch, tg_step_get(typed, iocb, ki_filp), typed);
}

TG_READER tg_read_kiocb(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_read_kiocb_as, value, raw, scratch);
}

static __always_inline void tg_read_binprm_as(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
					      const bool typed)
{
	struct linux_binprm *bprm = tg_object(typed, struct linux_binprm, raw);

	tg_fill_file(value, scratch, tg_step_get(typed, bprm, file), typed);
}

TG_READER tg_read_binprm(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_read_binprm_as, value, raw, scratch);
}

#endif
