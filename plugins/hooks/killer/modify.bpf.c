// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One function through its trampoline: another value than 0 is its answer, and it does not run. `long`: system calls
 * answer 64 bits. */
#include "enforce.bpf.h"

SEC("fmod_ret")
long tg_enforce_modify(void *ctx)
{
	return tg_enforce();
}

/* For functions that no program may answer for. */
SEC("fentry")
int tg_enforce_entry(void *ctx)
{
	tg_enforce();
	return 0;
}
