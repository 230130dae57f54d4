// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A place to hook of the plugin's own, with the engine that all hooks have. */
#include "lib/hook/hook.bpf.h"

SEC("raw_tp/sched_process_exec")
int on_exec(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RAW);
}
