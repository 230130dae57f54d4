/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_ACTION_H
#define TETRAGON_BPF_SHARED_ACTION_H

/*
 * Actions that run in the kernel. Each action of a selector is a program of its own, loaded as the type of the hook it
 * follows, with `struct tg_action_step` in its constant `tg_step`. The hook builds its record, enters the first program
 * through its program array, each program enters the next one, and the last one sends the record (lib/action.bpf.h).
 */

#ifndef __bpf__
#include <linux/types.h>
#endif

/* Program arrays of a hook, one for the entry and one for the return. Element 0: what the hook's plugin wants to run when
 * the chain has ended (empty for most); 1 and above: steps. */
#define TG_ACTION_AFTER	   0
#define TG_ACTION_STEPS	   15 /* of all selectors of a hook, per array */
#define TG_ACTION_ELEMENTS (1 + TG_ACTION_STEPS)

/* What events say was done: KprobeAction of the API. */
enum tg_action_code {
	TG_ACTION_UNKNOWN, /* a plugin's own */
	TG_ACTION_POST,
	TG_ACTION_FOLLOWFD,
	TG_ACTION_SIGKILL,
	TG_ACTION_UNFOLLOWFD,
	TG_ACTION_OVERRIDE,
	TG_ACTION_COPYFD,
	TG_ACTION_GETURL,
	TG_ACTION_DNSLOOKUP,
	TG_ACTION_NOPOST,
	TG_ACTION_SIGNAL,
	TG_ACTION_TRACKSOCK,
	TG_ACTION_UNTRACKSOCK,
	TG_ACTION_NOTIFYENFORCER,
	TG_ACTION_CLEANUPENFORCERNOTIFICATION,
	TG_ACTION_SET,
	TG_ACTION_CODES
};

/* tg_action_step.flags */
enum {
	TG_STEP_ENFORCES = 1, /* not in monitor mode, not on pid 1 and the daemon */
	TG_STEP_RETURN = 2,   /* of matchReturnActions */
	TG_STEP_CALLS = 4,    /* the return is reported as well: tg_calls is there */
};

/* tg_action_step.deliver: how a verdict comes into force when the chain has ended. */
enum {
	TG_DELIVER_NONE,
	TG_DELIVER_VALUE,      /* the program's value is the answer: LSM */
	TG_DELIVER_TRAMPOLINE, /* left in tg_verdicts for a program on the same trampoline (fmod_ret) */
	TG_DELIVER_KPROBE,     /* left in tg_verdicts for a second kprobe on the same function */
	TG_DELIVER_REGISTERS,  /* uprobes: the action has changed the registers itself */
};

/* tg_action_step.options: Post */
enum {
	TG_POST_KERNEL_STACK = 1,
	TG_POST_USER_STACK = 2,
	TG_POST_IMA_HASH = 4,
};
enum { TG_RATE_THREAD, TG_RATE_PROCESS, TG_RATE_GLOBAL };

#define TG_NO_SLOT 255

/* uprobe Override: one register of the process is set. */
enum {
	TG_REGISTER_SET_CONSTANT, /* value */
	TG_REGISTER_SET_REGISTER, /* register at `from`, plus value */
	TG_REGISTER_SET_MEMORY,	  /* 8 bytes of user memory at (register at `from`) + value */
};
#define TG_REGISTER_SETS 8
struct tg_register_set {
	__u16 to;   /* offset in struct pt_regs */
	__u16 from; /* likewise */
	__u8 how;   /* TG_REGISTER_SET_* */
	__u8 width; /* bytes of the register that are set: 1, 2, 4 or 8; 4 clears the upper half */
	__u8 reserved[2];
	__s64 value;
};

/* One action as the policy wrote it. A constant of the action's program. */
struct tg_action_step {
	__u16 next;   /* element of the program array; 0: the chain ends here */
	__u16 policy; /* element of tg_policies */
	__u8 code;    /* enum tg_action_code */
	__u8 name;    /* which of the plugin's names, in the order it registered them */
	__u8 flags;   /* TG_STEP_* */
	__u8 deliver; /* TG_DELIVER_* */
	__u8 after;   /* 1: TG_ACTION_AFTER is there */
	/* Slots of the hook, or TG_NO_SLOT: argFd, argName, argSock, argIndex. */
	__u8 fd_slot, name_slot, sock_slot, index_slot;
	__u8 selector;
	__u8 skip_frames; /* of the kernel's stack, between the hooked code and the program's caller; the host sets it */
	__u8 set_count;
	__s32 error;  /* argError */
	__u32 signal; /* argSig */
	__u32 value;  /* argValue */
	__u32 options;
	__u32 rate_scope;
	__u32 hook;		/* tg_hook_config.id */
	__u64 rate_interval_ns; /* 0: no limit */
	struct tg_register_set sets[TG_REGISTER_SETS];
	__u32 serial; /* of the policy: another one each time that one is loaded */
	__u32 reserved;
};

/* ---- what a chain works on, in the hook's scratch ------------------------------------------------------------------ */

struct tg_chain {
	__u64 raw[6];	  /* what the slots' loads gave */
	__u16 args_at[6]; /* where each slot's struct tg_hook_arg is, from the record's begin; 0: not in the record */
	__u8 post;	  /* 1: the record is sent at the end */
	__u8 action;	  /* code of the last action that ran, 0: none */
	__u8 has_verdict;
	__u8 reserved;
	__s64 verdict; /* what the hooked function answers instead */
};

/* ---- shared maps ---------------------------------------------------------------------------------------------------- */

/* tg_policies: array, by number of the policy. User space writes it: switching is one store. */
#define TG_POLICIES 1024
enum { TG_MODE_MONITOR, TG_MODE_ENFORCE };
struct tg_policy_state {
	__u32 mode; /* TG_MODE_* */
	/* Never hit: pid 1 and this process, unless the policy says so (TG_POLICY_UNGUARDED). */
	__u32 daemon;
	__u32 flags;
	__u32 reserved;
	__u64 daemon_start; /* when it began, in TG_TICK_NS since boot: after its death others may get its pid */
};
#define TG_TICK_NS 10000000
enum { TG_POLICY_UNGUARDED = 1 };

/* tg_action_counts: per-CPU array of one element, of each hook. */
struct tg_action_counts {
	__u64 done[TG_ACTION_CODES];
	__u64 monitored[TG_ACTION_CODES]; /* would have been done */
	__u64 failed[TG_ACTION_CODES];
	__u64 spared;	 /* pid 1 or the daemon would have been hit */
	__u64 broken;	 /* a program of the chain was missing */
	__u64 unclaimed; /* no work space: the chain did not run */
	__u64 limited;	 /* events held back by a rateLimit */
};

/* tg_verdicts: LRU hash; from the chain to the program that makes the function fail. */
struct tg_verdict_key {
	__u64 thread; /* as bpf_get_current_pid_tgid gives it */
	__u64 frame;  /* of the call */
};
struct tg_verdict {
	__s64 value;
	__u64 since_ns;
};
/* Older ones are of a call whose second program the kernel left out. */
#define TG_VERDICT_NS 10000000000ULL

#endif
