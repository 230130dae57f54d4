/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_HOOK_H
#define TETRAGON_BPF_SHARED_HOOK_H

/*
 * Hooks of policies: what the policy compiler tells the engine (bpf/lib/hook), and what the engine reports. One BPF
 * object is opened per hook; the host writes `struct tg_hook_config` into its constant `tg_hook` before load, so the
 * verifier removes what the policy does not use. Only sets that can be large live in maps.
 */

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "record.h"
#include "process.h"
#include "action.h"

#define TG_HOOK_ARGS	    5 /* values of a hook: args, then data */
#define TG_HOOK_SLOTS	    6 /* and the return value */
#define TG_HOOK_RETURN_SLOT 5
/* Slots of values that are no arguments: stack traces (addresses of 8 bytes, innermost first), hash of the file. */
#define TG_SLOT_KERNEL_STACK 64
#define TG_SLOT_USER_STACK   65
#define TG_SLOT_IMA_HASH     66 /* first byte: enum hash_algo of the kernel */
#define TG_HOOK_EXTRAS	     3
#define TG_HOOK_SELECTORS    5
#define TG_HOOK_FILTERS	     5 /* matchArgs + matchData of one selector; as many matchReturnArgs */
#define TG_HOOK_STEPS	     10
#define TG_HOOK_RANGES	     8
#define TG_HOOK_VALUES	     8
#define TG_HOOK_NAMESPACES   10
#define TG_HOOK_CEL	     64

/* ---- what a slot holds: how the value is found ------------------------------------------------------------------ */

enum tg_from {
	TG_FROM_NONE,	/* slot not used */
	TG_FROM_ARG,	/* argument `index` of the function (of the tracepoint's prototype, of the syscall) */
	TG_FROM_RETURN, /* return value */
	/* `width` bytes at `offset` of the context: a field of a classic tracepoint's record, a register of pt_regs */
	TG_FROM_CONTEXT,
	TG_FROM_TASK,		 /* struct task_struct * of the current task */
	TG_FROM_CONSTANT,	 /* `constant` */
	TG_FROM_REGISTER_MEMORY, /* user memory: `width` bytes at (register at `offset` of the context) + `constant` */
};

/* tg_load.flags */
enum {
	TG_LOAD_ADDRESS = 1, /* the last step only adds: the value is the address of the member */
	TG_LOAD_SIGNED = 2,
	TG_LOAD_USER = 4, /* steps go through user memory (uprobe with btfType) */
};

/* value = start; every step but the last: value = *(void **)(value + step). Last step: `width` bytes at value + step,
 * or that address (TG_LOAD_ADDRESS). A NULL or unreadable pointer on the way: the slot has status -EFAULT. */
struct tg_load {
	__u8 from; /* enum tg_from */
	__u8 index;
	__u8 width;	 /* bytes of the value, 1, 2, 4 or 8; narrower ones are sign- or zero-extended to 64 bits */
	__u8 flags;	 /* TG_LOAD_* */
	__u8 step_count; /* 0: the value itself */
	__u8 bit_offset; /* of a bit field inside `width` bytes (little-endian counting) */
	__u8 bit_size;	 /* 0: no bit field */
	__u8 reserved;
	__s32 offset;
	__s32 reserved2;
	__s64 constant;
	__s32 steps[TG_HOOK_STEPS];
};

/* ---- types ----------------------------------------------------------------------------------------------------- */

/* What the engine reads at the value, and the layout it reports (hook_args.h). The policy's type names map to these;
 * types of other plugins map to TG_TYPE_RANGES or to one of these. */
