/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_IMA_H
#define TETRAGON_BPF_LIB_IMA_H

/*
 * The hash of a file, from the program that may wait for it to the one that reports it. Hashing reads the file: only
 * sleepable programs may ask for it, and those may not enter actions.
 */

#include "lib/base.bpf.h"

#define TG_IMA_DIGEST 64

struct tg_ima_hash {
	__u8 algorithm; /* enum hash_algo of the kernel */
	__u8 digest[TG_IMA_DIGEST];
	__u8 reserved[7];
};

/* Shared through the host. Key: as bpf_get_current_pid_tgid gives it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct tg_ima_hash);
} tg_ima_hashes SEC(".maps");

#endif
