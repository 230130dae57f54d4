/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_BASE_H
#define TETRAGON_BPF_LIB_BASE_H

/*
 * Lowest layer: base -> extract (task, path) -> emit. A lower layer never includes a higher one.
 *
 * A program file defines TG_TYPED before its first include when every program in it gets typed pointers from the
 * kernel (tp_btf, fentry, LSM): then tg_get is a plain load, otherwise a helper call.
 */

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat/kernel.bpf.h"
#include "shared/process.h"
#include "shared/record.h"

#ifdef TG_TYPED
/* Faults read as zero, so a NULL in a chain needs no test — except where kernels built by clang tag the pointer __rcu
 * (cred, cgroups, kernfs names): there the verifier wants one. */
#define tg_get(ptr, field) ((ptr)->field)
#else
#define tg_get(ptr, field) BPF_CORE_READ(ptr, field)
#endif

/*
 * Takes the verifier's trust from a typed pointer that is only read through. Since 6.4 (6fcd486b3a0a) every load of a
 * pointer through a trusted one makes the verifier look for the type's list of trusted members, a search through all of
 * the kernel's BTF: a millisecond each, most of the time that loading takes.
 */
#define tg_lighten(ptr)                                                                            \
	do {                                                                                       \
		if (TG_HAS_RDONLY_CAST)                                                            \
			(ptr) = bpf_rdonly_cast(ptr, bpf_core_type_id_kernel(__typeof__(*(ptr)))); \
	} while (0)

/* Hides from the compiler what it knows of a number, so that it keeps the bound check that the verifier needs. */
#define tg_opaque(value) asm volatile("" : "+r"(value))

/* Set by the host in every object that has them. */
const volatile __u16 tg_plugin_id = 0;
const volatile __u32 tg_wakeup_bytes = 128 * 1024;

/* Shared maps: the host creates them once and sets their real size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} tg_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_cpu_state);
} tg_cpu SEC(".maps");

static __always_inline struct tg_cpu_state *tg_cpu_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tg_cpu, &zero);
}

/* An interrupt may run another program on this CPU: hence atomic. */
static __always_inline void tg_count_loss(struct tg_cpu_state *cpu, enum tg_loss cause)
{
	if (cpu)
		__sync_fetch_and_add(&cpu->lost[cause], 1);
}

static __always_inline __u64 tg_now(void)
{
	return bpf_ktime_get_boot_ns();
}

#endif
