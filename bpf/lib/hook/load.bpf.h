/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_LOAD_H
#define TETRAGON_BPF_LIB_HOOK_LOAD_H

/*
 * From the program's context to the 64-bit value of a slot (struct tg_load).
 *
 * Plain loads where the kernel has bpf_rdonly_cast, in programs of every type: 1 ns instead of 20. Such a load reads as
 * zero when it faults, so a zero is looked at again with the helper, which tells.
 */

#include "lib/hook/hit.bpf.h"

#define TG_EFAULT 14

/* A kernel type whose first member is 64 bits wide: a view of any memory. */
#define tg_view(address) ((const void *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(struct timespec64)))

/* `width` is known to the verifier. The result is zero-extended. */
static __always_inline __u64 tg_view_load(const void *view, __u32 width)
{
	switch (width) {
	case 1: return *(const volatile __u8 *)view;
	case 2: return *(const volatile __u16 *)view;
	case 4: return *(const volatile __u32 *)view;
	default: return *(const volatile __u64 *)view;
	}
}

/* Kernel memory. Answers 0 or -EFAULT. */
static __always_inline long tg_peek(__u64 *value, __u64 address, __u32 width)
{
	if (TG_HAS_RDONLY_CAST) {
		*value = tg_view_load(tg_view(address), width);
		if (*value)
			return 0;
	}
	*value = 0;
	return bpf_probe_read_kernel(value, width & 15, (const void *)address);
}

static __always_inline long tg_peek_user(__u64 *value, __u64 address, __u32 width)
{
	*value = 0;
	return bpf_probe_read_user(value, width & 15, (const void *)address);
}

/* The context itself: always there, and a modified context pointer must not be read through. */
static __always_inline __u64 tg_context_load(void *ctx, __s64 offset, __u32 width)
{
	__u64 value = 0;

	if (TG_HAS_RDONLY_CAST)
		return tg_view_load(tg_view(ctx + offset), width);
	bpf_probe_read_kernel(&value, width & 15, ctx + offset);
	return value;
}

/* ---- registers --------------------------------------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)
#define TG_TS_COMPAT 0x2 /* arch/x86/include/asm/thread_info.h: a 32-bit system call is being served */

#define TG_REGISTER(name) __builtin_offsetof(struct pt_regs, name)

/* Functions of the kernel and of user space. */
static __always_inline __s64 tg_register_function(__u32 index)
{
	switch (index) {
	case 0: return TG_REGISTER(di);
	case 1: return TG_REGISTER(si);
	case 2: return TG_REGISTER(dx);
	case 3: return TG_REGISTER(cx);
	case 4: return TG_REGISTER(r8);
	default: return TG_REGISTER(r9);
	}
}

static __always_inline __s64 tg_register_syscall(__u32 index)
{
	switch (index) {
	case 0: return TG_REGISTER(di);
	case 1: return TG_REGISTER(si);
	case 2: return TG_REGISTER(dx);
	case 3: return TG_REGISTER(r10);
	case 4: return TG_REGISTER(r8);
	default: return TG_REGISTER(r9);
	}
}

static __always_inline __s64 tg_register_syscall32(__u32 index)
{
	switch (index) {
	case 0: return TG_REGISTER(bx);
	case 1: return TG_REGISTER(cx);
	case 2: return TG_REGISTER(dx);
	case 3: return TG_REGISTER(si);
	case 4: return TG_REGISTER(di);
	default: return TG_REGISTER(bp);
	}
}

#define TG_REGISTER_STACK  TG_REGISTER(sp)
#define TG_REGISTER_NUMBER TG_REGISTER(orig_ax)
#define TG_CALL_PUSHES	   8 /* the return address: the stack pointer at return is so much higher than at entry */

static __always_inline bool tg_syscall32(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	tg_lighten(task);
	return task->thread_info.status / TG_TS_COMPAT & 1; /* no branch */
}
#elif defined(__TARGET_ARCH_arm64)
#define TG_TIF_32BIT 22 /* arch/arm64/include/asm/thread_info.h */

static __always_inline __s64 tg_register_function(__u32 index)
{
	return (index & 7) * 8;
}

static __always_inline __s64 tg_register_syscall(__u32 index)
{
	/* x0 of a system call is overwritten by its result; the kernel keeps the argument. */
	return index ? (index & 7) * 8 : __builtin_offsetof(struct pt_regs, orig_x0);
}

static __always_inline __s64 tg_register_syscall32(__u32 index)
{
	return tg_register_syscall(index);
}

#define TG_REGISTER_STACK  __builtin_offsetof(struct pt_regs, sp)
#define TG_REGISTER_NUMBER __builtin_offsetof(struct pt_regs, syscallno)
#define TG_CALL_PUSHES	   0

static __always_inline bool tg_syscall32(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	tg_lighten(task);
	return task->thread_info.flags >> TG_TIF_32BIT & 1;
}
#endif

/* ---- where a value begins ------------------------------------------------------------------------------------------ */

/* Argument of the system call whose registers are at `regs`. Without a branch on the ABI: for the verifier every argument
 * would double the ways to what follows. */
