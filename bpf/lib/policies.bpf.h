/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_POLICIES_H
#define TETRAGON_BPF_LIB_POLICIES_H

/* The modes of policies; shared through the host, which alone writes it. */

#include "lib/base.bpf.h"
#include "shared/action.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TG_POLICIES);
	__type(key, __u32);
	__type(value, struct tg_policy_state);
} tg_policies SEC(".maps");

#endif
