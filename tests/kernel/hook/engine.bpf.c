// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The engine in programs that BPF_PROG_TEST_RUN can run: the words of the context are the arguments. */

#include "vmlinux.h"

#include "lib/hook/hook.bpf.h"

struct made_object {
	__u64 address;
	char bytes[2040];
};

SEC("raw_tp/sys_enter")
int hook_enter(struct bpf_raw_tracepoint_args *ctx)
{
	return tg_hook_enter(ctx, TG_CONTEXT_RAW);
}

/* Word 0: the return value. */
SEC("raw_tp/sys_exit")
int hook_return(struct bpf_raw_tracepoint_args *ctx)
{
	return tg_hook_return(ctx, TG_CONTEXT_RAW, ctx->args[0]);
}

/* Objects that a test makes up; their addresses, as arguments of hits. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, struct made_object);
} made_objects SEC(".maps");

SEC("raw_tp/sys_enter")
int hook_made(struct bpf_raw_tracepoint_args *ctx)
{
	for (int n = 0; n < 5; n++) {
		__u32 place = n; /* a copy: one whose address is taken has no bounds for the verifier */
		struct made_object *made = bpf_map_lookup_elem(&made_objects, &place);

		if (made)
			*(void **)&made->address = made->bytes;
	}
	return 0;
}

/* What every hit costs without the engine. */
SEC("raw_tp/sys_enter")
int hook_empty(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}
