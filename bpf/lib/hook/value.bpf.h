/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_VALUE_H
#define TETRAGON_BPF_LIB_HOOK_VALUE_H

/*
 * Values of a hook while it decides. Numbers stay on the stack; everything else is read into a scratch buffer, in the
 * layout in which it is reported (shared/hook_args.h).
 */

#include "lib/base.bpf.h"
#include "shared/hook.h"
#include "shared/hook_args.h"
#include "shared/scratch.h"

/* How a program of each type hands its arguments over. Always a compile-time constant. */
enum tg_context {
	TG_CONTEXT_KPROBE, /* pt_regs; with TG_HOOK_SYSCALL the arguments are in the pt_regs that the first points to */
	TG_CONTEXT_TRAMPOLINE, /* fentry, fexit, LSM: bpf_get_func_arg */
	TG_CONTEXT_RAW,	       /* raw_tp, tp_btf: array of 64-bit words */
	TG_CONTEXT_RECORD,     /* classic tracepoint: its record */
	TG_CONTEXT_UPROBE,     /* pt_regs of user space */
	TG_CONTEXT_SYSCALL,    /* tp_btf sys_enter { regs, id }, sys_exit { regs, result } */
};

#define TG_VALUE_BYTES 4224 /* a path of 4096 bytes with its fixed part, or 4096 bytes of text */

struct tg_value {
	__s32 status;	 /* 0, or why it could not be read (negative errno) */
	__u32 size;	 /* of bytes in use */
	__u32 full_size; /* of the object, when more */
	__u32 flags;	 /* TG_ARG_* */
	char bytes[TG_VALUE_BYTES] __attribute__((aligned(8)));
};

/* What a call that matched leaves for its return (tg_calls). */
struct tg_call {
	__u64 id;
	__u64 ret; /* filled in at return; until then the frame of tg_call_key */
	__u32 instance;
	__u8 selector;
	__u8 again;   /* bit n: slot n is read when the function returns */
	__u16 silent; /* 1: the entry was not reported */
	__u32 tid;    /* that the entry's record has, with TG_HOOK_TRACKED_SOCKS */
	__u32 reserved;
	struct {
		__u64 raw;  /* what its load gave at entry */
		__u64 size; /* from its size argument */
	} slots[TG_HOOK_ARGS];
};

/* Work space of one hit; claimed by whoever needs it first, see scratch.bpf.h. A per-CPU element may have 32 KiB. */
struct tg_hook_scratch {
	struct tg_hook_record record; /* in front: the values are moved together behind it when they are sent */
	struct tg_value values[TG_HOOK_SLOTS];
	char work[4096 + 256]; /* for readers: a name behind the last position needs no second bound check */
	__u64 work_pos;
	struct tg_call call; /* not on the stack: it is short */
	__u64 record_size;   /* so far */
	__u64 context;	     /* address of the program's context; text of tracepoint records is found from there */
	struct tg_chain chain;
	__u64 number; /* element of the map that this is, once claimed */
	__u64 owner;  /* 0: free; 1: a hook decides; else the context of the program whose chain of actions runs */
};

_Static_assert(sizeof(struct tg_hook_scratch) <= 32768, "a per-CPU element has at most 32 KiB");
_Static_assert(sizeof(struct tg_hook_scratch) == TG_HOOK_SCRATCH_BYTES, "say the new size in shared/scratch.h");

/* A reader: fills *value from `raw` (the value that the slot's load gave: a pointer, a number, an offset). It sets
 * status on failure and never leaves a value empty without one. `slot` is a compile-time or verifier-time constant. */
#define TG_READER static __always_inline void

#endif
