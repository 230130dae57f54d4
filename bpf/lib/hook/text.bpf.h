/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_TEXT_H
#define TETRAGON_BPF_LIB_HOOK_TEXT_H

/*
 * Filters on text, in the scratch. Nothing is copied: the 8 bytes in front of the text (the value's head, or the fixed
 * part of a path) are put aside and become the head of the look-up key.
 */

#include "lib/hook/hit.bpf.h"

#define TG_TEXT_MAX 4096

/* bpf_strnstr: 6.17 (e91370550f1f). User space says whether it is there (TG_HOOK_STRNSTR): asking for its address takes
 * a newer libbpf. */
extern int bpf_strnstr(const char *s1, const char *s2, __u64 size) __attribute__((section(".ksyms"), weak));
extern int bpf_strncasestr(const char *s1, const char *s2, __u64 size) __attribute__((section(".ksyms"), weak));

#define TG_TEXT_OFFSET 8 /* the largest of them */

/* Bytes before the text in values of this type. */
static __always_inline __u32 tg_text_offset(__u8 type)
{
	switch (type) {
	case TG_TYPE_FILE:
	case TG_TYPE_PATH:
	case TG_TYPE_DENTRY:
	case TG_TYPE_FD:
	case TG_TYPE_KIOCB:
	case TG_TYPE_BINPRM: return sizeof(struct tg_path_arg);
	case TG_TYPE_SOCKADDR_UN: return sizeof(struct tg_sockaddr_un_arg);
	default: return 0;
	}
}

/* More than TG_TEXT_MAX: there is none. */
static __always_inline __u64 tg_text_size(const struct tg_value *value, __u32 offset)
{
	__u64 size = value->size;

	size -= offset;
	tg_opaque(size);
	return size;
}

static const char tg_zeros[2048];

/* Zeros from `size` to `room`, which the next smaller key size is less than `gap` below. */
static __always_inline void tg_text_pad(char *text, __u64 size, __u32 room)
{
	__u64 gap;

	if (room <= 144) { /* these are 24 apart */
		*(__u64 *)(text + size) = 0;
		*(__u64 *)(text + size + 8) = 0;
		*(__u64 *)(text + size + 16) = 0;
		return;
	}
	gap = room - size;
	tg_opaque(gap);
	if (gap > sizeof(tg_zeros))
		return;
	bpf_probe_read_kernel(text + size, gap, tg_zeros);
}

static __always_inline bool tg_text_size_used(const volatile struct tg_filter *filter, __u32 index, __u32 below,
					      __u32 room)
{
	return tg_hook.text_maps & (1U << index) && filter->min_size <= room && (!below || filter->max_size > below);
}

#define TG_TEXT_LOOKUP(index_, below_, room_)                                                                  \
	if (tg_text_size_used(filter, index_, below_, room_) && (!below_ || size > below_) && size <= room_) { \
		tg_text_pad(text, size, room_);                                                                \
		return bpf_map_lookup_elem(&tg_text_##room_, head);                                            \
	}

/* Is text[0 .. size) in the set? `head` is in front of the text. */
static __always_inline bool tg_text_find(const volatile struct tg_filter *filter, struct tg_text_head *head, char *text,
					 __u64 size)
{
	head->set = filter->set;
	head->size = size;
	TG_TEXT_LOOKUP(0, 0, 24)
	TG_TEXT_LOOKUP(1, 24, 48)
	TG_TEXT_LOOKUP(2, 48, 72)
	TG_TEXT_LOOKUP(3, 72, 96)
	TG_TEXT_LOOKUP(4, 96, 120)
	TG_TEXT_LOOKUP(5, 120, 144)
	TG_TEXT_LOOKUP(6, 144, 256)
	TG_TEXT_LOOKUP(7, 256, 512)
	TG_TEXT_LOOKUP(8, 512, 1024)
	TG_TEXT_LOOKUP(9, 1024, 2048)
	TG_TEXT_LOOKUP(10, 2048, 4096)
	return false;
}

static __always_inline __u32 tg_big_endian(__u32 value)
{
	return __builtin_bswap32(value);
}

#define TG_TEXT_256 (1U << 6) /* in text_maps */

/* Tries take 252 bytes beside the set number; the few prefixes that are longer are in the texts of 256 bytes. */
static __always_inline bool tg_text_long_prefix(const volatile struct tg_filter *filter, struct tg_text_head *head,
						char *text, __u64 size)
{
	__u32 count = filter->value_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_HOOK_VALUES && i < count; i++) {
		__u64 length, kept, *end = (__u64 *)(text + 248);
		bool found;

		tg_opaque(i);
		length = filter->values[i];
		if (length <= TG_PREFIX_MAX || length > 256 || size < length)
			continue;
		kept = *end;
		if (length < 256)
			*end = kept & ((1ULL << ((length - 248) * 8)) - 1);
		head->set = filter->set;
		head->size = length;
		found = bpf_map_lookup_elem(&tg_text_256, head);
		*end = kept;
		if (found)
			return true;
	}
	return false;
}

