// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Hooks of the security modules. The value is the hook's verdict: 0 leaves it to the others. */
#define TG_SCRATCH_COUNT 12 /* an action of it may be all that keeps something from being done */
#include "lib/hook/hook.bpf.h"

SEC("lsm")
int tg_lsm(void *ctx)
{
	tg_hook_enter(ctx, TG_CONTEXT_TRAMPOLINE);
	return 0;
}
