// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Post: holds an event back when one like it was sent a moment ago; adds stack traces and the
 * file's hash to the one that is sent. */
#include "lib/action.bpf.h"
#include "lib/ima.bpf.h"

#define POST_KEY_BYTES 40  /* of each argument */
#define POST_FRAMES    127 /* kernel.perf_event_max_stack, unless somebody raised it */
#define POST_STACK     (POST_FRAMES * sizeof(__u64))
#define POST_STACK_ARG (sizeof(struct tg_hook_arg) + POST_STACK)

/* Hook and action are in no key: every place in a policy has a map of its own. */
struct post_key {
	__u64 scope;
	__u8 args[TG_HOOK_SLOTS][POST_KEY_BYTES];
};

/* Time of the last event. The host makes room when the policy has a rate limit. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct post_key);
	__type(value, __u64);
} tg_rates SEC(".maps");

/* 280 bytes are too many for the stack of a program that follows others. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct post_key);
} tg_post_key SEC(".maps");

/* A program that interrupts this one may spoil the key: then an event more, or less, is sent. */
static __always_inline bool post_is_limited(struct tg_hook_scratch *hit)
{
	__u64 now = tg_now(), id = bpf_get_current_pid_tgid(), *last;
	struct post_key *key;
	struct tg_hook_arg *arg;
	__u32 zero = 0, size;

	key = bpf_map_lookup_elem(&tg_post_key, &zero);
	if (!key)
		return false;
	__builtin_memset(key, 0, sizeof(*key));
	if (tg_step.rate_scope == TG_RATE_THREAD)
		key->scope = (__u32)id;
	else if (tg_step.rate_scope == TG_RATE_PROCESS)
		key->scope = id >> 32;
	_Pragma("clang loop unroll(full)") for (__u32 i = 0; i < TG_HOOK_SLOTS; i++)
	{
		arg = tg_action_arg(hit, i);
		if (!arg)
			continue;
		size = arg->size;
		tg_opaque(size);
		if (size > POST_KEY_BYTES)
			size = POST_KEY_BYTES;
		bpf_probe_read_kernel(key->args[i], size, arg + 1);
	}
	last = bpf_map_lookup_elem(&tg_rates, key);
	if (last) {
		if (now - *last < tg_step.rate_interval_ns)
			return true;
		*last = now;
		return false;
	}
	bpf_map_update_elem(&tg_rates, key, &now, BPF_ANY);
	return false;
}

/* Behind the arguments. A record that has no room for it goes without. */
static __always_inline long post_add_stack(void *ctx, struct tg_hook_scratch *hit, __u32 slot, __u64 flags)
{
	__u64 at = *(volatile __u64 *)&hit->record_size;
	struct tg_hook_arg *arg;
	long size;

	tg_opaque(at);
	if (at < sizeof(struct tg_hook_record) || at > TG_REPORT_MAX - POST_STACK_ARG)
		return -ENOSPC;
	arg = (void *)hit + at;
	size = bpf_get_stack(ctx, arg + 1, POST_STACK, flags);
	arg->slot = slot;
	arg->flags = 0;
	arg->reserved = 0;
	arg->status = size < 0 ? size : 0;
	arg->size = size < 0 ? 0 : size;
	arg->full_size = 0;
	hit->record_size = at + sizeof(*arg) + arg->size;
	hit->record.arg_count++;
	return 0;
}

/* What the program before this one on the hook left for the thread; not there: IMA has none. */
static __always_inline long post_add_hash(struct tg_hook_scratch *hit)
{
	__u64 at = *(volatile __u64 *)&hit->record_size, thread = bpf_get_current_pid_tgid();
	struct tg_ima_hash *hash = bpf_map_lookup_elem(&tg_ima_hashes, &thread);
	struct tg_hook_arg *arg;

	if (!hash)
		return 0;
	tg_opaque(at);
	if (at < sizeof(struct tg_hook_record) || at > TG_REPORT_MAX - sizeof(*arg) - sizeof(*hash))
		return -ENOSPC;
	arg = (void *)hit + at;
	__builtin_memcpy(arg + 1, hash, sizeof(*hash));
	arg->slot = TG_SLOT_IMA_HASH;
	arg->flags = 0;
	arg->reserved = 0;
	arg->status = 0;
	arg->size = sizeof(*hash);
	arg->full_size = 0;
	hit->record_size = at + sizeof(*arg) + sizeof(*hash);
	hit->record.arg_count++;
	return 0;
}

static __always_inline long post(void *ctx, struct tg_hook_scratch *hit)
{
	long kernel = 0, user = 0;

	if (!hit->chain.post)
		return 0;
	if (tg_step.rate_interval_ns && post_is_limited(hit)) {
		hit->chain.post = 0;
		tg_count(limited, );
		return 0;
	}
	if (tg_step.options & TG_POST_KERNEL_STACK)
		kernel = post_add_stack(ctx, hit, TG_SLOT_KERNEL_STACK, tg_step.skip_frames);
	if (tg_step.options & TG_POST_USER_STACK)
		user = post_add_stack(ctx, hit, TG_SLOT_USER_STACK, BPF_F_USER_STACK);
	if (tg_step.options & TG_POST_IMA_HASH)
		user = post_add_hash(hit);
	return kernel ? kernel : user;
}

TG_ACTION(post)
