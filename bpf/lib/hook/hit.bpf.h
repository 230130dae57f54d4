/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_HIT_H
#define TETRAGON_BPF_LIB_HOOK_HIT_H

/* One hit while it is decided. Lives on the stack. */

#include "lib/hook/maps.bpf.h"
#include "lib/hook/scratch.bpf.h"
#include "lib/process_map.bpf.h"

/* One bit per slot, shifted by its number. */
#define TG_NOTE_LOADED (1UL << 0)  /* raw[] and the bit for failed are valid */
#define TG_NOTE_FILLED (1UL << 8)  /* scratch->values[] is valid */
#define TG_NOTE_FAILED (1UL << 16) /* the load failed */
/* Once. */
#define TG_NOTE_SOUGHT (1UL << 24) /* the process was looked up */
#define TG_NOTE_OWNED  (1UL << 25) /* it is the owner of a tracked socket, not the one that runs */

struct tg_hit {
	struct tg_hook_scratch *scratch; /* NULL: not claimed yet */
	struct tg_process *process;	 /* NULL: not looked up yet, or not known */
	__u64 notes;			 /* TG_NOTE_* */
	__u64 raw[TG_HOOK_SLOTS];	 /* at return: that of the return slot begins as the return value */
	__u64 unknown;			 /* zero, but the verifier does not know; see tg_hit_note */
	__u32 instance;
	__u16 again;	/* bit n: slot n has to be read again at return */
	bool returning; /* arguments were located at entry (scratch->call); the registers are gone */
};

/* Slots of the loop below have known numbers; the verifier follows each round. Rolled: the code stays small. */
#define TG_ROLLED _Pragma("clang loop unroll(disable)")

/*
 * A copy that the verifier does not connect with where it came from. Else a comparison that it goes through both ways
 * tells it the value in one of them, the states never look alike again, and five selectors of five filters take 300,000
 * instructions to verify instead of some thousand.
 */
#define tg_apart(value)                                  \
	({                                               \
		__u64 __apart = (value);                 \
		asm volatile("%0 |= 0" : "+r"(__apart)); \
		__apart;                                 \
	})

static __always_inline __u64 tg_unknown_zero(void)
{
	__u64 zero = bpf_get_current_task();

	asm volatile("%0 ^= %0" : "+r"(zero));
	return zero;
}

/*
 * Sets bits of the notes. As far as the verifier can tell, any of them may be set at any time: it
 * looks at both ways at each place, and the states are alike again behind it. If it knew, it would go through all that
 * follows once for each set of slots that the filters before can have read.
 */
static __always_inline void tg_hit_note(struct tg_hit *hit, __u64 bits)
{
	hit->notes = (hit->notes | bits) ^ hit->unknown;
}

static __always_inline void tg_hit_begin(struct tg_hit *hit)
{
	hit->unknown = tg_unknown_zero();
	hit->notes = hit->unknown;
}

/* Is the slot's value a number, decided upon without a scratch? */
static __always_inline bool tg_is_number(__u8 type)
{
	return type == TG_TYPE_NUMBER || type == TG_TYPE_SYSCALL || type == TG_TYPE_CAP_SET;
}

static __always_inline bool tg_hit_noted(const struct tg_hit *hit, __u64 bits)
{
	return tg_apart(hit->notes) & bits;
}

static __always_inline bool tg_hit_claim(struct tg_hit *hit)
{
	if (!hit->scratch)
		hit->scratch = tg_scratch_claim();
	return hit->scratch;
}

static __always_inline void tg_hit_release(struct tg_hit *hit)
{
	if (hit->scratch)
		tg_scratch_release(hit->scratch);
}

static __always_inline __u32 tg_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* NULL: the process map does not know it. */
static __always_inline struct tg_process *tg_hit_process(struct tg_hit *hit)
{
	if (!tg_hit_noted(hit, TG_NOTE_SOUGHT)) {
		tg_hit_note(hit, TG_NOTE_SOUGHT);
		hit->process = tg_process_find(tg_tgid());
	}
	return hit->process;
}

static __always_inline bool tg_hit_failed(const struct tg_hit *hit, __u32 slot)
{
	return tg_hit_noted(hit, TG_NOTE_FAILED << slot);
}

#endif
