// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writes a record per getpgid(2) of one process. */
#include "lib/emit.bpf.h"
#include "lib/process_map.bpf.h"

const volatile __u32 target_tgid = 0;
const volatile __s64 target_syscall = 121;
__u64 writable;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} things SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} each SEC(".maps");

struct sample_record {
	struct tg_record head;
	__u64 argument;
};

SEC("raw_tp/sys_enter")
int on_syscall(struct bpf_raw_tracepoint_args *ctx)
{
	struct sample_record *rec;
	__u32 zero = 0, *own;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid || (__s64)ctx->args[1] != target_syscall)
		return 0;
	rec = tg_reserve(sizeof(*rec), 1, tg_now());
	if (!rec)
		return 0;
	own = bpf_map_lookup_elem(&each, &zero);
	rec->argument = own ? *own : 0;
	tg_submit(rec);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int second(void *ctx)
{
	writable++;
	return tg_process_find(1) != 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
