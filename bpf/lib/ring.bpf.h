/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_RING_H
#define TETRAGON_BPF_LIB_RING_H

/*
 * Emit layer: records into the ring buffer; where they are built is up to the caller (lib/emit.bpf.h has a buffer).
 *
 *   fixed size      rec = tg_reserve(sizeof(*rec), KIND, time); fill behind rec->head; tg_submit(rec);
 *   variable size   build in map memory, then tg_output(rec, size, KIND, time)
 *
 * Every record takes a number of its CPU, also when there is no room for it: user space sees the gap, and the cause is
 * counted. The number is a plain increment: atomic fetch-and-add exists since 5.12 (5ca419f2864a) and a program that
 * holds one is refused by 5.8 to 5.11. These programs are not preempted; an interrupt that emits exactly between the
 * load and the store would give one number twice.
 *
 * Wake-ups cost more than the record (600 ns against 30). By default the kernel wakes the reader only when it had
 * caught up; a reader that naps after each wake-up thus gets one per nap. When much waits, every 64th record wakes it
 * before the nap is over.
 */

#include "lib/base.bpf.h"

#define TG_WAKEUP_MASK 63

static __always_inline void tg_head(struct tg_record *head, __u64 seq, __u32 size, __u16 kind, __u64 time_ns)
{
	head->size = size;
	head->plugin = tg_plugin_id;
	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->flags = 0;
	head->seq = seq;
	head->time_ns = time_ns;
}

static __always_inline __u64 tg_wakeup_flags(__u64 seq)
{
	if ((seq & TG_WAKEUP_MASK) == TG_WAKEUP_MASK &&
	    bpf_ringbuf_query(&tg_ring, BPF_RB_AVAIL_DATA) > tg_wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return 0;
}

/* NULL: no room, counted. `size` is a constant. */
static __always_inline void *tg_reserve(__u32 size, __u16 kind, __u64 time_ns)
{
	struct tg_cpu_state *cpu = tg_cpu_state();
	struct tg_record *head;
	__u64 seq;

	if (!cpu)
		return 0;
	seq = cpu->seq++;
	head = bpf_ringbuf_reserve(&tg_ring, size, 0);
	if (!head) {
		tg_count_loss(cpu, TG_LOSS_RING_FULL);
		return 0;
	}
	tg_head(head, seq, size, kind, time_ns);
	return head;
}

static __always_inline void tg_submit(void *record)
{
	bpf_ringbuf_submit(record, tg_wakeup_flags(((struct tg_record *)record)->seq));
}

/* False: no room, counted. `size` must be provably at most TG_RECORD_MAX. */
static __always_inline bool tg_output(void *record, __u32 size, __u16 kind, __u64 time_ns)
{
	struct tg_cpu_state *cpu = tg_cpu_state();
	__u64 seq;

	if (!cpu)
		return false;
	seq = cpu->seq++;
	tg_head(record, seq, size, kind, time_ns);
	if (bpf_ringbuf_output(&tg_ring, record, size, tg_wakeup_flags(seq))) {
		tg_count_loss(cpu, TG_LOSS_RING_FULL);
		return false;
	}
	return true;
}

/* Id for out-of-line pieces: unique over the CPUs, never 0, top bit clear (user space sets it in its own). */
static __always_inline __u64 tg_data_id(struct tg_cpu_state *cpu)
{
	return ((__u64)(bpf_get_smp_processor_id() + 1) << 40) | (++cpu->data & 0xffffffffffULL);
}

#endif
