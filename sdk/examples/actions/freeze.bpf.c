// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/action.bpf.h"

#define SIGSTOP 19

static __always_inline long freeze(void *ctx, struct tg_hook_scratch *hit)
{
	return bpf_send_signal(SIGSTOP);
}

TG_ACTION(freeze)
