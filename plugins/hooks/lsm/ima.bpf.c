// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Before tg_lsm on the same hook: the hash of the file it is about. IMA hashes the file if it has not yet. */
#include "lib/ima.bpf.h"

/* Which argument of the hook is the file, or the program whose file it is. */
const volatile __u32 tg_ima_argument = 0;
const volatile bool tg_ima_is_program = false;

static __always_inline void *ima_argument(__u64 *ctx)
{
	switch (tg_ima_argument) {
	case 0: return (void *)ctx[0];
	case 1: return (void *)ctx[1];
	case 2: return (void *)ctx[2];
	default: return (void *)ctx[3];
	}
}

SEC("lsm.s")
int tg_ima(__u64 *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tg_ima_hash hash = {};
	struct file *file;
	long algorithm;

	if (tg_ima_is_program)
		file = ((struct linux_binprm *)ima_argument(ctx))->file;
	else
		file = ima_argument(ctx);
	bpf_map_delete_elem(&tg_ima_hashes, &thread);
	if (!file)
		return 0;
	algorithm = bpf_ima_file_hash(file, hash.digest, sizeof(hash.digest));
	if (algorithm < 0)
		return 0;
	hash.algorithm = algorithm;
	bpf_map_update_elem(&tg_ima_hashes, &thread, &hash, BPF_ANY);
	return 0;
}

char tg_license[] SEC("license") = "GPL";
