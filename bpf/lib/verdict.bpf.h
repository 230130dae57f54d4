/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_VERDICT_H
#define TETRAGON_BPF_LIB_VERDICT_H

/*
 * From a chain of actions to the program that makes the function fail. Programs that call bpf_override_return may not
 * use program arrays (the verifier answers EINVAL), and fmod_ret runs behind fentry: so the answer waits here for the
 * second program on the same function.
 */

#include "lib/base.bpf.h"
#include "shared/action.h"

/* Shared through the host. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tg_verdict_key);
	__type(value, struct tg_verdict);
} tg_verdicts SEC(".maps");

/* `frame`: tells the call from others of the thread; the same in both programs. False: there is no room. */
static __always_inline bool tg_verdict_put(__u64 frame, __s64 value)
{
	struct tg_verdict_key key = {.thread = bpf_get_current_pid_tgid(), .frame = frame};
	struct tg_verdict verdict = {.value = value, .since_ns = tg_now()};

	return !bpf_map_update_elem(&tg_verdicts, &key, &verdict, BPF_ANY);
}

/* Takes it away; false: there is none for this call. */
static __always_inline bool tg_verdict_take(__u64 frame, __s64 *value)
{
	struct tg_verdict_key key = {.thread = bpf_get_current_pid_tgid(), .frame = frame};
	struct tg_verdict *found = bpf_map_lookup_elem(&tg_verdicts, &key);
	__u64 since;

	if (!found)
		return false;
	*value = found->value;
	since = found->since_ns;
	bpf_map_delete_elem(&tg_verdicts, &key);
	return tg_now() - since < TG_VERDICT_NS;
}

#endif