static __always_inline long tg_syscall_argument(__u64 *value, __u64 regs, __u32 index)
{
	__u64 native = tg_register_syscall(index), other = tg_register_syscall32(index);
	__u64 mask = -(__u64)tg_syscall32();
	long error;

	tg_opaque(mask);
	error = tg_peek(value, regs + (native ^ ((native ^ other) & mask)), 8);
	*value &= ~(mask << 32); /* registers are of 32 bits there */
	return error;
}

static __always_inline long tg_argument(void *ctx, const enum tg_context kind, __u32 index, __u64 *value)
{
	__u32 first = tg_hook.flags & TG_HOOK_SYSCALL ? 0 : index;

	switch (kind) {
	case TG_CONTEXT_KPROBE: *value = tg_context_load(ctx, tg_register_function(first), 8); break;
	case TG_CONTEXT_TRAMPOLINE:
		if (bpf_get_func_arg(ctx, first, value))
			return -TG_EFAULT;
		break;
	case TG_CONTEXT_RAW: *value = tg_context_load(ctx, (__u64)index * 8, 8); return 0;
	case TG_CONTEXT_UPROBE: *value = tg_context_load(ctx, tg_register_function(index), 8); return 0;
	case TG_CONTEXT_SYSCALL: return tg_syscall_argument(value, tg_context_load(ctx, 0, 8), index);
	default: return -TG_EFAULT;
	}
	if (tg_hook.flags & TG_HOOK_SYSCALL)
		return tg_syscall_argument(value, *value, index);
	return 0;
}

static __always_inline long tg_start(void *ctx, struct tg_hit *hit, const volatile struct tg_load *load,
				     const enum tg_context kind, __u64 *value)
{
	__u32 width = load->step_count ? 8 : load->width;

	switch (load->from) {
	case TG_FROM_ARG: return tg_argument(ctx, kind, load->index, value);
	case TG_FROM_RETURN: *value = hit->raw[TG_HOOK_RETURN_SLOT]; return 0;
	case TG_FROM_CONTEXT: *value = tg_context_load(ctx, load->offset, width); return 0;
	case TG_FROM_TASK: *value = bpf_get_current_task(); return 0;
	case TG_FROM_CONSTANT: *value = load->constant; return 0;
	case TG_FROM_REGISTER_MEMORY:
		return tg_peek_user(value, tg_context_load(ctx, load->offset, 8) + load->constant, width);
	default: return -TG_EFAULT;
	}
}

/* Cuts out a bit field or the low bytes, and extends to 64 bits. */
static __always_inline __u64 tg_extend(const volatile struct tg_load *load, __u64 value)
{
	__u32 bits = load->bit_size ? load->bit_size : load->width * 8;
	__u32 offset = load->bit_size ? load->bit_offset : 0;

	if (!bits || bits >= 64)
		return value;
	value <<= (64 - bits - offset) & 63;
	if (load->flags & TG_LOAD_SIGNED)
		return (__s64)value >> ((64 - bits) & 63);
	return value >> ((64 - bits) & 63);
}

/* The value of a slot; answers 0 or -EFAULT. */
static __always_inline long tg_load(void *ctx, struct tg_hit *hit, const volatile struct tg_load *load,
				    const enum tg_context kind, __u64 *value)
{
	long error = tg_start(ctx, hit, load, kind, value);
	__u32 steps = load->step_count;

	if (error)
		return error;
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_STEPS && i < steps; i++) {
		__u64 address;
		bool last;

		tg_opaque(i);
		address = *value + load->steps[i];
		last = i + 1 == steps;
		if (!*value)
			return -TG_EFAULT;
		if (last && load->flags & TG_LOAD_ADDRESS) {
			*value = address;
			return 0;
		}
		if (load->flags & TG_LOAD_USER)
			error = tg_peek_user(value, address, last ? load->width : 8);
		else
			error = tg_peek(value, address, last ? load->width : 8);
		if (error)
			return -TG_EFAULT;
	}
	*value = tg_extend(load, *value);
	return 0;
}

/* Slot's value into hit->raw, once. */
static __noinline int tg_slot_load(void *ctx, struct tg_hit *hit, __u32 slot, const enum tg_context kind)
{
	const volatile struct tg_slot_config *config;
	__u64 value = 0;
	long error;

	if (slot >= TG_HOOK_SLOTS)
		return 0;
	config = &tg_hook.slots[slot];
	error = tg_load(ctx, hit, &config->load, kind, &value);
	if (config->type == TG_TYPE_CAP_SET && !error)
		error = tg_peek(&value, value, 8);
	if (config->type == TG_TYPE_SYSCALL)
		value |= (__u64)tg_syscall32() << 31;
	hit->raw[slot] = value;
	tg_hit_note(hit, (TG_NOTE_LOADED | TG_NOTE_FAILED * ((__u64)error >> 63)) << slot);
	return 0;
}

static __always_inline void tg_hit_load(void *ctx, struct tg_hit *hit, __u32 slot, const enum tg_context kind)
{
	if (!tg_hit_noted(hit, TG_NOTE_LOADED << slot))
		tg_slot_load(ctx, hit, slot, kind);
}

#endif
