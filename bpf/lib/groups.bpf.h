/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_GROUPS_H
#define TETRAGON_BPF_LIB_GROUPS_H

/*
 * Extract layer: which groups (shared/process.h) a process belongs to. Decided when an image begins and when user space
 * says that there are new groups; hooks only test a bit. A host without groups pays one array look-up per exec and fork.
 *
 * The path of a binary is that of mm->exe_file as the process sees it, as in /proc/PID/exe: of a script, the
 * interpreter's.
 */

#include "lib/path.bpf.h"
#include "lib/process_map.bpf.h"
#include "lib/task.bpf.h"

/* Shared maps, like execve_map. Not preallocated: memory is taken by what policies name. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_group_state);
} tg_groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tg_group_path);
	__type(value, struct tg_group_bits);
} tg_group_paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tg_group_prefix);
	__type(value, struct tg_group_bits);
} tg_group_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tg_group_postfix);
	__type(value, struct tg_group_bits);
} tg_group_postfixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tg_group_pid);
	__type(value, struct tg_group_bits);
} tg_group_pids SEC(".maps");

/* One per object, like tg_path. */
struct tg_group_scratch {
	struct tg_group_bits found;
	struct task_struct *task;      /* comes out of the map as a number */
	struct tg_group_prefix prefix; /* its text, padded with zeros, is the key of tg_group_paths, too */
	struct tg_group_postfix postfix;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_group_scratch);
} tg_group_scratch SEC(".maps");

/* NULL: there never was a group. */
static __always_inline const struct tg_group_state *tg_group_state(void)
{
	const struct tg_group_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&tg_groups, &zero);
	return state && state->generation ? state : 0;
}

static __always_inline struct tg_group_scratch *tg_group_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tg_group_scratch, &zero);
}

static __always_inline void tg_group_add(struct tg_group_bits *to, const struct tg_group_bits *bits)
{
	if (!bits)
		return;
	for (int w = 0; w < TG_GROUP_WORDS; w++)
		to->bits[w] |= bits->bits[w];
}

/* From the place that buffer->walk holds up to the root; the text ends at buffer->text[TG_PATH_MAX]. */
static __always_inline void tg_group_walk(struct tg_path_buffer *buffer, const bool loop)
{
	buffer->pos = TG_PATH_MAX;
	if (loop) {
		struct tg_path_loop state = {.walk = buffer->walk, .buffer = buffer};

		if (TG_HAS_RDONLY_CAST) {
			struct tg_walk *walk = &state.walk;

			walk->dentry = bpf_rdonly_cast(walk->dentry, bpf_core_type_id_kernel(struct dentry));
			walk->mnt = bpf_rdonly_cast(walk->mnt, bpf_core_type_id_kernel(struct vfsmount));
			bpf_loop(TG_PATH_STEPS, tg_path_step_typed, &state, 0);
		} else {
			bpf_loop(TG_PATH_STEPS, tg_path_step_read, &state, 0);
		}
		buffer->walk.flags = state.walk.flags;
		buffer->walk.done = state.walk.done;
	} else {
		tg_path_walk_bounded(TG_PATH_STEPS_BOUNDED);
	}
	if (!buffer->walk.done)
		buffer->walk.flags |= TG_PATH_TRUNCATED;
}

static __always_inline void tg_group_match_text(struct tg_group_scratch *scratch, const struct tg_group_state *state,
						struct tg_path_buffer *buffer)
{
	__u64 pos = buffer->pos, size;

	if (pos >= TG_PATH_MAX) /* no name at all: a file that is mounted nowhere */
		return;
	/* Of a path that is cut only the tail is known. */
	if (!(buffer->walk.flags & TG_PATH_TRUNCATED) && (state->paths || state->prefixes)) {
		size = TG_PATH_MAX - pos;
		if (size > TG_GROUP_PREFIX_MAX)
			size = TG_GROUP_PREFIX_MAX;
		__builtin_memset(scratch->prefix.text, 0, sizeof(scratch->prefix.text));
		scratch->prefix.prefix_bits = size * 8;
		tg_opaque(size);
		if (size > TG_GROUP_PREFIX_MAX)
			return;
		bpf_probe_read_kernel(scratch->prefix.text, size, &buffer->text[pos & (TG_PATH_MAX - 1)]);
		if (state->paths && TG_PATH_MAX - pos <= TG_GROUP_PATH_MAX)
			tg_group_add(&scratch->found, bpf_map_lookup_elem(&tg_group_paths, scratch->prefix.text));
		if (state->prefixes)
			tg_group_add(&scratch->found, bpf_map_lookup_elem(&tg_group_prefixes, &scratch->prefix));
	}
	if (state->postfixes) {
		size = TG_PATH_MAX - pos;
		if (size > TG_GROUP_POSTFIX_MAX)
			size = TG_GROUP_POSTFIX_MAX;
		scratch->postfix.prefix_bits = size * 8;
		/* What is in front of the path is not compared, so no end test inside of the loop. */
#pragma clang loop unroll(disable)
		for (__u32 i = 0; i < TG_GROUP_POSTFIX_MAX; i++)
			scratch->postfix.text[i] = buffer->text[TG_PATH_MAX - 1 - i];
		tg_group_add(&scratch->found, bpf_map_lookup_elem(&tg_group_postfixes, &scratch->postfix));
	}
}

