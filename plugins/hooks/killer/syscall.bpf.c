// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* System calls by the tracepoints that all of them pass: they can be signalled for, not answered. */
#define TG_TYPED
#include "lib/hook/load.bpf.h"

#include "enforce.bpf.h"
#include "killer.h"

const volatile __u64 tg_enforced[TG_CALL_WORDS] = {};

static __always_inline void tg_enforce_call(__u64 number)
{
	if (number >= TG_SYSCALLS32)
		return;
	if (tg_syscall32())
		number += TG_SYSCALLS32;
	tg_opaque(number);
	if (number < 64 * TG_CALL_WORDS && tg_enforced[number / 64] >> number % 64 & 1)
		tg_enforce();
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tg_enforce_enter, struct pt_regs *regs, long number)
{
	tg_enforce_call(number);
	return 0;
}

/* For hooks that notify behind the program above: inside of the call. */
SEC("tp_btf/sys_exit")
int BPF_PROG(tg_enforce_exit, struct pt_regs *regs, long result)
{
	__u64 number = 0;

	tg_peek(&number, (__u64)regs + TG_REGISTER_NUMBER, 8);
	tg_enforce_call(number);
	return 0;
}
