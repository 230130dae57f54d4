/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_KPROBE_DISPATCH_H
#define TETRAGON_PLUGIN_KPROBE_DISPATCH_H

/*
 * Which hooks look at a system call. One program per direction is attached to the tracepoint that every system call
 * passes; it enters the first hook of this number, and each hook the next one.
 */

#ifndef __bpf__
#include <linux/types.h>
#endif

#define TG_SYSCALL_HOOKS 256   /* places for hooks; 0 is not used */
#define TG_SYSCALL_PER_CALL 12 /* hooks of one system call and direction */
#define TG_TAIL_CALLS 33       /* that the kernel runs one behind another: MAX_TAIL_CALL_CNT */

/* Element of tg_sys_enters, tg_sys_exits: number, or TG_SYSCALLS32 + number of the 32-bit ABI. */
struct tg_syscall_hooks {
  __u8 ids[TG_SYSCALL_PER_CALL]; /* places, in order; 0: the end */
  __u32 reserved;
};

#endif
