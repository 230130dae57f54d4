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

/* Until BPF's v4 instructions (6.6) division is unsigned. By zero gives zero. */
static __always_inline __u64 tg_divide(__u64 a, __u64 b, bool is_signed, bool remainder)
{
	bool negative_a = is_signed && (__s64)a < 0, negative_b = is_signed && (__s64)b < 0;
	__u64 result;

	if (!b)
		return 0;
	if (negative_a)
		a = -a;
	if (negative_b)
		b = -b;
	result = remainder ? a % b : a / b;
	return (remainder ? negative_a : negative_a != negative_b) ? -result : result;
}

static __always_inline __u64 tg_cel_binary(__u8 op, bool is_signed, __u64 a, __u64 b)
{
	switch (op) {
	case TG_CEL_ADD: return a + b;
	case TG_CEL_SUB: return a - b;
	case TG_CEL_MUL: return a * b;
	case TG_CEL_DIV: return tg_divide(a, b, is_signed, false);
	case TG_CEL_MOD: return tg_divide(a, b, is_signed, true);
	case TG_CEL_EQ: return a == b;
	case TG_CEL_NE: return a != b;
	case TG_CEL_LT: return tg_compare(a, b, is_signed, false);
	case TG_CEL_LE: return !tg_compare(a, b, is_signed, true);
	case TG_CEL_GT: return tg_compare(a, b, is_signed, true);
	case TG_CEL_GE: return !tg_compare(a, b, is_signed, false);
	case TG_CEL_AND: return a && b;
	case TG_CEL_OR: return a || b;
	default: return 0;
	}
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
				missing |= hit->failed & (1UL << arg);
				stack[top] = hit->raw[arg];
			}
			top++;
			continue;
		}
		if (!top || top > TG_CEL_DEPTH)
			return false;
		if (op == TG_CEL_NEG || op == TG_CEL_NOT) {
			stack[top - 1] = op == TG_CEL_NEG ? -stack[top - 1] : !stack[top - 1];
			continue;
		}
		if (op == TG_CEL_SELECT) {
			if (top < 3)
				return false;
			stack[top - 3] = stack[top - 3] ? stack[top - 2] : stack[top - 1];
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
