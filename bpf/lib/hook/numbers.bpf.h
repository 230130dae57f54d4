/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_NUMBERS_H
#define TETRAGON_BPF_LIB_HOOK_NUMBERS_H

/* Filters on numbers. Operands are constants to the verifier; only tg_numbers is a look-up. */

#include "lib/hook/load.bpf.h"

static __always_inline bool tg_in_numbers(__u32 set, __u64 value)
{
	struct tg_number_key key = {.set = set, .value = value};

	return bpf_map_lookup_elem(&tg_numbers, &key);
}

static __always_inline bool tg_compare(__u64 a, __u64 b, bool is_signed, bool greater)
{
	if (greater)
		return is_signed ? (__s64)a > (__s64)b : a > b;
	return is_signed ? (__s64)a < (__s64)b : a < b;
}

static __always_inline bool tg_number_one(const volatile struct tg_filter *filter, __u8 op, __u64 value, __u32 i)
{
	__u64 operand = filter->values[i];
	bool is_signed = filter->flags & TG_FILTER_SIGNED;

	switch (op) {
	case TG_OP_GREATER: return tg_compare(value, operand, is_signed, true);
	case TG_OP_LESS: return tg_compare(value, operand, is_signed, false);
	case TG_OP_MASK: return value & operand;
	case TG_OP_RANGE:
		/* The bound is the next element; TG_HOOK_VALUES is even. */
		return !tg_compare(value, operand, is_signed, false) &&
		       !tg_compare(value, filter->values[(i + 1) & (TG_HOOK_VALUES - 1)], is_signed, true);
	default: return value == operand;
	}
}

/* One of values[], under the given operator. */
static __always_inline bool tg_number_values(const volatile struct tg_filter *filter, __u8 op, __u64 value)
{
	__u32 step = op == TG_OP_RANGE ? 2 : 1;
	__u32 count = filter->value_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_VALUES && i < count; i += step) {
		tg_opaque(i);
		if (tg_number_one(filter, op, value, i))
			return true;
	}
	return false;
}

/* Operators that only compare: the cheapest there are. */
static __always_inline bool tg_is_comparison(__u8 op)
{
	return op >= TG_OP_EQUAL && op <= TG_OP_RANGE;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */

#define TG_CEL_DEPTH 8

/* Comparisons without a branch: the verifier would go on from both results, again at every step. */
static __always_inline __u64 tg_is_set(__u64 value)
{
	__u64 minus = -value;

	tg_opaque(minus); /* or the compiler makes the branch */
	return (value | minus) >> 63;
}

/* Until BPF's v4 instructions (6.6) division is unsigned. By zero gives zero. */
static __always_inline __u64 tg_divide(__u64 a, __u64 b, bool is_signed, bool remainder)
{
	__u64 minus_a = is_signed ? -(a >> 63) : 0, minus_b = is_signed ? -(b >> 63) : 0, minus, result;

	tg_opaque(minus_a);
	tg_opaque(minus_b);
	a = (a ^ minus_a) - minus_a;
	b = (b ^ minus_b) - minus_b;
	/* The instruction gives zero for a division by zero, and all of `a` as the rest. */
	result = remainder ? (a % b) & -tg_is_set(b) : a / b;
	minus = remainder ? minus_a : minus_a ^ minus_b;
	return (result ^ minus) - minus;
}

static __always_inline __u64 tg_is_less(__u64 a, __u64 b, bool is_signed)
{
	__u64 top = is_signed ? 1ULL << 63 : 0; /* as unsigned, after the sign is turned */
	__u64 x = a ^ top, y = b ^ top, difference;

	tg_opaque(x);
	tg_opaque(y);
	difference = x - y;
	return ((~x & y) | (~(x ^ y) & difference)) >> 63;
}

static __always_inline __u64 tg_cel_binary(__u8 op, bool is_signed, __u64 a, __u64 b)
{
	switch (op) {
	case TG_CEL_ADD: return a + b;
	case TG_CEL_SUB: return a - b;
	case TG_CEL_MUL: return a * b;
	case TG_CEL_DIV: return tg_divide(a, b, is_signed, false);
	case TG_CEL_MOD: return tg_divide(a, b, is_signed, true);
	case TG_CEL_EQ: return tg_is_set(a ^ b) ^ 1;
	case TG_CEL_NE: return tg_is_set(a ^ b);
	case TG_CEL_LT: return tg_is_less(a, b, is_signed);
	case TG_CEL_LE: return tg_is_less(b, a, is_signed) ^ 1;
	case TG_CEL_GT: return tg_is_less(b, a, is_signed);
	case TG_CEL_GE: return tg_is_less(a, b, is_signed) ^ 1;
	case TG_CEL_AND: return tg_is_set(a) & tg_is_set(b);
	case TG_CEL_OR: return tg_is_set(a | b);
	default: return 0;
	}
}

static __always_inline __u64 tg_choose(__u64 condition, __u64 a, __u64 b)
{
	__u64 mask = -tg_is_set(condition);

	tg_opaque(mask);
	return (a & mask) | (b & ~mask);
}

/* A stack machine whose stack pointer the verifier knows at every step. A number that cannot be read makes the
 * expression false. */
static __noinline int tg_cel_matches(void *ctx, struct tg_hit *hit, __u32 first, const enum tg_context kind)
{
	__u64 stack[TG_CEL_DEPTH] = {};
	__u64 missing = 0;
	__u32 top = 0; /* elements */

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_CEL; i++) {
		const volatile struct tg_cel_step *step;
		__u32 at = first + i;
		__u8 op, arg;

		tg_opaque(at);
		if (at >= TG_HOOK_CEL)
			break;
		step = &tg_hook.cel[at];
		op = step->op;
		arg = step->arg;
		if (op == TG_CEL_END)
			break;
		if (op == TG_CEL_CONST || op == TG_CEL_SLOT) {
			if (top >= TG_CEL_DEPTH)
				return false;
			if (op == TG_CEL_CONST) {
				stack[top] = step->value;
			} else {
				if (arg >= TG_HOOK_SLOTS)
					return false;
				tg_hit_load(ctx, hit, arg, kind);
				missing |= tg_apart(hit->notes) & (TG_NOTE_FAILED << arg);
				stack[top] = tg_apart(hit->raw[arg]);
			}
			top++;
			continue;
		}
		if (!top || top > TG_CEL_DEPTH)
			return false;
		if (op == TG_CEL_NEG || op == TG_CEL_NOT) {
			stack[top - 1] = op == TG_CEL_NEG ? -stack[top - 1] : tg_is_set(stack[top - 1]) ^ 1;
			continue;
		}
		if (op == TG_CEL_SELECT) {
			if (top < 3)
				return false;
			stack[top - 3] = tg_choose(stack[top - 3], stack[top - 2], stack[top - 1]);
			top -= 2;
			continue;
		}
		if (top < 2)
			return false;
		stack[top - 2] = tg_cel_binary(op, !arg, stack[top - 2], stack[top - 1]);
		top--;
	}
	return !missing && stack[0];
}

#endif
