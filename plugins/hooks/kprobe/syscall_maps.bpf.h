/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_KPROBE_SYSCALL_MAPS_H
#define TETRAGON_PLUGIN_KPROBE_SYSCALL_MAPS_H

/* Maps that the dispatcher and all hooks share through the host. */

#include "dispatch.h"
#include "shared/hook.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * TG_SYSCALLS32);
	__type(key, __u32);
	__type(value, struct tg_syscall_hooks);
} tg_sys_enters SEC(".maps"), tg_sys_exits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TG_SYSCALL_HOOKS);
	__type(key, __u32);
	__type(value, __u32);
} tg_sys_enter_do SEC(".maps"), tg_sys_exit_do SEC(".maps");

/* Element of this system call; false: a number that nobody can ask for. */
static __always_inline bool tg_syscall_key(__u64 number, __u32 *key)
{
	if (number >= TG_SYSCALLS32)
		return false;
	*key = number;
	if (tg_syscall32())
		*key += TG_SYSCALLS32;
	return true;
}

#endif