static __always_inline bool tg_text_prefix(const volatile struct tg_filter *filter, struct tg_text_head *head,
					   char *text, __u64 size)
{
	struct tg_prefix_key *key = (void *)head;
	__u64 bytes = size > TG_PREFIX_MAX ? TG_PREFIX_MAX : size;

	/* min_size above: no prefix fits the trie. */
	if (tg_hook.uses & TG_USES_PREFIXES && filter->min_size <= TG_PREFIX_MAX) {
		key->prefix_bits = 32 + bytes * 8;
		*(__u32 *)key->set = tg_big_endian(filter->set);
		if (bpf_map_lookup_elem(&tg_prefixes, key))
			return true;
	}
	return tg_hook.text_maps & TG_TEXT_256 && tg_text_long_prefix(filter, head, text, size);
}

/* The last bytes, reversed, eight at a time; what is in front of the text may come along behind the last bit that
 * counts. */
static __always_inline bool tg_text_postfix(const volatile struct tg_filter *filter, char *text, __u64 size, char *work)
{
	struct tg_postfix_key *key = (void *)work;
	__u32 longest = filter->max_size;
	__u64 bytes = size > longest ? longest : size;

	if (!(tg_hook.uses & TG_USES_POSTFIXES))
		return false;
	if (bytes > TG_POSTFIX_MAX)
		bytes = TG_POSTFIX_MAX;
	key->prefix_bits = 32 + bytes * 8;
	*(__u32 *)key->set = tg_big_endian(filter->set);
	TG_ROLLED
	for (__u32 i = 0; i < 16 && i * 8 < longest; i++) {
		__u64 at = size;

		tg_opaque(i);
		tg_opaque(at);
		if (at <= i * 8)
			break;
		*(__u64 *)(key->bytes + i * 8) = __builtin_bswap64(*(__u64 *)(text + at - i * 8 - 8));
	}
	return bpf_map_lookup_elem(&tg_postfixes, key);
}

/* ---- substrings -------------------------------------------------------------------------------------------------- */

struct tg_search {
	const char *text;
	const struct tg_substring *wanted;
	__u64 places;
	__u32 nocase;
	__u32 found;
};

static __always_inline char tg_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static long tg_search_step(__u32 place, struct tg_search *search)
{
	__u32 size = search->wanted->size;
	__u64 at = place;

	if (place > TG_TEXT_MAX || place >= search->places)
		return 1;
	TG_ROLLED
	for (__u32 i = 0; i < TG_SUBSTRING_MAX; i++) {
		char a, b;

		if (i >= size) {
			search->found = 1;
			return 1;
		}
		a = search->text[at + i];
		b = search->wanted->text[i];
		if (a != b && !(search->nocase && tg_lower(a) == tg_lower(b)))
			return 0;
	}
	return 0;
}

