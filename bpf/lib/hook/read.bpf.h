/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_READ_H
#define TETRAGON_BPF_LIB_HOOK_READ_H

/* From the value of a slot to what is reported of it. One place knows which reader serves a type. */

#include "lib/hook/follow.bpf.h"
#include "lib/hook/load.bpf.h"
#include "lib/hook/read_bytes.bpf.h"
#include "lib/hook/read_path.bpf.h"
#if __has_include("lib/hook/read_net.bpf.h")
#include "lib/hook/read_net.bpf.h"
#define TG_HAVE_NET
#endif
#if __has_include("lib/hook/read_kernel.bpf.h")
#include "lib/hook/read_kernel.bpf.h"
#define TG_HAVE_KERNEL
#endif

#define TG_READ(type_, reader_) \
	case TG_TYPE_##type_: tg_read_##reader_(value, raw, config, scratch); break

static __always_inline void tg_read(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
				    struct tg_hook_scratch *scratch)
{
	switch (config->type) {
		TG_READ(STRING, string);
		TG_READ(BYTES, bytes);
		TG_READ(IOVEC, iovec);
		TG_READ(IOV_ITER, iov_iter);
		TG_READ(FILENAME, filename);
		TG_READ(DATA_LOC, data_loc);
		TG_READ(RANGES, ranges);
		TG_READ(FIXED_BYTES, fixed_bytes);
#ifdef TG_HAVE_NET
		TG_READ(NET_DEVICE, net_device);
		TG_READ(SOCK, sock);
		TG_READ(SOCKET, socket);
		TG_READ(SKB, skb);
		TG_READ(SOCKADDR, sockaddr);
		TG_READ(SOCKADDR_UN, sockaddr_un);
#endif
#ifdef TG_HAVE_KERNEL
		TG_READ(CRED, cred);
		TG_READ(USER_NS, user_ns);
		TG_READ(BPF_ATTR, bpf_attr);
		TG_READ(BPF_MAP, bpf_map);
		TG_READ(BPF_PROG, bpf_prog);
		TG_READ(PERF_EVENT, perf_event);
		TG_READ(MODULE, module);
		TG_READ(LOAD_INFO, load_info);
#endif
	default: /* numbers */
		*(__u64 *)value->bytes = raw;
		value->status = 0;
		value->size = sizeof(raw);
		value->full_size = sizeof(raw);
		value->flags = 0;
	}
}

static __always_inline bool tg_is_sized(const volatile struct tg_slot_config *config)
{
	return config->flags & TG_SLOT_SIZE_CONTEXT || config->size_from;
}

/* What the slot's size argument says: bytes, or elements. */
static __always_inline __u64 tg_slot_size(void *ctx, const volatile struct tg_slot_config *config,
					  const enum tg_context kind)
{
	__u64 size = 0;

	if (config->flags & TG_SLOT_SIZE_CONTEXT)
		return tg_context_load(ctx, config->size_offset, config->size_width);
	if (config->size_from && tg_argument(ctx, kind, config->size_from - 1, &size))
		size = 0;
	return size;
}

/* The same at return. A function that fills a buffer says how far: no more than that is of interest. */
static __always_inline __u64 tg_slot_size_at_return(__s32 filled, const volatile struct tg_slot_config *config,
						    __u64 kept)
{

	if (config->type != TG_TYPE_BYTES)
		return kept;
	if (filled < 0)
		return 0;
	return tg_is_sized(config) && kept < filled ? kept : filled;
}

/* Sizes are lengths of buffers in memory, or -1 and the like when there is none. */
static __always_inline __u32 tg_clamp_size(__u64 size)
{
	if ((__s64)size < 0)
		return 0;
	return size > 0x7fffffff ? 0x7fffffff : size;
}

/* Where what the slot reports lies, for types that are found relative to the context. */
static __always_inline __u64 tg_slot_address(void *ctx, struct tg_hook_scratch *scratch,
					     const volatile struct tg_slot_config *config, __u64 raw, __u64 *size)
{
	if (config->type == TG_TYPE_DATA_LOC) {
		scratch->context = (__u64)ctx; /* read back, it is a number and no context pointer */
		*size = (raw >> 16) & 0xffff;
		return *(volatile __u64 *)&scratch->context + (raw & 0xffff);
	}
	if (config->load.from == TG_FROM_CONTEXT && !config->load.step_count &&
	    (config->type == TG_TYPE_FIXED_BYTES ||
	     (config->type == TG_TYPE_STRING && config->load.flags & TG_LOAD_ADDRESS))) { /* text in the record */
		scratch->context = (__u64)ctx;
		return *(volatile __u64 *)&scratch->context + config->load.offset;
	}
	return raw;
}

