// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The engine in programs that BPF_PROG_TEST_RUN can run: the words of the context are the arguments. */

#include "vmlinux.h"

#include "lib/hook/hook.bpf.h"

SEC("raw_tp/sys_enter")
int hook_enter(struct bpf_raw_tracepoint_args *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RAW);
}

/* Word 0: the return value. */
SEC("raw_tp/sys_exit")
int hook_return(struct bpf_raw_tracepoint_args *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_RAW, ctx->args[0]);
}

/* What every hit costs without the engine. */
SEC("raw_tp/sys_enter")
int hook_empty(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}