/* Is element `key` of tg_substrings in the slot's text? A function that the verifier looks at once. */
__noinline int tg_text_search(__u32 scratch_number, __u32 slot, __u32 offset, __u32 key, __u32 nocase)
{
	const struct tg_substring *wanted;
	struct tg_search search = {.nocase = nocase};
	struct tg_hook_scratch *scratch;
	struct tg_value *value;
	__u64 size;

	if (!(tg_hook.uses & TG_USES_SUBSTRINGS) || slot >= TG_HOOK_SLOTS || offset > TG_TEXT_OFFSET)
		return false;
	scratch = tg_scratch_at(scratch_number);
	if (!scratch)
		return false;
	value = &scratch->values[slot];
	size = tg_text_size(value, offset);
	wanted = bpf_map_lookup_elem(&tg_substrings, &key);
	if (!wanted || size > TG_TEXT_MAX || wanted->size > size)
		return false;
	search.text = value->bytes + offset;
	if (!nocase && tg_hook.flags & TG_HOOK_STRNSTR)
		return bpf_strnstr(search.text, wanted->text, size) >= 0;
	if (nocase && tg_hook.flags & TG_HOOK_STRNCASESTR)
		return bpf_strncasestr(search.text, wanted->text, size) >= 0;
	search.wanted = wanted;
	search.places = size - wanted->size + 1;
	bpf_loop(TG_TEXT_MAX, tg_search_step, &search, 0);
	return search.found;
}

static __always_inline bool tg_text_substring(const volatile struct tg_filter *filter, __u32 scratch_number, __u32 slot,
					      __u32 offset)
{
	bool nocase = filter->op == TG_OP_TEXT_SUBSTRING_NOCASE;
	__u32 count = filter->value_count;

	TG_ROLLED
	for (__u32 i = 0; i < TG_SUBSTRINGS_OF_FILTER && i < count; i++) {
		tg_opaque(i);
		if (tg_text_search(scratch_number, slot, offset, filter->set - 1 + i, nocase))
			return true;
	}
	return false;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static __always_inline bool tg_hook_uses_texts(void)
{
	return tg_hook.text_maps || tg_hook.uses & (TG_USES_PREFIXES | TG_USES_POSTFIXES | TG_USES_SUBSTRINGS);
}

/* The verifier looks at it once, whichever filters call it. `offset`: of the text in the slot's value. */
__noinline int tg_text_matches(__u32 scratch_number, __u32 which, __u32 slot, __u32 offset)
{
	const volatile struct tg_filter *filter;
	struct tg_hook_scratch *scratch;
	struct tg_value *value;
	__u64 size, kept, *front;
	char *text;
	bool found;
	__u8 op;

	if (!tg_hook_uses_texts() || slot >= TG_HOOK_SLOTS || offset > TG_TEXT_OFFSET)
		return false;
	scratch = tg_scratch_at(scratch_number);
	if (!scratch)
		return false;
	filter = tg_filter_at(which);
	value = &scratch->values[slot];
	text = value->bytes + offset;
	size = tg_text_size(value, offset);
	if (size > TG_TEXT_MAX)
		return false;
	op = filter->op;
	if (size < filter->min_size)
		return false;
	if (op == TG_OP_TEXT_EQUAL && size > filter->max_size)
		return false;
	if ((op == TG_OP_TEXT_EQUAL || op == TG_OP_TEXT_POSTFIX) && value->flags & TG_ARG_TRUNCATED)
		return false; /* its end is not known */

	front = (__u64 *)(text - sizeof(struct tg_text_head));
	kept = *front;
	switch (op) {
	case TG_OP_TEXT_EQUAL: found = tg_text_find(filter, (void *)front, text, size); break;
	case TG_OP_TEXT_PREFIX: found = tg_text_prefix(filter, (void *)front, text, size); break;
	case TG_OP_TEXT_POSTFIX: found = tg_text_postfix(filter, text, size, scratch->work); break;
	default: found = tg_text_substring(filter, scratch_number, slot, offset); break;
	}
	*front = kept;
	return found;
}

#endif
