// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Any number of functions with one link: kprobe.multi, 5.18. */
#include "lib/hook/hook.bpf.h"

SEC("kprobe.multi")
int tg_kprobe_multi(struct pt_regs *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_KPROBE);
}

SEC("kretprobe.multi")
int tg_kret_multi(struct pt_regs *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_KPROBE, PT_REGS_RC_CORE(ctx));
}
