// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Functions by kprobes: all at once, or one by one. */
#include "enforce.bpf.h"

/* False: the policy only signals. Then the verifier never sees the helper, which few functions may be answered with and
 * some kernels do not have. */
const volatile bool tg_answers = false;

static __always_inline int tg_probe(struct pt_regs *ctx)
{
	__s32 error = tg_enforce();

	if (tg_answers && error)
		bpf_override_return(ctx, (__s64)error);
	return 0;
}

SEC("kprobe.multi")
int tg_enforce_multi(struct pt_regs *ctx)
{
	return tg_probe(ctx);
}

SEC("kprobe")
int tg_enforce_single(struct pt_regs *ctx)
{
	return tg_probe(ctx);
}
