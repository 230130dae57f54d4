// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* FollowFD, CopyFD, UnfollowFD: which name a descriptor of the process was opened by. Hooks of the policy with an
 * argument of type fd find it (bpf/lib/hook/read.bpf.h). */
#include "lib/action.bpf.h"
#include "lib/hook/follow.bpf.h"

static __always_inline long follow_remember(struct tg_hook_scratch *hit, const struct tg_followed_key *key)
{
	struct tg_followed *followed = (void *)hit->work; /* free: the record is complete */
	struct tg_hook_arg *arg = tg_action_arg(hit, tg_step.name_slot);
	__u64 at = tg_action_raw(hit, tg_step.name_slot), size;
	struct tg_path_arg *path;

	if (!arg || arg->status || arg->size < sizeof(*path))
		return TG_ACTION_STOP;
	path = (void *)(arg + 1);
	if (!(tg_step.options & TG_FOLLOW_PATH))
		at += bpf_core_field_offset(struct file, f_path);
	at += bpf_core_field_offset(struct path, dentry);
	if (bpf_probe_read_kernel(&followed->dentry, sizeof(followed->dentry), (void *)at))
		return TG_ACTION_STOP;
	followed->flags = path->flags;
	followed->mode = path->mode;
	followed->size = 0;
	size = arg->size - sizeof(*path);
	if (!size)
		size = TG_FOLLOWED_PATH + 1; /* no name is none that could be kept */
	tg_opaque(size);
	if (size <= TG_FOLLOWED_PATH) {
		bpf_probe_read_kernel(followed->path, size, path + 1);
		followed->size = size;
	}
	return bpf_map_update_elem(&tg_followed_fds, key, followed, BPF_ANY) ? TG_ACTION_STOP : 0;
}

static __always_inline long follow_copy(struct tg_hook_scratch *hit, struct tg_followed_key *key)
{
	struct tg_followed *copy = (void *)hit->work, *known = bpf_map_lookup_elem(&tg_followed_fds, key);
	__s32 to = tg_action_raw(hit, tg_step.name_slot);

	if (!known || to < 0)
		return TG_ACTION_STOP;
	/* What is in the map may make room for what is put in. */
	bpf_probe_read_kernel(copy, sizeof(*copy), known);
	key->fd = to;
	return bpf_map_update_elem(&tg_followed_fds, key, copy, BPF_ANY) ? TG_ACTION_STOP : 0;
}

static __always_inline long followfd(void *ctx, struct tg_hook_scratch *hit)
{
	__s32 fd = tg_action_raw(hit, tg_step.fd_slot);
	struct tg_followed_key key;

	if (tg_step.fd_slot == TG_NO_SLOT || fd < 0)
		return TG_ACTION_STOP;
	tg_followed_key(&key, tg_step.serial, fd);
	if (tg_step.code == TG_ACTION_FOLLOWFD)
		return follow_remember(hit, &key);
	if (tg_step.code == TG_ACTION_COPYFD)
		return follow_copy(hit, &key);
	bpf_map_delete_elem(&tg_followed_fds, &key); /* most descriptors are not followed */
	return 0;
}

TG_ACTION(followfd)
