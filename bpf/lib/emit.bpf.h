/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_EMIT_H
#define TETRAGON_BPF_LIB_EMIT_H

/*
 * Emit layer: a buffer in which records of variable size are built.
 *
 *   build in tg_scratch(), then tg_output(rec, size, KIND, time); see lib/ring.bpf.h
 */

#include "lib/ring.bpf.h"

struct tg_scratch {
	char bytes[TG_RECORD_MAX];
};

/* One per object: nothing else runs on this CPU while a program of the object builds a record in it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_scratch);
} tg_record_scratch SEC(".maps");

static __always_inline void *tg_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tg_record_scratch, &zero);
}

#endif
