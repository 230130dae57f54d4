// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One function through its trampoline. */
#include "lib/hook/hook.bpf.h"
#include "lib/verdict.bpf.h"

SEC("fentry")
int tg_fentry(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_TRAMPOLINE);
}

SEC("fexit")
int tg_fexit(void *ctx)
{
	__u64 ret = 0;

	bpf_get_func_ret(ctx, &ret);
	return tg_hook_return(ctx, TG_CONTEXT_TRAMPOLINE, ret);
}

/* On the same trampoline, behind tg_fentry: another value than 0 is the function's answer, and it does not run. All 64 bits
 * count: system calls answer long. */
SEC("fmod_ret")
long tg_modify(void *ctx)
{
	__s64 value;

	return tg_verdict_take((__u64)ctx, &value) ? value : 0;
}