/* Puts the groups that the binary of scratch->task is in into scratch->found. */
static __always_inline int tg_group_look_up(const bool loop)
{
	const struct tg_group_state *state = tg_group_state();
	struct tg_group_scratch *scratch = tg_group_scratch_get();
	struct tg_path_buffer *buffer;
	struct task_struct *task;
	struct vfsmount *mnt;
	struct tg_walk *walk;
	struct fs_struct *fs;
	struct file *file;
	__u32 zero = 0;

	buffer = bpf_map_lookup_elem(&tg_path, &zero);
	if (!buffer || !scratch || !state)
		return 1;
	task = scratch->task;
	file = BPF_CORE_READ(task, mm, exe_file);
	fs = BPF_CORE_READ(task, fs);
	if (!file || !fs)
		return 1;
	/* Into the map at once: exec has no stack to spare for what it calls. */
	walk = &buffer->walk;
	bpf_core_read(&walk->dentry, sizeof(walk->dentry), &file->f_path.dentry);
	bpf_core_read(&walk->mnt, sizeof(walk->mnt), &file->f_path.mnt);
	mnt = walk->mnt;
	bpf_core_read(&walk->mnt_root, sizeof(walk->mnt_root), &mnt->mnt_root);
	bpf_core_read(&walk->root_dentry, sizeof(walk->root_dentry), &fs->root.dentry);
	bpf_core_read(&walk->root_mnt, sizeof(walk->root_mnt), &fs->root.mnt);
	walk->flags = 0;
	walk->done = 0;
	tg_group_walk(buffer, loop);
	tg_group_match_text(scratch, state, buffer);
	return 0;
}

/* Global: verified once and not for each state in which a program comes here. Until 5.11 they take numbers only, and at
 * least one, which has to be used. */
__noinline int tg_group_look_up_loop(int unused)
{
	tg_opaque(unused);
	return tg_group_look_up(true);
}

__noinline int tg_group_look_up_bounded(int unused)
{
	tg_opaque(unused);
	return tg_group_look_up(false);
}

static __always_inline void tg_group_find(struct tg_group_scratch *scratch, const struct tg_group_state *state,
					  struct task_struct *task, const bool loop)
{
	__builtin_memset(&scratch->found, 0, sizeof(scratch->found));
	if (!(state->paths | state->prefixes | state->postfixes))
		return;
	scratch->task = task;
	if (loop)
		tg_group_look_up_loop(0);
	else
		tg_group_look_up_bounded(0);
}

/* Groups of pids that this process is listed in, into *bits. */
static __always_inline void tg_group_find_pid(struct tg_group_bits *bits, const struct tg_group_state *state,
					      __u32 tgid, __u32 namespace_pid)
{
	struct tg_group_pid key = {.pid = tgid};

	if (state->pids)
		tg_group_add(bits, bpf_map_lookup_elem(&tg_group_pids, &key));
	if (state->namespace_pids) {
		key.pid = namespace_pid;
		key.namespaced = 1;
		tg_group_add(bits, bpf_map_lookup_elem(&tg_group_pids, &key));
	}
}

#define tg_compiler_barrier() asm volatile("" ::: "memory")

/* A clone runs the image of its parent. */
static __always_inline void tg_group_fork(struct tg_process *child, const struct tg_process *above, __u32 namespace_pid)
{
	const struct tg_group_state *state = tg_group_state();
	struct tg_group_bits bits = {};

	if (!state)
		return;
	tg_group_find_pid(&bits, state, child->key.pid, namespace_pid);
	for (int w = 0; w < TG_GROUP_WORDS; w++) {
		if (above) {
			child->parent_groups[w] = above->groups[w] & state->live[w];
			bits.bits[w] |= above->groups[w];
		}
		child->groups[w] = bits.bits[w] & state->live[w];
	}
}

enum tg_group_exec_mode {
	TG_GROUP_EXEC_CLONED,	/* the parent is another process, as fork told */
	TG_GROUP_EXEC_REPLACED, /* the parent is the image before */
	TG_GROUP_EXEC_UNKNOWN,	/* the entry was made just now */
};

/*
 * The entry of a process that has a new image, after its key was written: a refresh that runs at the same time sees by
 * the key that what it knows is of the image before.
 */
static __always_inline int tg_group_exec_entry(__u32 tgid, __u32 namespace_pid, __u32 mode, const bool loop)
{
	const struct tg_group_state *state = tg_group_state();
	struct tg_group_scratch *scratch = tg_group_scratch_get();
	const struct tg_process *above = 0;
	struct tg_process *entry;

	if (!state || !scratch)
		return 0;
	entry = tg_process_find(tgid);
	if (!entry)
		return 0;
	tg_group_find(scratch, state, (struct task_struct *)bpf_get_current_task(), loop);
	if (mode == TG_GROUP_EXEC_UNKNOWN) {
		tg_group_find_pid(&scratch->found, state, tgid, namespace_pid);
		above = tg_process_find(entry->parent.pid);
	}
	tg_compiler_barrier();
	for (int w = 0; w < TG_GROUP_WORDS; w++) {
		__u64 before = entry->groups[w];

		if (above)
			before = above->groups[w];
		before &= state->live[w];
		if (mode != TG_GROUP_EXEC_CLONED)
			entry->parent_groups[w] = before;
		entry->groups[w] = (before & state->follow[w]) | (scratch->found.bits[w] & state->live[w]);
	}
	return 0;
}

/* Global, as above. */
__noinline int tg_group_exec_loop(__u32 tgid, __u32 namespace_pid, __u32 mode)
{
	return tg_group_exec_entry(tgid, namespace_pid, mode, true);
}

__noinline int tg_group_exec_bounded(__u32 tgid, __u32 namespace_pid, __u32 mode)
{
	return tg_group_exec_entry(tgid, namespace_pid, mode, false);
}

static __always_inline void tg_group_exec(__u32 tgid, __u32 namespace_pid, __u32 mode, const bool loop)
{
	if (!tg_group_state())
		return;
	if (loop)
		tg_group_exec_loop(tgid, namespace_pid, mode);
	else
		tg_group_exec_bounded(tgid, namespace_pid, mode);
}

#endif
