// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sigkill, Signal: to the process that runs into the hook, before the hooked code goes on. */
#include "lib/action.bpf.h"

#define SIGKILL 9

static __always_inline long sigkill(void *ctx, struct tg_hook_scratch *hit)
{
	return bpf_send_signal(tg_step.code == TG_ACTION_SIGNAL ? tg_step.signal : SIGKILL);
}

TG_ACTION(sigkill)
