/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_LOADER_BUILD_ID_H
#define TETRAGON_LOADER_BUILD_ID_H

/* The GNU build id of a mapped ELF file. Whatever the file holds: bounded steps, checked sizes. */

#include "page_cache.bpf.h"

#define TG_ELF_MAGIC	     0x464c457f
#define TG_PT_NOTE	     4
#define TG_NT_GNU_BUILD_ID   3
#define TG_ELF_SEGMENTS	     64 /* program headers that are looked at */
#define TG_ELF_NOTE_SEGMENTS 4
#define TG_ELF_NOTES	     32

struct tg_elf_walk {
	__u64 mapping;
	__u64 table; /* next program header */
	__u64 entry; /* size of one */
	__u64 count;
	__u64 at, end; /* next note, and the end of its segment */
	struct {
		__u64 offset, size;
	} notes[TG_ELF_NOTE_SEGMENTS];
	__u32 note_count;
	__u32 note; /* the segment that is read */
	__u32 is_64;
	__u32 found; /* size of the build id */
	__u64 id;    /* where in the file */
};

/* In a map and not on the stack: a kernel without ab5cfac139ab (6.7) verifies one step of a loop only, and takes what
 * that one step leaves on the stack for what all of them leave. The verifier does not know what a map holds. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_elf_walk);
} tg_elf_scratch SEC(".maps");

struct tg_elf_loop {
	struct tg_elf_walk *walk;
};

struct tg_elf_head { /* both classes up to here; then the 64-bit fields */
	__u32 magic;
	__u8 class, data, version, abi;
	__u64 padding;
	__u16 type, machine;
	__u32 version2;
	union {
		struct {
			__u32 entry, phoff, shoff, flags;
			__u16 ehsize, phentsize, phnum, shentsize;
		} small;
		struct {
			__u64 entry, phoff, shoff;
			__u32 flags;
			__u16 ehsize, phentsize, phnum, shentsize;
		} big;
	};
};

static long tg_elf_segment(__u32 index, struct tg_elf_loop *loop)
{
	struct tg_elf_walk *walk = loop->walk;
	__u64 offset, size;
	__u32 note;

	if (index >= walk->count)
		return 1;
	if (walk->is_64) {
		__u64 head[5]; /* type and flags, offset, address, address, size in the file */

		if (!tg_file_read(walk->mapping, walk->table, head, sizeof(head)))
			return 1;
		if ((__u32)head[0] != TG_PT_NOTE)
			goto next;
		offset = head[1];
		size = head[4];
	} else {
		__u32 head[5]; /* type, offset, address, address, size in the file */

		if (!tg_file_read(walk->mapping, walk->table, head, sizeof(head)))
			return 1;
		if (head[0] != TG_PT_NOTE)
			goto next;
		offset = head[1];
		size = head[4];
	}
	note = walk->note_count;
	if (note >= TG_ELF_NOTE_SEGMENTS)
		return 1;
	walk->notes[note].offset = offset;
	walk->notes[note].size = size;
	walk->note_count = note + 1;
next:
	walk->table += walk->entry;
	return 0;
}

static long tg_elf_note(__u32 index, struct tg_elf_loop *loop)
{
	struct tg_elf_walk *walk = loop->walk;
	__u32 head[4]; /* size of the owner, of the content, type, owner */
	__u64 content;

	if (walk->at + sizeof(head) > walk->end) {
		__u32 note = walk->note;

		if (note >= walk->note_count || note >= TG_ELF_NOTE_SEGMENTS)
			return 1;
		walk->at = walk->notes[note].offset;
		walk->end = walk->at + walk->notes[note].size;
		walk->note = note + 1;
		return 0;
	}
	if (!tg_file_read(walk->mapping, walk->at, head, sizeof(head))) {
		walk->at = walk->end;
		return 0;
	}
	content = walk->at + 12 + (((__u64)head[0] + 3) & ~3ULL);
	if (head[2] == TG_NT_GNU_BUILD_ID && head[0] == 4 && head[3] == 0x554e47 /* GNU */ && head[1] &&
	    head[1] <= TG_BUILD_ID_MAX && content + head[1] <= walk->end) {
		walk->found = head[1];
		walk->id = content;
		return 1;
	}
	walk->at = content + (((__u64)head[1] + 3) & ~3ULL);
	return 0;
}

/* Byte by byte in words of four: content is aligned to four, and so no word lies over the end of a page. */
static __always_inline void tg_build_id_copy(struct tg_loader_record *record, const struct tg_elf_walk *walk)
{
	for (__u32 i = 0; i < TG_BUILD_ID_MAX / 4; i++) {
		__u32 word = 0;

		if (i * 4 >= walk->found)
			break;
		if (!tg_file_read(walk->mapping, walk->id + i * 4, &word, sizeof(word))) {
			record->flags |= TG_LOADER_NOT_CACHED;
			return;
		}
		*(__u32 *)(record->build_id + i * 4) = word;
	}
	record->build_id_size = walk->found;
}

/* Into record->build_id and the flags that say why there is none. */
static __always_inline void tg_build_id(struct tg_loader_record *record, __u64 mapping)
{
	struct tg_elf_loop loop;
	struct tg_elf_walk *walk;
	struct tg_elf_head head;
	__u32 zero = 0;

	record->build_id_size = 0;
	__builtin_memset(record->build_id, 0, sizeof(record->build_id));
	if (!tg_file_read(mapping, 0, &head, sizeof(head))) {
		record->flags |= TG_LOADER_NOT_CACHED;
		return;
	}
	if (head.magic != TG_ELF_MAGIC || head.data != 1 || (head.class != 1 && head.class != 2)) {
		record->flags |= TG_LOADER_NO_BUILD_ID;
		return;
	}
	walk = bpf_map_lookup_elem(&tg_elf_scratch, &zero);
	if (!walk)
		return;
	__builtin_memset(walk, 0, sizeof(*walk));
	loop.walk = walk;
	walk->mapping = mapping;
	walk->is_64 = head.class == 2;
	walk->table = walk->is_64 ? head.big.phoff : head.small.phoff;
	walk->entry = walk->is_64 ? head.big.phentsize : head.small.phentsize;
	walk->count = walk->is_64 ? head.big.phnum : head.small.phnum;
	bpf_loop(TG_ELF_SEGMENTS, tg_elf_segment, &loop, 0);
	bpf_loop(TG_ELF_NOTES, tg_elf_note, &loop, 0);
	if (walk->found)
		tg_build_id_copy(record, walk);
	else
		record->flags |= TG_LOADER_NO_BUILD_ID;
}

#endif
