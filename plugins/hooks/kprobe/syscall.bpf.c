// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A hook of system calls on the tracepoints that all of them pass; entered by dispatch.bpf.c. */
#include "lib/hook/hook.bpf.h"

#include "syscall_maps.bpf.h"

/* Tells the host that this object asks for the number. */
const volatile bool tg_by_number = true;
/* This hook's place. */
const volatile __u32 tg_syscall_id = 0;

/* The place after this one in the list of this system call; 0: none. A function of its own: what it keeps on the stack
 * would be too much on top of what a hook keeps there. */
static __noinline __u32 tg_syscall_next(__u64 number, bool enter)
{
	struct tg_syscall_hooks *hooks;
	bool here = false;
	__u32 key;

	if (!tg_syscall_key(number, &key))
		return 0;
	if (enter)
		hooks = bpf_map_lookup_elem(&tg_sys_enters, &key);
	else
		hooks = bpf_map_lookup_elem(&tg_sys_exits, &key);
	if (!hooks)
		return 0;
	for (int i = 0; i < TG_SYSCALL_PER_CALL; i++) {
		if (here)
			return hooks->ids[i];
		here = hooks->ids[i] == tg_syscall_id;
	}
	return 0;
}

/* Enters the next hook; that fails in the moment in which a hook is taken out. */
static __always_inline int tg_syscall_enter_next(void *ctx, void *programs, __u32 next)
{
	struct tg_action_counts *counts;
	__u32 zero = 0;

	if (!next)
		return 0;
	bpf_tail_call(ctx, programs, next);
	counts = bpf_map_lookup_elem(&tg_action_counts, &zero);
	if (counts)
		counts->broken++;
	return 0;
}

static __noinline __u64 tg_syscall_number(__u64 regs)
{
	__u64 number = 0;

	tg_peek(&number, regs + TG_REGISTER_NUMBER, 8);
	return number;
}

/* Tells the host that a chain of actions does not end the run: see tg_syscall_enter_after. */
const volatile bool tg_chain_goes_on = true;

SEC("tp_btf/sys_enter")
int tg_syscall_enter(__u64 *ctx)
{
	tg_hook_enter(ctx, TG_CONTEXT_SYSCALL);
	return tg_syscall_enter_next(ctx, &tg_sys_enter_do, tg_syscall_next(ctx[1], true));
}

SEC("tp_btf/sys_exit")
int tg_syscall_exit(__u64 *ctx)
{
	tg_hook_return(ctx, TG_CONTEXT_SYSCALL, ctx[1]);
	return tg_syscall_enter_next(ctx, &tg_sys_exit_do, tg_syscall_next(tg_syscall_number(ctx[0]), false));
}

/* Behind a chain of actions (TG_ACTION_AFTER): the hooks that come next. */
SEC("tp_btf/sys_enter")
int tg_syscall_enter_after(__u64 *ctx)
{
	return tg_syscall_enter_next(ctx, &tg_sys_enter_do, tg_syscall_next(ctx[1], true));
}

SEC("tp_btf/sys_exit")
int tg_syscall_exit_after(__u64 *ctx)
{
	return tg_syscall_enter_next(ctx, &tg_sys_exit_do, tg_syscall_next(tg_syscall_number(ctx[0]), false));
}
