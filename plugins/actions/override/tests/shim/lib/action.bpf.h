/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for bpf/lib/action.bpf.h: the helpers work on the memory of the test. */
#ifndef TETRAGON_TEST_ACTION_H
#define TETRAGON_TEST_ACTION_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <string.h>

#include "shared/action.h"

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

struct tg_hook_scratch;
extern struct tg_action_step tg_step;

long bpf_probe_read_kernel(void *to, __u32 size, const void *from);
/* Addresses below 4096 are not there. */
long bpf_probe_read_user(void *to, __u32 size, const void *from);
long bpf_probe_write_user(void *to, const void *from, __u32 size);

#define TG_REGISTER_STORE(at) memcpy((char *)ctx + (at), &value, 8)
#define TG_ACTION(function_)                                        \
	long test_##function_(void *ctx);                           \
	long test_##function_(void *ctx)                            \
	{                                                           \
		return function_(ctx, (struct tg_hook_scratch *)0); \
	}

#endif
