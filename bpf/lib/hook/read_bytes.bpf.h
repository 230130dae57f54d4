/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_READ_BYTES_H
#define TETRAGON_BPF_LIB_HOOK_READ_BYTES_H

/* Readers of text and bytes. The engine put the size of sized ones into value->full_size. */

#include "lib/hook/object.bpf.h"

#define TG_BYTES_MAX   4096
#define TG_IOVEC_COUNT 8

/* Until 6.3 the member had no underscores. */
struct iov_iter___iov {
	const struct iovec *iov;
} __attribute__((preserve_access_index));

static __always_inline __u32 tg_limit(const volatile struct tg_slot_config *config)
{
	__u32 limit = config->limit;

	return limit && limit < TG_BYTES_MAX ? limit : TG_BYTES_MAX;
}

TG_READER tg_read_string(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	__u32 limit = tg_limit(config);
	long size;

	/* Room for one more byte and the NUL: so it shows whether there was more. */
	if (tg_is_kernel_address(raw))
		size = bpf_probe_read_kernel_str(value->bytes, limit + 2, (const void *)raw);
	else
		size = bpf_probe_read_user_str(value->bytes, limit + 2, (const void *)raw);
	if (size < 0) {
		tg_value_fail(value, size);
		return;
	}
	/* On older kernels (seen: 6.1) an empty string of user space counts 0 bytes, not its NUL. */
	tg_value_done(value, size ? size - 1 : 0);
	if (value->size > limit) {
		value->size = limit;
		value->flags = TG_ARG_TRUNCATED;
	}
}

TG_READER tg_read_bytes(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			struct tg_hook_scratch *scratch)
{
	__u32 limit = tg_limit(config);
	__u32 full = value->full_size, size = full;
	long error;

	tg_opaque(size);
	if (size > limit)
		size = limit;
	tg_value_done(value, size);
	value->full_size = full;
	if (full > limit)
		value->flags = TG_ARG_TRUNCATED;
	if (!size)
		return;
	error = tg_read_memory(value->bytes, size, raw);
	if (error)
		tg_value_fail(value, error);
}

TG_READER tg_read_fixed_bytes(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			      struct tg_hook_scratch *scratch)
{
	__u32 limit = tg_limit(config);
	long error;

	tg_value_done(value, limit);
	error = tg_read_memory(value->bytes, limit, raw);
	if (error)
		tg_value_fail(value, error);
}

/* raw: address of the text; full_size with its NUL. */
TG_READER tg_read_data_loc(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	if (!value->full_size) {
		tg_value_done(value, 0);
		return;
	}
	tg_read_string(value, raw, config, scratch);
}

TG_READER tg_read_filename(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	const struct filename *filename = (const void *)raw;

	if (!tg_value_object(value, raw))
		return;
	tg_read_string(value, (__u64)BPF_CORE_READ(filename, name), config, scratch);
}

/* ---- vectors ------------------------------------------------------------------------------------------------------- */

/* Adds a piece to value->bytes; false: no more is wanted. */
static __always_inline bool tg_vector_add(struct tg_value *value, __u64 address, __u64 size, __u32 limit)
{
	__u64 have = value->size, room;
	long error;

	value->full_size += size;
	tg_opaque(have);
	if (have >= limit)
		return true; /* only counted */
	room = limit - have;
	if (size > room)
		size = room;
	tg_opaque(size);
	if (!size || size > TG_BYTES_MAX || have > TG_BYTES_MAX - size)
		return true;
	if (have > 127 && size > TG_BYTES_MAX)
		return true;
	have &= TG_BYTES_MAX - 1;
	if (have + size > sizeof(value->bytes))
		return true;
	error = tg_is_kernel_address(address) ? bpf_probe_read_kernel(value->bytes + have, size, (const void *)address)
					      : bpf_probe_read_user(value->bytes + have, size, (const void *)address);
	if (error) {
		tg_value_fail(value, error);
		return false;
	}
	value->size += size;
	return true;
}

/* `count` segments at `raw`; `skip`: bytes of the first that are done; at most `left` in all. */
static __always_inline void tg_vector(struct tg_value *value, __u64 raw, __u64 count, __u64 skip, __u64 left,
				      __u32 limit)
{
	tg_value_done(value, 0);
	TG_ROLLED
	for (__u32 i = 0; i < TG_IOVEC_COUNT && i < count; i++) {
		struct iovec segment = {};
		__u64 base, size;
		long error;

		error = tg_read_memory(&segment, sizeof(segment), raw + i * sizeof(segment));
		if (error) {
			tg_value_fail(value, error);
			return;
		}
		base = (__u64)segment.iov_base + skip;
		size = segment.iov_len > skip ? segment.iov_len - skip : 0;
		skip = 0;
		if (size > left)
			size = left;
		left -= size;
		if (!tg_vector_add(value, base, size, limit))
			return;
	}
	if (value->full_size > value->size)
		value->flags = TG_ARG_TRUNCATED;
}

TG_READER tg_read_iovec(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			struct tg_hook_scratch *scratch)
{
	__u64 count = value->full_size;

	tg_vector(value, raw, count, 0, ~0ULL, tg_limit(config));
}

TG_READER tg_read_iov_iter(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	const struct iov_iter *iter = (const void *)raw;
	__u64 done, left, segments;
	__u32 type;

	if (!tg_value_object(value, raw))
		return;
	type = BPF_CORE_READ(iter, iter_type);
	done = BPF_CORE_READ(iter, iov_offset);
	left = BPF_CORE_READ(iter, count);
	if (bpf_core_field_exists(iter->__iov)) {
		segments = (__u64)BPF_CORE_READ(iter, __iov);
	} else {
		const struct iov_iter___iov *old = (const void *)raw;

		segments = (__u64)BPF_CORE_READ(old, iov);
	}
	/* One buffer: 6.0 (fcb14cb1bdac). */
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		value->full_size = left;
		tg_read_bytes(value, segments + done, config, scratch);
		return;
	}
	if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC) ||
	    type == bpf_core_enum_value(enum iter_type, ITER_KVEC)) {
		tg_vector(value, segments, BPF_CORE_READ(iter, nr_segs), done, left, tg_limit(config));
		return;
	}
	tg_value_done(value, 0); /* pages */
	value->full_size = left;
	if (left)
		value->flags = TG_ARG_TRUNCATED;
}

/* ---- ranges -------------------------------------------------------------------------------------------------------- */

TG_READER tg_read_ranges(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	__u32 count = config->range_count, size = 0;

	if (!raw) {
		tg_value_fail(value, -EFAULT);
		return;
	}
	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_RANGES && i < count; i++) {
		__u32 length;
		long error;

		tg_opaque(i);
		length = config->ranges[i].size;
		if (!length || length > TG_BYTES_MAX || size + length > TG_BYTES_MAX)
			continue;
		error = tg_read_memory(value->bytes + size, length, raw + config->ranges[i].offset);
		if (error) {
			tg_value_fail(value, error);
			return;
		}
		size += length;
	}
	tg_value_done(value, size);
}

#endif
