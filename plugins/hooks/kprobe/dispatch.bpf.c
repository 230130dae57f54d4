// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What every system call passes while a policy hooks one and the kernel has neither kprobes nor trampolines. */
#define TG_TYPED
#include "lib/hook/load.bpf.h"

#include "syscall_maps.bpf.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(tg_dispatch_enter, struct pt_regs *regs, long number)
{
	struct tg_syscall_hooks *hooks;
	__u32 key;

	if (!tg_syscall_key(number, &key))
		return 0;
	hooks = bpf_map_lookup_elem(&tg_sys_enters, &key);
	if (hooks && hooks->ids[0])
		bpf_tail_call(ctx, &tg_sys_enter_do, hooks->ids[0]);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tg_dispatch_exit, struct pt_regs *regs, long result)
{
	struct tg_syscall_hooks *hooks;
	__u64 number = 0;
	__u32 key;

	tg_peek(&number, (__u64)regs + TG_REGISTER_NUMBER, 8);
	if (!tg_syscall_key(number, &key))
		return 0;
	hooks = bpf_map_lookup_elem(&tg_sys_exits, &key);
	if (hooks && hooks->ids[0])
		bpf_tail_call(ctx, &tg_sys_exit_do, hooks->ids[0]);
	return 0;
}

char tg_license[] SEC("license") = "GPL";
