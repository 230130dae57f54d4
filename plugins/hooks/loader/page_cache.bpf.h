/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_LOADER_PAGE_CACHE_H
#define TETRAGON_LOADER_PAGE_CACHE_H

/*
 * Bytes of a file from the page cache: what is mapped, whatever happened to its name. Not read from disk: the part that
 * is looked at, the ELF header and the notes, was read by exec or by the dynamic linker a moment ago.
 *
 * A page's descriptor leads to its bytes through the two bases in tg_layout. The kernel randomises them at boot and does
 * not tell them (data symbols are not in every kernel's kallsyms); the calibration finds them with a page of which user
 * space knows the frame number and the content.
 */

#include "lib/base.bpf.h"
#include "loader.h"

#define TG_PAGE_SHIFT 12
#define TG_PAGE_SIZE  (1UL << TG_PAGE_SHIFT)

/* include/linux/xarray.h */
#define TG_XA_LEVELS		8
#define TG_XA_SLOTS		64
#define TG_XA_IS_NODE(entry)	(((entry)&3) == 2 && (entry) > 4096)
#define TG_XA_IS_SIBLING(entry) (((entry)&3) == 2 && (entry) < (TG_XA_SLOTS << 2))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_layout);
} tg_layout SEC(".maps");

static __always_inline struct tg_layout *tg_layout_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tg_layout, &zero);
}

static __always_inline __u64 tg_xa_slot(__u64 node, __u64 slot)
{
	struct xa_node *at = (void *)node;
	__u64 entry = 0;

	bpf_probe_read_kernel(&entry, sizeof(entry),
			      (void *)&at->slots[0] + (slot & (TG_XA_SLOTS - 1)) * sizeof(entry));
	return entry;
}

/* Descriptor of the file's page, 0: it is not in memory. */
static __noinline __u64 tg_page_find(__u64 mapping_address, __u64 index)
{
	struct address_space *mapping = (void *)mapping_address;
	__u64 entry = (__u64)BPF_CORE_READ(mapping, i_pages.xa_head);
	struct folio *folio;

	if (!TG_XA_IS_NODE(entry) && index)
		return 0; /* a file of one page */
	for (int level = 0; level < TG_XA_LEVELS; level++) {
		struct xa_node *node = (void *)(entry - 2);
		__u8 shift;

		if (!TG_XA_IS_NODE(entry))
			break;
		shift = BPF_CORE_READ(node, shift);
		entry = tg_xa_slot(entry - 2, index >> (shift & 63));
		/* One folio over several places: the first one has it. */
		if (TG_XA_IS_SIBLING(entry))
			entry = tg_xa_slot((__u64)node, entry >> 2);
	}
	if (!entry || entry & 3)
		return 0;
	folio = (void *)entry;
	return entry + (index - BPF_CORE_READ(folio, index)) * bpf_core_type_size(struct page);
}

/* Address of the page's bytes. */
static __always_inline __u64 tg_page_bytes(const struct tg_layout *layout, __u64 page)
{
	if (page < layout->pages)
		return 0;
	return layout->memory + ((page - layout->pages) / bpf_core_type_size(struct page) << TG_PAGE_SHIFT);
}

/* False: not in memory, or over the end of a page. `size` is a constant. */
static __always_inline bool tg_file_read(__u64 mapping, __u64 offset, void *to, __u32 size)
{
	struct tg_layout *layout = tg_layout_get();
	__u64 at = offset & (TG_PAGE_SIZE - 1), page, bytes;

	if (!layout || !layout->pages || at + size > TG_PAGE_SIZE)
		return false;
	page = tg_page_find(mapping, offset >> TG_PAGE_SHIFT);
	bytes = page ? tg_page_bytes(layout, page) : 0;
	return bytes && !bpf_probe_read_kernel(to, size, (void *)(bytes + at));
}

#endif
