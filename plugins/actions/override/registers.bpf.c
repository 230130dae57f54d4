// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Override of uprobes, Set of usdts: registers and memory of the process. The policy's words are lowered to
 * tg_step.sets (core/policy/lower_registers.cpp). All values are found before the first register changes, so a page that is
 * not there leaves the process as it was. An assignment sees what those before it have set.
 */
#include "lib/action.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* The verifier allows a context to be written at a fixed offset only: an instruction for each register. */
#ifndef TG_REGISTER_STORE
#define TG_REGISTER_STORE(at) asm volatile("*(u64 *)(%0 + " #at ") = %1" : : "r"(ctx), "r"(value) : "memory")
#endif
#define TG_WRITE(at) \
	case at: TG_REGISTER_STORE(at); return 0;

static __always_inline long tg_register_write(void *ctx, __u32 offset, __u64 value)
{
	switch (offset) {
		TG_WRITE(0)
		TG_WRITE(8)
		TG_WRITE(16)
		TG_WRITE(24)
		TG_WRITE(32)
		TG_WRITE(40)
		TG_WRITE(48)
		TG_WRITE(56)
		TG_WRITE(64)
		TG_WRITE(72)
		TG_WRITE(80)
		TG_WRITE(88)
		TG_WRITE(96)
		TG_WRITE(104)
		TG_WRITE(112)
		TG_WRITE(128)
		TG_WRITE(152)
	default: return -EINVAL;
	}
}
#else
static __always_inline long tg_register_write(void *ctx, __u32 offset, __u64 value)
{
	return -EINVAL;
}
#endif

static __always_inline __u64 tg_register_now(void *ctx, __u32 offset)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx + offset);
	return value;
}

/* The register as assignment `count` finds it. */
static __always_inline __u64 tg_register_read(void *ctx, const __u64 *values, __u32 count, __u32 offset)
{
	__u64 value = tg_register_now(ctx, offset);

	_Pragma("unroll") for (__u32 i = 0; i < TG_REGISTER_SETS; i++)
	{
		if (i < count && (tg_step.sets[i].to & ~7U) == offset)
			value = values[i];
	}
	return value;
}

static __always_inline long tg_set_source(void *ctx, const __u64 *values, __u32 i, __u64 *value)
{
	const volatile struct tg_register_set *set = &tg_step.sets[i];

	*value = set->value;
	if (set->how == TG_REGISTER_SET_CONSTANT)
		return 0;
	*value += tg_register_read(ctx, values, i, set->from);
	if (set->how == TG_REGISTER_SET_REGISTER)
		return 0;
	return bpf_probe_read_user(value, 8, (void *)*value);
}

/* The whole register, of which the assignment may set a part. */
static __always_inline __u64 tg_set_part(const volatile struct tg_register_set *set, __u64 before, __u64 value)
{
	__u32 shift = (set->to & 7) * 8;
	__u64 mask;

	if (set->width == 8)
		return value;
	if (set->width == 4)
		return (__u32)value;
	mask = set->width == 2 ? 0xffffULL : 0xffULL;
	return (before & ~(mask << shift)) | (value & mask) << shift;
}

static __always_inline long tg_set_registers(void *ctx)
{
	__u64 values[TG_REGISTER_SETS] = {};

	_Pragma("unroll") for (__u32 i = 0; i < TG_REGISTER_SETS; i++)
	{
		if (i < tg_step.set_count) {
			__u64 before = tg_register_read(ctx, values, i, tg_step.sets[i].to & ~7U), value;

			if (tg_set_source(ctx, values, i, &value))
				return -EFAULT;
			values[i] = tg_set_part(&tg_step.sets[i], before, value);
		}
	}
	_Pragma("unroll") for (__u32 i = 0; i < TG_REGISTER_SETS; i++)
	{
		if (i < tg_step.set_count && tg_register_write(ctx, tg_step.sets[i].to & ~7U, values[i]))
			return -EINVAL;
	}
	return 0;
}

/* Set of an argument that lies in memory. */
static __always_inline long tg_set_memory(void *ctx)
{
	__u64 address = tg_register_now(ctx, tg_step.sets[0].from) + tg_step.sets[0].value;
	__u64 value = tg_step.value;

	return bpf_probe_write_user((void *)address, &value, tg_step.sets[0].width);
}

static __always_inline long registers(void *ctx, struct tg_hook_scratch *hit)
{
	if (tg_step.code == TG_ACTION_SET && tg_step.sets[0].how == TG_REGISTER_SET_MEMORY)
		return tg_set_memory(ctx);
	return tg_set_registers(ctx);
}

TG_ACTION(registers)
