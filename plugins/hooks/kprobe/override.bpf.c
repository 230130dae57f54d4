// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The second program on a function that an action may answer for: behind tg_kprobe, which must not call the helper. */
#include "lib/verdict.bpf.h"

SEC("kprobe")
int tg_override(struct pt_regs *ctx)
{
	__s64 value;

	if (tg_verdict_take(PT_REGS_SP(ctx), &value))
		bpf_override_return(ctx, value);
	return 0;
}

char tg_license[] SEC("license") = "GPL";
