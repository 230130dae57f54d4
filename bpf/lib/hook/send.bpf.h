/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_SEND_H
#define TETRAGON_BPF_LIB_HOOK_SEND_H

/* The way out of a record that was built in a scratch; for the hook itself, and for the last action of its chain. */

#include "lib/hook/scratch.bpf.h"
#include "lib/ring.bpf.h"

/* Longest record: the arguments, and what actions put behind them. */
#define TG_REPORT_MAX __builtin_offsetof(struct tg_hook_scratch, work)

/* `post`: false when the record is held back. */
static __always_inline void tg_report_send(struct tg_hook_scratch *scratch, bool post)
{
	struct tg_hook_record *record = &scratch->record;
	__u64 size = *(volatile __u64 *)&scratch->record_size;

	if (!post) {
		/* The entry waits in user space for its return. */
		if (record->phase != TG_PHASE_RETURN)
			return;
		record->phase = TG_PHASE_CANCEL;
		record->arg_count = 0;
		size = sizeof(*record);
	}
	tg_opaque(size);
	if (size < sizeof(*record) || size > TG_REPORT_MAX)
		return;
	tg_output(record, size, TG_KIND_HOOK, tg_now());
}

#endif
