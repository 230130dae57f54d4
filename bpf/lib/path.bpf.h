/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_PATH_H
#define TETRAGON_BPF_LIB_PATH_H

/* Extract layer: the path of a (mount, dentry) pair as the current process sees it; see path_walk.bpf.h. */

#include "lib/path_walk.bpf.h"

#define TG_PATH_STEPS_BOUNDED 128 /* as many as the verifier can unroll in any program */

/* What changes from step to step lives here and not on the stack where it can: the verifier forgets what map memory
 * holds, so all steps look alike to it. */
struct tg_path_buffer {
	char text[TG_PATH_BUFFER];
	__u64 pos;	     /* first byte of the text */
	struct tg_walk walk; /* only tg_path_step_bounded */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_path_buffer);
} tg_path SEC(".maps");

/* What bpf_loop hands to a step. */
struct tg_path_loop {
	struct tg_walk walk;
	struct tg_path_buffer *buffer;
};

static long tg_path_step_typed(__u32 index, struct tg_path_loop *loop)
{
	return tg_path_step(&loop->walk, loop->buffer->text, &loop->buffer->pos, true);
}

static long tg_path_step_read(__u32 index, struct tg_path_loop *loop)
{
	return tg_path_step(&loop->walk, loop->buffer->text, &loop->buffer->pos, false);
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
	done = tg_path_step(&walk, buffer->text, &buffer->pos, false);
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

	state.walk.mnt_root = tg_get(state.walk.mnt, mnt_root);
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
