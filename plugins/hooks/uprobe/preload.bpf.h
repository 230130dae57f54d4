/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_UPROBE_PRELOAD_H
#define TETRAGON_UPROBE_PRELOAD_H

/*
 * Brings the pages that the hook will read into memory: a literal that the program has not touched yet is still on
 * disk, and the engine's reads do not wait for disks. Only sleepable programs may. What is in memory already costs one
 * read more; numbers and kernel objects cost nothing, the constant tg_hook tells the verifier that there is nothing.
 */

#include "lib/hook/hook.bpf.h"

#define TG_PAGE 4096
/* Pages of a value: it may begin at the end of one. */
#define TG_PRELOAD_PAGES 2

/* Nobody looks at what is read into it: programs that share a CPU may overwrite each other's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[TG_BYTES_MAX + 8]);
} tg_preload_sink SEC(".maps");

static __always_inline void tg_touch(__u64 address)
{
	char byte;

	if (address && !tg_is_kernel_address(address))
		bpf_copy_from_user(&byte, sizeof(byte), (const void *)address);
}

/* Page by page until the text ends: the page behind its end is not ours to touch. */
static __always_inline void tg_touch_text(__u64 address)
{
	__u64 page = address;
	__u32 zero = 0;
	char *sink;

	if (!address || tg_is_kernel_address(address))
		return;
	sink = bpf_map_lookup_elem(&tg_preload_sink, &zero);
	if (!sink)
		return;
	for (int i = 0; i < TG_PRELOAD_PAGES; i++) {
		if (bpf_probe_read_user_str(sink, TG_BYTES_MAX + 2, (const void *)address) >= 0)
			return;
		tg_touch(page);
		page = (page | (TG_PAGE - 1)) + 1;
	}
}

static __always_inline void tg_touch_bytes(__u64 address, __u64 size)
{
	tg_touch(address);
	if (size > TG_BYTES_MAX)
		size = TG_BYTES_MAX;
	if (size && ((address + size - 1) ^ address) & ~(__u64)(TG_PAGE - 1))
		tg_touch(address + size - 1);
}

/* struct iovec, and the begin of what each points to. */
static __always_inline void tg_touch_vector(__u64 address, __u64 count)
{
	tg_touch_bytes(address, count * sizeof(struct iovec));
	TG_ROLLED
	for (__u32 i = 0; i < TG_IOVEC_COUNT && i < count; i++) {
		struct iovec one = {};

		tg_opaque(i);
		if (bpf_probe_read_user(&one, sizeof(one), (const void *)address + i * sizeof(one)))
			return;
		tg_touch_bytes((__u64)one.iov_base, one.iov_len);
	}
}

/* Memory that the load of the slot itself goes through. */
static __always_inline void tg_touch_load(void *ctx, const volatile struct tg_load *load)
{
	__u32 steps = load->step_count;
	struct tg_hit hit = {};
	__u64 value = 0;

	if (load->from == TG_FROM_REGISTER_MEMORY)
		tg_touch(tg_context_load(ctx, load->offset, 8) + load->constant);
	if (!steps || !(load->flags & TG_LOAD_USER))
		return;
	if (tg_start(ctx, &hit, load, TG_CONTEXT_UPROBE, &value))
		return;
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_STEPS && i < steps; i++) {
		__u64 address;

		tg_opaque(i);
		address = value + load->steps[i];
		if (!value)
			return;
		tg_touch(address);
		if (tg_peek_user(&value, address, 8))
			return;
	}
}

/* Is there user memory in the slot? Known to the verifier: for a hook on numbers nothing of all this is left. */
static __always_inline bool tg_preload_wanted(const volatile struct tg_slot_config *config)
{
	__u8 from = config->load.from;

	if (from == TG_FROM_NONE || from == TG_FROM_RETURN || from == TG_FROM_TASK)
		return false;
	if (from == TG_FROM_REGISTER_MEMORY || config->load.flags & TG_LOAD_USER)
		return true;
	if (config->flags & TG_SLOT_AT_RETURN)
		return false;
	switch (config->type) {
	case TG_TYPE_STRING:
	case TG_TYPE_BYTES:
	case TG_TYPE_IOVEC:
	case TG_TYPE_RANGES:
	case TG_TYPE_FIXED_BYTES:
	case TG_TYPE_SOCKADDR:
	case TG_TYPE_SOCKADDR_UN:
	case TG_TYPE_BPF_ATTR: return true;
	default: return false;
	}
}

static __noinline int tg_preload_slot(void *ctx, __u32 slot)
{
	const volatile struct tg_slot_config *config;
	struct tg_hit hit = {};
	__u64 value = 0;

	if (slot >= TG_HOOK_SLOTS)
		return 0;
	config = &tg_hook.slots[slot];
	tg_touch_load(ctx, &config->load);
	if (config->flags & TG_SLOT_AT_RETURN || config->type == TG_TYPE_NUMBER)
		return 0;
	if (config->type == TG_TYPE_FIXED_BYTES && config->load.from == TG_FROM_CONTEXT)
		return 0;
	if (tg_load(ctx, &hit, &config->load, TG_CONTEXT_UPROBE, &value))
		return 0;
	switch (config->type) {
	case TG_TYPE_STRING: tg_touch_text(value); break;
	case TG_TYPE_BYTES: tg_touch_bytes(value, tg_slot_size(ctx, config, TG_CONTEXT_UPROBE)); break;
	case TG_TYPE_IOVEC: tg_touch_vector(value, tg_slot_size(ctx, config, TG_CONTEXT_UPROBE)); break;
	case TG_TYPE_FIXED_BYTES: tg_touch_bytes(value, config->limit); break;
	case TG_TYPE_RANGES:
		TG_ROLLED
		for (__u32 i = 0; i < TG_HOOK_RANGES && i < config->range_count; i++) {
			tg_opaque(i);
			tg_touch_bytes(value + config->ranges[i].offset, config->ranges[i].size);
		}
		break;
	case TG_TYPE_SOCKADDR:
	case TG_TYPE_SOCKADDR_UN:
	case TG_TYPE_BPF_ATTR: tg_touch_bytes(value, 128); break; /* the largest address; what is read of attributes */
	}
	return 0;
}

static __always_inline void tg_preload(void *ctx)
{
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_ARGS; i++) {
		tg_opaque(i);
		if (tg_preload_wanted(&tg_hook.slots[i]))
			tg_preload_slot(ctx, i);
	}
}

#endif
