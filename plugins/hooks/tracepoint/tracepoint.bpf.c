// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Classic and raw tracepoints. */
#include "lib/hook/hook.bpf.h"

SEC("tracepoint")
int tg_tracepoint(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RECORD);
}

SEC("raw_tp")
int tg_raw_tracepoint(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RAW);
}