enum tg_type {
	TG_TYPE_NONE,
	TG_TYPE_NUMBER,	     /* the value: 8 bytes, extended by the load */
	TG_TYPE_STRING,	     /* NUL-terminated text, user or kernel memory by its address */
	TG_TYPE_BYTES,	     /* char_buf: size from another argument */
	TG_TYPE_IOVEC,	     /* char_iovec: array of struct iovec in user memory, count from another argument */
	TG_TYPE_IOV_ITER,    /* struct iov_iter * */
	TG_TYPE_FILENAME,    /* struct filename * */
	TG_TYPE_DATA_LOC,    /* __data_loc word of a tracepoint's record: offset in the low, size in the high 16 bits */
	TG_TYPE_FILE,	     /* struct file * */
	TG_TYPE_PATH,	     /* struct path * */
	TG_TYPE_DENTRY,	     /* struct dentry *: path inside of its file system */
	TG_TYPE_FD,	     /* number of a file descriptor of the current task */
	TG_TYPE_KIOCB,	     /* struct kiocb * */
	TG_TYPE_BINPRM,	     /* struct linux_binprm * */
	TG_TYPE_NET_DEVICE,  /* struct net_device * */
	TG_TYPE_SOCK,	     /* struct sock * */
	TG_TYPE_SOCKET,	     /* struct socket * */
	TG_TYPE_SKB,	     /* struct sk_buff * */
	TG_TYPE_SOCKADDR,    /* struct sockaddr *, kernel or user memory, inet families */
	TG_TYPE_SOCKADDR_UN, /* struct sockaddr_un *; size from another argument when the policy names one */
	TG_TYPE_CRED,	     /* struct cred * */
	TG_TYPE_USER_NS,     /* struct user_namespace * */
	TG_TYPE_CAP_SET,     /* kernel_cap_t * (the address of the set) */
	TG_TYPE_BPF_ATTR,    /* union bpf_attr *, user or kernel memory */
	TG_TYPE_BPF_MAP,     /* struct bpf_map * */
	TG_TYPE_BPF_PROG,    /* struct bpf_prog * */
	TG_TYPE_PERF_EVENT,  /* struct perf_event * */
	TG_TYPE_MODULE,	     /* struct module * */
	TG_TYPE_LOAD_INFO,   /* struct load_info * */
	TG_TYPE_SYSCALL,     /* number of a system call; bit 31: 32-bit ABI */
	TG_TYPE_RANGES,	     /* byte ranges at the value, one behind the other */
	TG_TYPE_FIXED_BYTES, /* `limit` bytes at the value (const_buf); in a context: at offset `load.offset` of it */
	TG_TYPE_COUNT,
};

/* tg_slot_config.flags */
enum {
	TG_SLOT_FILTER = 1,	   /* a selector looks at it: read before the decision */
	TG_SLOT_AT_RETURN = 2,	   /* read when the function returns (returnCopy); the pointer is kept meanwhile */
	TG_SLOT_MAX_DATA = 4,	   /* TG_TYPE_BYTES: what exceeds the record goes ahead in pieces */
	TG_SLOT_HIDDEN = 8,	   /* read for a filter or as a size, not reported */
	TG_SLOT_SIZE_CONTEXT = 16, /* size_from is not an argument but an offset (size_offset) in the context */
};

struct tg_slot_config {
	struct tg_load load;
	__u8 type;	/* enum tg_type */
	__u8 flags;	/* TG_SLOT_* */
	__u8 size_from; /* 1-based argument that says how many bytes or elements; 0: none */
	__u8 range_count;
	__u16 size_offset; /* with TG_SLOT_SIZE_CONTEXT; size_width bytes there */
	__u8 size_width;
	__u8 reserved;
	__u32 limit; /* most bytes reported in the record */
	__u32 reserved2;
	struct {
		__u32 offset, size;
	} ranges[TG_HOOK_RANGES]; /* TG_TYPE_RANGES */
};

/* ---- filters: primitives to which operators are lowered ---------------------------------------------------------- */

