/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_RECORD_H
#define TETRAGON_BPF_SHARED_RECORD_H

/*
 * What kernel and user space agree on for every record in the ring buffer. Both sides compile this file; BPF programs
 * include vmlinux.h first, user space gets the types from <linux/types.h>.
 */

#ifndef __bpf__
#include <linux/types.h>
#endif

/* Head of every record.
 *
 *   0        4        6     8        12       16               24               32
 *   | size   | plugin | kind| cpu    | flags  | seq            | time_ns        | body …
 */
struct tg_record {
	__u32 size;    /* whole record with this head */
	__u16 plugin;  /* run-time number of the plugin, given by the host */
	__u16 kind;    /* the plugin's own number */
	__u32 cpu;     /* whose sequence `seq` counts; TG_CPU_USER: made in user space */
	__u32 flags;   /* TG_RECORD_* */
	__u64 seq;     /* per CPU, counts also the records that did not fit */
	__u64 time_ns; /* CLOCK_BOOTTIME */
};

#define TG_CPU_USER 0xffffffffu

/* Largest record: a per-CPU map value cannot be larger (PCPU_MIN_UNIT_SIZE, mm/percpu.c). */
#define TG_RECORD_MAX 32768
#define TG_DATA_MAX   (TG_RECORD_MAX - 48)

/* Why something that should have been reported was not; one counter per CPU and cause. */
enum tg_loss {
	TG_LOSS_RING_FULL,    /* ring buffer full: the record is gone */
	TG_LOSS_PROCESS_FULL, /* process map full: identity not kept, record sent */
	TG_LOSS_UNREADABLE,   /* memory could not be read: record sent, flagged */
	TG_LOSS_NO_SCRATCH,   /* no per-CPU buffer: the record is gone */
	TG_LOSS_COUNT,
};

/* Value of map tg_cpu (per-CPU array, one element). */
struct tg_cpu_state {
	__u64 seq;  /* number of the next record */
	__u64 data; /* number of the next out-of-line id */
	__u64 lost[TG_LOSS_COUNT];
};

#endif
