// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The engine in a program of every type that hooks use. A test loads one of these at a time. */

#include "vmlinux.h"

#include "lib/hook/hook.bpf.h"

SEC("kprobe")
int kind_kprobe(struct pt_regs *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_KPROBE);
}

SEC("kretprobe")
int kind_kretprobe(struct pt_regs *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_KPROBE, PT_REGS_RC(ctx));
}

SEC("uprobe")
int kind_uprobe(struct pt_regs *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_UPROBE);
}

SEC("uretprobe")
int kind_uretprobe(struct pt_regs *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_UPROBE, PT_REGS_RC(ctx));
}

SEC("tracepoint/sched/sched_process_fork")
int kind_record(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RECORD);
}

SEC("raw_tp/sched_process_exec")
int kind_raw(void *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RAW);
}

SEC("tp_btf/sys_enter")
int kind_sys_enter(__u64 *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_SYSCALL);
}

SEC("tp_btf/sys_exit")
int kind_sys_exit(__u64 *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_SYSCALL, ctx[1]);
}

SEC("fentry/security_file_permission")
int kind_fentry(__u64 *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_TRAMPOLINE);
}

SEC("fexit/security_file_permission")
int kind_fexit(__u64 *ctx)
{
	__u64 ret = 0;

	bpf_get_func_ret(ctx, &ret);
	return tg_hook_return(ctx, TG_CONTEXT_TRAMPOLINE, ret);
}

SEC("lsm/file_permission")
int kind_lsm(__u64 *ctx)
{
	tg_hook_enter(ctx, TG_CONTEXT_TRAMPOLINE);
	return 0;
}