enum tg_filter_op {
	TG_OP_NONE,
	/* numbers: TG_TYPE_NUMBER, TG_TYPE_SYSCALL, TG_TYPE_CAP_SET */
	TG_OP_EQUAL,   /* one of values[] */
	TG_OP_GREATER, /* greater than one of values[] */
	TG_OP_LESS,
	TG_OP_MASK,   /* value & one of values[] != 0 */
	TG_OP_RANGE,  /* in one of the pairs values[2n] .. values[2n+1], both included */
	TG_OP_IN_SET, /* in number set `set` (tg_numbers) */
	/* text: TG_TYPE_STRING, _BYTES, _FILENAME, _DATA_LOC, _NET_DEVICE, paths, _SOCKADDR_UN */
	TG_OP_TEXT_EQUAL, /* in text set `set` */
	TG_OP_TEXT_PREFIX,
	TG_OP_TEXT_POSTFIX,
	TG_OP_TEXT_SUBSTRING, /* needs bpf_strnstr or bpf_strncasestr, else done by comparing at each place */
	TG_OP_TEXT_SUBSTRING_NOCASE,
	/* network: TG_TYPE_SOCK, _SOCKET, _SKB, _SOCKADDR */
	TG_OP_SADDR, /* in address set `set`; values[0]: TG_ADDRESSES_* */
	TG_OP_DADDR,
	TG_OP_SPORT, /* in number set `set`, or in one of the pairs values[] when value_count != 0 */
	TG_OP_DPORT,
	TG_OP_PROTOCOL, /* one of values[] */
	TG_OP_FAMILY,
	TG_OP_STATE,
	/* others */
	TG_OP_FILE_TYPE,   /* (mode & S_IFMT) is one of values[]: file, path types */
	TG_OP_CAPS_GAINED, /* set in `slot` (new) has bits that `slot2` (old) lacks */
	TG_OP_CEL,	   /* expression `set` of tg_hook_config.cel, result != 0 */
};

/* A slot that could not be read matches no operator; so it matches every negated one. An expression is false then. */
/* tg_filter.flags */
enum {
	TG_FILTER_NOT = 1,    /* the operator's negation */
	TG_FILTER_SIGNED = 2, /* numbers compare as signed */
};

struct tg_filter {
	__u8 op; /* enum tg_filter_op */
	__u8 slot;
	__u8 slot2;
	__u8 flags;	  /* TG_FILTER_* */
	__u8 value_count; /* elements of values[] in use; pairs count as two */
	__u8 reserved[3];
	__u32 set; /* number of the set in the hook's maps; 1-based */
	/* Text sets: shortest and longest text of the set, so that others are rejected by their length. */
	__u16 min_size, max_size;
	__u64 values[TG_HOOK_VALUES]; /* extended like the slot's value */
};

/* Expressions on numbers, in postfix order over a stack of at most 8; comparison gives 0 or 1. */
enum tg_cel_op {
	TG_CEL_END,
	TG_CEL_CONST,
	TG_CEL_SLOT, /* value of slot `arg` */
	TG_CEL_ADD,
	TG_CEL_SUB,
	TG_CEL_MUL,
	TG_CEL_DIV,
	TG_CEL_MOD,
	TG_CEL_NEG,
	TG_CEL_EQ,
	TG_CEL_NE,
	TG_CEL_LT,
	TG_CEL_LE,
	TG_CEL_GT,
	TG_CEL_GE, /* signed; `arg` 1: unsigned; DIV, MOD too */
	TG_CEL_AND,
	TG_CEL_OR,
	TG_CEL_NOT,
	TG_CEL_SELECT, /* c ? a : b, pushed in this order */
};
struct tg_cel_step {
	__u8 op;
	__u8 arg;
	__u8 reserved[6];
	__u64 value;
};

/* ---- selectors ---------------------------------------------------------------------------------------------------- */

enum { TG_MATCH_ANY, TG_MATCH_IN, TG_MATCH_NOT_IN };

/* tg_pid_match.flags */
enum {
	TG_PID_NAMESPACE = 1, /* compare the pid of the innermost pid namespace */
	TG_PID_FOLLOW = 2,    /* or a descendant of such a process: group bit `group` */
};
struct tg_pid_match {
	__u8 op; /* TG_MATCH_* */
	__u8 flags;
	__u16 group;	  /* with TG_PID_FOLLOW: bit in tg_process.groups */
	__u8 value_count; /* up to 4 values here, else number set `set` */
	__u8 reserved[3];
	__u32 set;
	__u32 values[4];
};

struct tg_group_match { /* matchBinaries, matchParentBinaries: one bit of tg_process.groups / .parent_groups */
	__u8 op;	/* TG_MATCH_* */
	__u8 reserved;
	__u16 group;
};

struct tg_namespace_match {
	__u8 op; /* TG_MATCH_* */
	__u8 ns; /* enum tg_ns */
	__u8 value_count;
	__u8 reserved;
	__u32 set; /* number set when more than 4 values */
	__u32 values[4];
};

struct tg_cap_match {
	__u8 op;	 /* TG_MATCH_*: any of mask is set / none of mask is set */
	__u8 namespaced; /* only in another user namespace than the host's */
	__u8 reserved[6];
	__u64 mask;
};

