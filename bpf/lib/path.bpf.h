/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_PATH_H
#define TETRAGON_BPF_LIB_PATH_H

/*
 * Extract layer: the path of a (mount, dentry) pair as the current process sees it, from the kernel's own objects.
 *
 * The walk goes from the entry up to the process' root, so the text is built from the back of the buffer. What does not
 * fit any more is the part next to the root: the known tail is reported, with a flag. No lock is held: a rename at this
 * very moment can give a mix of both names, never memory that is not a name.
 */

#include "lib/base.bpf.h"

#define TG_PATH_MAX	      4096
#define TG_PATH_NAME_MAX      255
#define TG_PATH_STEPS	      2048 /* components, where bpf_loop exists (5.17, e6f2dd0f8067) */
#define TG_PATH_STEPS_BOUNDED 128  /* as many as the verifier can unroll in any program */

enum tg_path_flags {
	TG_PATH_TRUNCATED = 1,	 /* more components or bytes than fit */
	TG_PATH_UNREACHABLE = 2, /* not below the process' root: detached mount, or outside of a chroot */
};

struct tg_walk {
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct dentry *root_dentry;
	struct vfsmount *root_mnt;
	__u32 flags;
	__u32 done;
};

/* Room for a name behind the last position, so that one bound check serves every step. What changes from step to step
 * lives here and not on the stack where it can: the verifier forgets what map memory holds, so all steps look alike to
 * it. */
struct tg_path_buffer {
	char text[TG_PATH_MAX + TG_PATH_NAME_MAX + 1];
	__u64 pos;	     /* first byte of the text */
	struct tg_walk walk; /* only tg_path_step_bounded */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_path_buffer);
} tg_path SEC(".maps");

/* `typed` is a constant: the compiler keeps one of the two ways. */
#define tg_step_get(typed, ptr, field) ((typed) ? (ptr)->field : BPF_CORE_READ(ptr, field))

/* One component, or one mount crossed. True when the walk is over. */
static __always_inline bool tg_path_step(struct tg_walk *walk, struct tg_path_buffer *buffer, const bool typed)
{
	struct dentry *dentry = walk->dentry, *parent;
	struct vfsmount *mnt = walk->mnt;
	const unsigned char *name;
	__u64 length, pos;

	if (dentry == walk->root_dentry && mnt == walk->root_mnt)
		goto done;

	if (dentry == tg_step_get(typed, mnt, mnt_root)) {
		const void *at = (const void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *mount = (struct mount *)at, *above;

		if (typed)
			mount = bpf_rdonly_cast((void *)at, bpf_core_type_id_kernel(struct mount));
		above = tg_step_get(typed, mount, mnt_parent);
		if (!above || above == mount) { /* the global root, or a mount that was detached */
			walk->flags |= TG_PATH_UNREACHABLE;
			goto done;
		}
		walk->dentry = tg_step_get(typed, mount, mnt_mountpoint);
		if (typed)
			walk->mnt = bpf_rdonly_cast((void *)above + bpf_core_field_offset(struct mount, mnt),
						    bpf_core_type_id_kernel(struct vfsmount));
		else
			walk->mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
		return false;
	}

	parent = tg_step_get(typed, dentry, d_parent);
	if (!parent || parent == dentry) { /* root of a file system that is not mounted here */
		walk->flags |= TG_PATH_UNREACHABLE;
		goto done;
	}

	length = tg_step_get(typed, dentry, d_name.len);
	name = tg_step_get(typed, dentry, d_name.name);
	if (length > TG_PATH_NAME_MAX)
		length = TG_PATH_NAME_MAX;
	pos = buffer->pos;
	if (pos < length + 1) {
		walk->flags |= TG_PATH_TRUNCATED;
		goto done;
	}
	pos -= length + 1;
	buffer->pos = pos;
	tg_opaque(pos);
	tg_opaque(length);
	pos &= TG_PATH_MAX - 1;
	length &= TG_PATH_NAME_MAX;
	buffer->text[pos] = '/';
	bpf_probe_read_kernel(&buffer->text[pos + 1], length, name);
	walk->dentry = parent;
	return false;

done:
	walk->done = 1;
	return true;
}

/* What bpf_loop hands to a step. */
struct tg_path_loop {
	struct tg_walk walk;
	struct tg_path_buffer *buffer;
};

static long tg_path_step_typed(__u32 index, struct tg_path_loop *loop)
{
	return tg_path_step(&loop->walk, loop->buffer, true);
}

static long tg_path_step_read(__u32 index, struct tg_path_loop *loop)
{
	return tg_path_step(&loop->walk, loop->buffer, false);
}

/* A global function is verified once, by itself, not again for each of the 128 calls. Until 5.11 (e5069b9c23b3) it can
 * only be given numbers; hence the state in the map. */
__noinline int tg_path_step_bounded(int index)
{
	__u32 zero = 0;
	struct tg_path_buffer *buffer = bpf_map_lookup_elem(&tg_path, &zero);
	struct tg_walk walk;
	int done;

	tg_opaque(index); /* used, or the compiler would not pass it and the verifier miss it */
	if (!buffer)
		return 1;
	walk = buffer->walk;
	done = tg_path_step(&walk, buffer, false);
	buffer->walk = walk;
	return done;
}

/* Likewise: the loop is verified once and not for each state in which a program comes to it. */
__noinline int tg_path_walk_bounded(int steps)
{
	for (int i = 0; i < TG_PATH_STEPS_BOUNDED && i < steps; i++) {
		if (tg_path_step_bounded(i))
			break;
	}
	return 0;
}

/*
 * Length of the text, which ends at buffer->text[TG_PATH_MAX]; it starts with '/'. `loop`: a constant, true in
 * programs that need bpf_loop anyway: an older kernel refuses to load them (5.8 to 5.16 take the other).
 */
static __always_inline __u32 tg_path_walk(struct tg_path_buffer *buffer, struct path *path, struct path *root,
					  const bool loop, __u32 *flags)
{
	struct tg_path_loop state = {
		.walk.dentry = tg_get(path, dentry),
		.walk.mnt = tg_get(path, mnt),
		.walk.root_dentry = tg_get(root, dentry),
		.walk.root_mnt = tg_get(root, mnt),
		.buffer = buffer,
	};
	__u64 pos;

	buffer->pos = TG_PATH_MAX;
	if (loop) {
#ifdef TG_TYPED
		if (TG_HAS_RDONLY_CAST)
			bpf_loop(TG_PATH_STEPS, tg_path_step_typed, &state, 0);
		else
#endif
			bpf_loop(TG_PATH_STEPS, tg_path_step_read, &state, 0);
	} else {
		buffer->walk = state.walk;
		tg_path_walk_bounded(TG_PATH_STEPS_BOUNDED);
		state.walk.flags = buffer->walk.flags;
		state.walk.done = buffer->walk.done;
	}
	if (!state.walk.done)
		state.walk.flags |= TG_PATH_TRUNCATED;

	pos = buffer->pos;
	if (pos >= TG_PATH_MAX) {
		pos = TG_PATH_MAX - 1;
		buffer->text[pos] = '/';
	}
	*flags = state.walk.flags;
	return TG_PATH_MAX - pos;
}

#endif
