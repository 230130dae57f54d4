/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_MAPS_H
#define TETRAGON_BPF_LIB_HOOK_MAPS_H

/*
 * What user space hands to the engine. The constant `tg_hook` is frozen before load, so the verifier reads it like
 * immediate values and drops what the hook does not use; that includes every use of a map that user space did not
 * create (its autocreate is off). Sizes are set before load.
 */

#include "lib/base.bpf.h"
#include "lib/hook/calls.bpf.h"
#include "lib/hook/value.bpf.h"
#include "shared/hook.h"

const volatile struct tg_hook_config tg_hook = {};

/* A filter by number, for functions that the verifier looks at by themselves: they cannot take its address. */
#define TG_FILTER_AT_RETURN		     0x100
#define TG_FILTER_NUMBER(selector_, filter_) ((selector_) << 4 | (filter_))

static __always_inline const volatile struct tg_filter *tg_filter_at(__u32 which)
{
	const volatile struct tg_selector *selector;
	__u32 n = which >> 4 & 15, i = which & 15;

	if (n >= TG_HOOK_SELECTORS || i >= TG_HOOK_FILTERS) /* never */
		n = i = 0;
	selector = &tg_hook.selectors[n];
	return which & TG_FILTER_AT_RETURN ? &selector->return_filters[i] : &selector->filters[i];
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tg_number_key);
	__type(value, __u8);
} tg_numbers SEC(".maps");

#define TG_TEXT_MAP(bytes_)                               \
	struct tg_text_key_##bytes_ {                     \
		struct tg_text_head head;                 \
		char text[bytes_];                        \
	};                                                \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_HASH);          \
		__uint(max_entries, 1);                   \
		__type(key, struct tg_text_key_##bytes_); \
		__type(value, __u8);                      \
	} tg_text_##bytes_ SEC(".maps")

TG_TEXT_MAP(24);
TG_TEXT_MAP(48);
TG_TEXT_MAP(72);
TG_TEXT_MAP(96);
TG_TEXT_MAP(120);
TG_TEXT_MAP(144);
TG_TEXT_MAP(256);
TG_TEXT_MAP(512);
TG_TEXT_MAP(1024);
TG_TEXT_MAP(2048);
TG_TEXT_MAP(4096);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tg_prefix_key);
	__type(value, __u8);
} tg_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tg_postfix_key);
	__type(value, __u8);
} tg_postfixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_substring);
} tg_substrings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tg_address4_key);
	__type(value, __u8);
} tg_addresses4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tg_address6_key);
	__type(value, __u8);
} tg_addresses6 SEC(".maps");

/* Which system calls the hook is for (TG_HOOK_BY_NUMBER): element number, or TG_SYSCALLS32 + number of the 32-bit ABI;
 * value: 0, or 1 + instance. An array: this is what every other system call of the machine pays. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * TG_SYSCALLS32);
	__type(key, __u32);
	__type(value, __u32);
} tg_syscalls SEC(".maps");

/* Programs of the actions; see shared/action.h. Made when the policy has actions that run in the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TG_ACTION_ELEMENTS);
	__type(key, __u32);
	__type(value, __u32);
} tg_actions SEC(".maps"), tg_return_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_action_counts);
} tg_action_counts SEC(".maps");

#endif