enum { TG_CAPS_EFFECTIVE, TG_CAPS_INHERITABLE, TG_CAPS_PERMITTED, TG_CAPS_KINDS };

/* tg_selector.flags */
enum {
	TG_SELECTOR_NO_POST = 1,	/* matched, but not reported */
	TG_SELECTOR_NO_RETURN_POST = 2, /* likewise when the function returns */
};

struct tg_selector {
	__u8 filter_count, return_filter_count, namespace_count, flags;
	__u8 ns_changes_op;  /* TG_MATCH_* over ns_changes: a namespace differs from the one at exec or fork */
	__u8 cap_changes_op; /* likewise: a capability of cap_changes in set cap_changes_kind differs */
	__u8 cap_changes_kind;
	__u8 reserved;
	__u32 ns_changes; /* bit n: enum tg_ns */
	struct tg_group_match binaries, parent_binaries;
	__u16 first_action, first_return_action; /* elements of tg_actions, tg_return_actions; 0: none */
	__u64 cap_changes;
	struct tg_pid_match pids;
	__u32 reserved3;
	struct tg_cap_match caps[TG_CAPS_KINDS];
	struct tg_namespace_match namespaces[TG_HOOK_NAMESPACES];
	struct tg_filter filters[TG_HOOK_FILTERS];
	struct tg_filter return_filters[TG_HOOK_FILTERS];
};

/* ---- the hook ------------------------------------------------------------------------------------------------------ */

/* tg_hook_config.flags */
enum {
	TG_HOOK_HAS_RETURN = 1, /* reported when it returns: entry and return are one event */
	TG_HOOK_SYSCALL = 2,	/* arguments are those of a system call */
	TG_HOOK_BY_NUMBER =
		4,	      /* syscall backend: only the system calls in tg_syscalls, which also gives the instance */
	TG_HOOK_COOKIE = 8,   /* the instance is the attach cookie */
	TG_HOOK_STRNSTR = 16, /* this kernel has bpf_strnstr (6.17); else substrings are searched place by place */
	TG_HOOK_STRNCASESTR = 32,     /* bpf_strncasestr */
	TG_HOOK_ACTIONS = 64,	      /* a selector has actions that run in the kernel: tg_actions is there */
	TG_HOOK_RETURN_ACTIONS = 128, /* likewise tg_return_actions */
	TG_HOOK_FOLLOWED_FDS =
		256, /* the policy has FollowFD or CopyFD, the hook a descriptor: tg_followed_fds is there */
	TG_HOOK_TRACKED_SOCKS = 512, /* the policy has TrackSock, the hook a socket: tg_tracked_socks is there */
};

/* tg_hook_config.uses: for functions of the engine that the verifier looks at by themselves, not knowing for which filter
 * or slot they are called. */
enum {
	TG_USES_NUMBERS = 1, /* tg_numbers was created; and so on */
	TG_USES_PREFIXES = 2,
	TG_USES_POSTFIXES = 4,
	TG_USES_SUBSTRINGS = 8,
	TG_USES_ADDRESSES4 = 16,
	TG_USES_ADDRESSES6 = 32,
	TG_USES_PATHS = 64, /* a slot has a type with a path */
	TG_USES_NET = 128,  /* a slot has an address, a socket or a packet */
};

#define TG_SYSCALLS32 512 /* tg_syscalls: elements from here on are of the 32-bit ABI */

struct tg_hook_config {
	__u32 id; /* run-time number of the hook: goes into its records */
	__u32 flags;
	__u32 selector_count; /* 0: everything matches */
	__u32 slot_count;
	__u32 host_user_ns; /* inode numbers of pid 1's namespaces, for "namespaced" tests */
	__u32 policy;	    /* serial of the policy, see tg_action_step.serial */
	struct tg_slot_config slots[TG_HOOK_SLOTS];
	struct tg_selector selectors[TG_HOOK_SELECTORS];
	struct tg_cel_step cel[TG_HOOK_CEL]; /* expressions one behind the other; tg_filter.set: 1-based first step */
	__u32 text_maps;		     /* bit n: the map of the n-th of TG_TEXT_SIZES was created */
	__u32 uses;			     /* TG_USES_* */
};

/* ---- maps of a hook (each holds all sets of its kind; sized by what the policy holds, not created when empty) --------- */

