/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_OBJECT_H
#define TETRAGON_BPF_LIB_HOOK_OBJECT_H

/* What the readers of kernel objects share. */

#include <asm-generic/errno-base.h>

#include "lib/hook/value.bpf.h"
#include "lib/path_walk.bpf.h"

/*
 * Runs a function twice in the source and once in the kernel: its last parameter `typed` says that addresses can be
 * made typed pointers, so that members are plain loads. The constant is known at load, the verifier drops the other.
 */
#define tg_both_ways(function, ...)                   \
	do {                                          \
		if (TG_HAS_RDONLY_CAST)               \
			function(__VA_ARGS__, true);  \
		else                                  \
			function(__VA_ARGS__, false); \
	} while (0)

/* Kernel addresses have the top bit set on x86_64 and arm64. */
#define tg_is_kernel_address(address) ((__s64)(address) < 0)

static __always_inline void tg_value_fail(struct tg_value *value, __s32 status)
{
	value->status = status;
	value->size = 0;
	value->full_size = 0;
	value->flags = 0;
}

static __always_inline void tg_value_done(struct tg_value *value, __u32 size)
{
	value->status = 0;
	value->size = size;
	value->full_size = size;
	value->flags = 0;
}

/* False, and the value failed: NULL, a user address, or an error in the place of a pointer (ERR_PTR). */
static __always_inline bool tg_value_object(struct tg_value *value, __u64 raw)
{
	if (!tg_is_kernel_address(raw)) {
		tg_value_fail(value, -EFAULT);
		return false;
	}
	if (raw >= (__u64)-4095) {
		tg_value_fail(value, (__s32)raw);
		return false;
	}
	return true;
}

/* User or kernel memory, by the address. */
static __always_inline long tg_read_memory(void *to, __u32 size, __u64 address)
{
	if (tg_is_kernel_address(address))
		return bpf_probe_read_kernel(to, size, (const void *)address);
	return bpf_probe_read_user(to, size, (const void *)address);
}

/* Zeroes the fixed part of a value; `type` is a struct of shared/hook_args.h. */
#define tg_value_as(type, value)                            \
	({                                                  \
		struct type *__as = (void *)(value)->bytes; \
		__builtin_memset(__as, 0, sizeof(*__as));   \
		__as;                                       \
	})

#endif
