// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Override: what is hooked in the kernel answers argError. How that comes into force is the hook's to say. */
#include "lib/action.bpf.h"

static __always_inline long override(void *ctx, struct tg_hook_scratch *hit)
{
	tg_action_verdict(hit, tg_step.error);
	return 0;
}

TG_ACTION(override)