struct tg_number_key { /* tg_numbers: hash, value __u8 */
	__u32 set;
	__u32 reserved;
	__u64 value;
};

/* Text sets for Equal: one hash per key size. tg_text_24 … tg_text_4096: { set, size, bytes padded with zeros }; value
 * __u8. A text goes into the smallest that holds it. */
#define TG_TEXT_SIZES	   24, 48, 72, 96, 120, 144, 256, 512, 1024, 2048, 4096
#define TG_TEXT_SIZE_COUNT 11
struct tg_text_head {
	__u32 set;
	__u32 size;
};

/* tg_prefixes, tg_postfixes (bytes reversed): LPM tries, value __u8; prefix_bits counts the set number too. */
/* The kernel's tries take 256 bytes with the set number. Prefixes of 253 to 256 bytes are in the text sets instead: the
 * filter's values[] are their lengths (value_count of them), and the first so many bytes are looked up there. */
#define TG_PREFIX_MAX  252
#define TG_POSTFIX_MAX 127
struct tg_prefix_key {
	__u32 prefix_bits;
	__u8 set[4]; /* big-endian */
	__u8 bytes[252];
};
struct tg_postfix_key {
	__u32 prefix_bits;
	__u8 set[4];
	__u8 bytes[128];
};

/* tg_substrings: array; element n belongs to the filter whose `set` - 1 <= n < set - 1 + value_count. */
#define TG_SUBSTRING_MAX	100 /* with a NUL at the end */
#define TG_SUBSTRINGS_OF_FILTER 100
struct tg_substring {
	__u32 size;
	char text[TG_SUBSTRING_MAX];
};

/* tg_addresses4, tg_addresses6: LPM tries, value __u8. The filter's values[0] says which of the two the set is in. */
enum { TG_ADDRESSES_V4 = 1, TG_ADDRESSES_V6 = 2 };
struct tg_address4_key {
	__u32 prefix_bits;
	__u8 set[4];
	__u8 address[4];
};
struct tg_address6_key {
	__u32 prefix_bits;
	__u8 set[4];
	__u8 address[16];
};

/* ---- records ------------------------------------------------------------------------------------------------------- */

#define TG_KIND_HOOK	  1 /* every hook plugin of policies uses these kinds */
#define TG_KIND_HOOK_DATA 2 /* a piece of TG_SLOT_MAX_DATA: struct tg_hook_data */

enum {
	TG_PHASE_ONLY,	/* complete */
	TG_PHASE_ENTER, /* the one with TG_PHASE_RETURN and the same `call` completes it */
	TG_PHASE_RETURN,
	TG_PHASE_CANCEL, /* the call of that ENTER returned and its return filters did not match: no event */
};

struct tg_hook_record {
	struct tg_record head;
	struct tg_process_key process; /* start_ns 0: unknown to the process map */
	__u32 tid;
	__u32 hook;	/* tg_hook_config.id */
	__u32 instance; /* which of the hook's functions, in the order the host attached them */
	__u8 phase;	/* TG_PHASE_* */
	__u8 selector;	/* that matched, 0-based; 255: the hook has none */
	__u8 arg_count;
	__u8 action; /* enum tg_action_code of the last action that ran in the kernel; 0: none */
	__u64 call;  /* of ENTER and RETURN: unique among the open calls */
		     /* arg_count times struct tg_hook_arg and its bytes, each beginning at a multiple of 8 */
};

struct tg_hook_arg {
	__u8 slot;
	__u8 flags; /* TG_ARG_* */
	__u16 reserved;
	__s32 status;	 /* 0, or the negative errno with which it could not be read; then size is 0 */
	__u32 size;	 /* bytes that follow */
	__u32 full_size; /* of the object, when more than `size` (text and bytes) */
};
enum {
	TG_ARG_TRUNCATED = 1,
	TG_ARG_PIECES = 2, /* bytes went ahead as TG_KIND_HOOK_DATA; the 8 bytes that follow are their id */
};

#define TG_HOOK_DATA_MAX 327360 /* bytes of one argument that are sent in pieces; what is behind is cut off */
struct tg_hook_data {
	struct tg_record head;
	__u64 id;
	__u32 piece_size;
	__u32 reserved;
	/* the piece follows */
};

#endif