/* From what the slot holds to the address of a struct path, or of a dentry; false: the value failed. */
static __always_inline bool tg_path_of(struct tg_value *value, __u64 *raw, __u8 type, const bool typed)
{
	if (type == TG_TYPE_PATH || type == TG_TYPE_DENTRY)
		return tg_value_object(value, *raw);
	if (type == TG_TYPE_FD) {
		*raw = tg_file_of_fd(*raw, typed);
		if (!*raw) {
			tg_value_fail(value, -EBADF);
			return false;
		}
	} else if (type != TG_TYPE_FILE) {
		__u64 at = type == TG_TYPE_KIOCB ? bpf_core_field_offset(struct kiocb, ki_filp)
						 : bpf_core_field_offset(struct linux_binprm, file);

		if (!tg_value_object(value, *raw))
			return false;
		*raw = tg_word(typed, *raw + at);
	}
	if (!tg_value_object(value, *raw))
		return false;
	*raw += bpf_core_field_offset(struct file, f_path);
	return true;
}

static __always_inline void tg_read_path_or_dentry(struct tg_value *value, __u64 raw, struct tg_hook_scratch *scratch,
						   bool mounts, const bool typed)
{
	struct path path = {};

	if (mounts) {
		struct path *at = tg_object(typed, struct path, raw);

		if (typed) {
			path.dentry = at->dentry;
			path.mnt = at->mnt;
		} else {
			bpf_probe_read_kernel(&path, sizeof(path), at);
		}
	} else {
		path.dentry = tg_object(typed, struct dentry, raw);
	}
	tg_fill_path(value, scratch, path, mounts, typed);
}

/*
 * Types with a path, in functions of their own and with one reader for all: the stack is short, and until 6.13 (private
 * stacks) it is one for all functions on the way.
 */
static __always_inline int tg_slot_fill_path(struct tg_hook_scratch *scratch, __u64 raw, __u32 slot, const bool typed)
{
	const volatile struct tg_slot_config *config;
	struct tg_value *value;

	if (!(tg_hook.uses & TG_USES_PATHS) || slot >= TG_HOOK_SLOTS || !scratch || typed != !!TG_HAS_RDONLY_CAST)
		return 0;
	config = &tg_hook.slots[slot];
	value = &scratch->values[slot];
	if (tg_path_of(value, &raw, config->type, typed))
		tg_read_path_or_dentry(value, raw, scratch, config->type != TG_TYPE_DENTRY, typed);
	return 0;
}

__noinline int tg_slot_fill_path_typed(struct tg_hook_scratch *scratch, __u64 raw, __u32 slot)
{
	return tg_slot_fill_path(scratch, raw, slot, true);
}

__noinline int tg_slot_fill_path_read(struct tg_hook_scratch *scratch, __u64 raw, __u32 slot)
{
	return tg_slot_fill_path(scratch, raw, slot, false);
}

/* Does the descriptor still have the file of which the name is known? None at all is as good: it is being made, or was
 * just taken away. */
static __always_inline bool tg_is_followed_file(__s32 fd, __u64 dentry, const bool typed)
{
	__u64 file = tg_file_of_fd(fd, typed), at = bpf_core_field_offset(struct file, f_path);

	return !file || tg_word(typed, file + at + bpf_core_field_offset(struct path, dentry)) == dentry;
}

