// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One function a link, on kernels with kprobes. */
#include "lib/hook/hook.bpf.h"

SEC("kprobe")
int tg_kprobe(struct pt_regs *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_KPROBE);
}

SEC("kretprobe")
int tg_kretprobe(struct pt_regs *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_KPROBE, PT_REGS_RC_CORE(ctx));
}
