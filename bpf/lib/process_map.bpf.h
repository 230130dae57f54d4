/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_PROCESS_MAP_H
#define TETRAGON_BPF_LIB_PROCESS_MAP_H

/* The process map: written by the process plugin, read by every hook. */

#include "lib/base.bpf.h"

/* Not preallocated: 232 bytes per live process instead of 7 MB at start. Before 6.1 the kernel warns once when a kprobe
 * program uses such a map (run-time allocation); tp_btf programs are not concerned. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct tg_process);
} execve_map SEC(".maps");

static __always_inline struct tg_process *tg_process_find(__u32 tgid)
{
	return bpf_map_lookup_elem(&execve_map, &tgid);
}

#endif
