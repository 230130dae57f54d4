// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tracepoint signal_generate: runs in the sender's context for every signal that the kernel queues, whoever asked for it
 * (kill, tgkill, the kernel itself), and it has been there unchanged since 3.3. Its arguments are typed (tp_btf): the
 * verifier knows the pointers, so members are plain loads.
 */
#define TG_TYPED
#include "lib/emit.bpf.h"
#include "lib/process_map.bpf.h"

#include "signals.h"

/* Bit n: signal n is not reported. Known before load, so the verifier removes what is not used. */
const volatile __u64 ignored_signals = 0;

SEC("tp_btf/signal_generate")
int BPF_PROG(signals_generate, int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 sender = id >> 32;
	struct signals_sent *rec;
	struct tg_process *process;

	if (sig < 1 || sig > 64 || sender == (__u32)task->tgid)
		return 0;
	if (sig < 64 && ignored_signals & (1ULL << (sig & 63)))
		return 0;
	rec = tg_reserve(sizeof(*rec), SIGNALS_RECORD_SENT, tg_now());
	if (!rec)
		return 0;
	process = tg_process_find(sender);
	rec->sender.start_ns = process ? process->key.start_ns : 0;
	rec->sender.pid = sender;
	rec->sender.reserved = 0;
	rec->sender_tid = (__u32)id;
	rec->target_pid = task->tgid;
	rec->signal = sig;
	rec->result = result;
	bpf_probe_read_kernel(rec->target_comm, sizeof(rec->target_comm), task->comm);
	tg_submit(rec);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
