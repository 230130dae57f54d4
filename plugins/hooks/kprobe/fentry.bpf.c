// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One function through its trampoline. */
#include "lib/hook/hook.bpf.h"

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