/* A descriptor's name as FollowFD found it, whatever has become of the file since. False: it is not followed. */
static __noinline bool tg_slot_fill_followed(struct tg_hook_scratch *scratch, __u64 raw, __u32 slot)
{
	struct tg_followed_key key;
	struct tg_followed *found;
	struct tg_value *value;
	struct tg_path_arg *arg;
	__u64 size;
	bool same;

	if (slot >= TG_HOOK_SLOTS || !scratch)
		return false;
	tg_followed_key(&key, tg_hook.policy, raw);
	found = bpf_map_lookup_elem(&tg_followed_fds, &key);
	if (!found)
		return false;
	size = found->size;
	if (!size)
		return false;
	tg_opaque(size); /* or one comparison is made of both */
	if (size > TG_FOLLOWED_PATH)
		return false;
	if (TG_HAS_RDONLY_CAST)
		same = tg_is_followed_file(raw, found->dentry, true);
	else
		same = tg_is_followed_file(raw, found->dentry, false);
	if (!same)
		return false;
	value = &scratch->values[slot];
	arg = (void *)value->bytes;
	arg->flags = found->flags;
	arg->mode = found->mode;
	arg->reserved = 0;
	bpf_probe_read_kernel(arg + 1, size, found->path);
	tg_value_done(value, sizeof(*arg) + size);
	return true;
}

static __always_inline bool tg_has_path(__u8 type)
{
	switch (type) {
	case TG_TYPE_FILE:
	case TG_TYPE_PATH:
	case TG_TYPE_DENTRY:
	case TG_TYPE_FD:
	case TG_TYPE_KIOCB:
	case TG_TYPE_BINPRM: return true;
	default: return false;
	}
}

static __noinline int tg_slot_fill_other(void *ctx, struct tg_hit *hit, __u32 slot, const enum tg_context kind)
{
	const volatile struct tg_slot_config *config;
	struct tg_hook_scratch *scratch = hit->scratch;
	struct tg_value *value;
	__u64 raw, size = 0;

	if (slot >= TG_HOOK_SLOTS || !scratch)
		return 0;
	config = &tg_hook.slots[slot];
	value = &scratch->values[slot];
	raw = tg_apart(hit->raw[slot]);
	if (hit->returning)
		size = tg_slot_size_at_return(scratch->call.ret, config,
					      slot < TG_HOOK_ARGS ? scratch->call.slots[slot].size : 0);
	else
		size = tg_slot_size(ctx, config, kind);
	raw = tg_slot_address(ctx, scratch, config, raw, &size);
	value->full_size = tg_clamp_size(size);
	tg_read(value, raw, config, scratch);
	return 0;
}

/* The slot was read; `failed`: there was nothing to read at. */
static __noinline int tg_slot_filled(struct tg_hook_scratch *scratch, __u32 slot, bool failed)
{
	if (!scratch || slot >= TG_HOOK_SLOTS)
		return 0;
	if (failed)
		tg_value_fail(&scratch->values[slot], -EFAULT);
	if (scratch->values[slot].status)
		tg_count_loss(tg_cpu_state(), TG_LOSS_UNREADABLE);
	return 0;
}

/*
 * The slot's value into the scratch, once. The scratch is claimed.
 *
 * Inlined, for the stack is short; and keeps nothing over the calls: whatever a round of the caller's loop leaves on the
 * stack may be another state for the verifier, and all that follows is gone through once for each set of slots. 7.x
 * takes all of a stack for in use where a function may read any slot's value there.
 */
static __always_inline void tg_hit_fill(void *ctx, struct tg_hit *hit, __u32 slot, const enum tg_context kind)
{
	bool failed;

	if (slot >= TG_HOOK_SLOTS || !hit->scratch || tg_hit_noted(hit, TG_NOTE_FILLED << slot))
		return;
	tg_hit_load(ctx, hit, slot, kind);
	tg_hit_note(hit, TG_NOTE_FILLED << slot);
	failed = tg_hit_failed(hit, slot);
	if (failed)
		; /* nothing to read */
	else if (!tg_has_path(tg_hook.slots[slot].type))
		tg_slot_fill_other(ctx, hit, slot, kind);
	else if (tg_hook.flags & TG_HOOK_FOLLOWED_FDS && tg_hook.slots[slot].type == TG_TYPE_FD &&
		 tg_slot_fill_followed(hit->scratch, tg_apart(hit->raw[slot]), slot))
		; /* done */
	else if (TG_HAS_RDONLY_CAST)
		tg_slot_fill_path_typed(hit->scratch, tg_apart(hit->raw[slot]), slot);
	else
		tg_slot_fill_path_read(hit->scratch, tg_apart(hit->raw[slot]), slot);
	tg_slot_filled(hit->scratch, slot, failed);
}

#endif
