/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_PATH_WALK_H
#define TETRAGON_BPF_LIB_PATH_WALK_H

/*
 * Extract layer: the path of a (mount, dentry) pair from the kernel's own objects, one step at a time; path.bpf.h and
 * hook/read_path.bpf.h hold the buffers and the loops.
 *
 * The walk goes from the entry up to the process' root, so the text is built from the back of the buffer. What does not
 * fit any more is the part next to the root: the known tail is reported, with a flag. No lock is held: a rename at this
 * very moment can give a mix of both names, never memory that is not a name.
 */

#include "lib/base.bpf.h"

#define TG_PATH_MAX   4096
#define TG_PATH_STEPS 2048 /* components, where bpf_loop exists (5.17, e6f2dd0f8067) */
/* Room behind the last position, so that one bound check serves every step. */
#define TG_PATH_NAME_MAX 255
#define TG_PATH_SHORT	 32 /* names up to here are copied without a helper */
#define TG_PATH_BUFFER	 (TG_PATH_MAX + TG_PATH_NAME_MAX + 1)

enum tg_path_flags {
	TG_PATH_TRUNCATED = 1,	 /* more components or bytes than fit */
	TG_PATH_UNREACHABLE = 2, /* not below the process' root: detached mount, or outside of a chroot */
};

struct tg_walk {
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct dentry *mnt_root; /* of mnt: a helper call less per step where loads are calls */
	struct dentry *root_dentry;
	struct vfsmount *root_mnt; /* NULL: the task has none any more; the global root is as good */
	__u32 flags;
	__u32 done;
};

/* `typed` is a constant: the compiler keeps one of the two ways. */
#define tg_step_get(typed, ptr, field) ((typed) ? (ptr)->field : BPF_CORE_READ(ptr, field))

/* An object of the kernel of which only the address is known. */
#define tg_object(typed, type, address) \
	((type *)((typed) ? bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)) : (void *)(address)))

/* Eight bytes of kernel memory, wherever they are. A plain load needs a type; any that begins with such a number does. */
#define tg_word(typed, address)                                                            \
	({                                                                                 \
		__u64 __word = 0;                                                          \
		if (typed)                                                                 \
			__word = tg_object(true, struct timespec64, address)->tv_sec;      \
		else                                                                       \
			bpf_probe_read_kernel(&__word, sizeof(__word), (void *)(address)); \
		__word;                                                                    \
	})

/* The compiler makes one comparison of two (end - 8 <= max - 8), from which 6.1 learns nothing of `end`. */
#define tg_within(value, low, high) \
	((value) >= (low) && ({     \
		 tg_opaque(value);  \
		 (value) <= (high); \
	 }))

#define tg_name_word(typed, address) ((typed) ? tg_word(true, address) : *(const __u64 *)(address))

/*
 * What a step needs of a dentry. Where loads are helper calls one call reads it all, with the name when it is short:
 * into the room behind the text, as map memory is what every verifier lets be read at any offset.
 */
struct tg_dentry_words {
	struct dentry *parent;
	__u64 hash_and_length;
	const unsigned char *name;
	struct inode *inode;
	char short_name[TG_PATH_SHORT];
};

struct tg_dentry_view {
	struct dentry *parent;
	struct inode *inode;
	const unsigned char *name;
	__u64 length;
	bool copied; /* the name is in the words, too */
};

#define tg_dentry_words(text) ((struct tg_dentry_words *)((text) + TG_PATH_MAX))
/* The members lie like this on every kernel that was not built to shuffle them. */
#define TG_DENTRY_AT(member) \
	(bpf_core_field_offset(struct dentry, member) - bpf_core_field_offset(struct dentry, d_parent))
#define TG_DENTRY_PACKED                                                                        \
	(TG_DENTRY_AT(d_name) == __builtin_offsetof(struct tg_dentry_words, hash_and_length) && \
	 TG_DENTRY_AT(d_inode) == __builtin_offsetof(struct tg_dentry_words, inode) &&          \
	 TG_SHORT_NAME_OFFSET - bpf_core_field_offset(struct dentry, d_parent) ==               \
		 __builtin_offsetof(struct tg_dentry_words, short_name))

static __always_inline struct tg_dentry_view tg_dentry_view(struct dentry *dentry, char *text, const bool typed)
{
	struct tg_dentry_view view = {};

	if (!typed && TG_DENTRY_PACKED) {
		struct tg_dentry_words *words = tg_dentry_words(text);

		bpf_probe_read_kernel(words, sizeof(*words),
				      (const void *)dentry + bpf_core_field_offset(struct dentry, d_parent));
		view.parent = words->parent;
		view.inode = words->inode;
		view.name = words->name;
		view.length = words->hash_and_length >> 32;
		view.copied = (const void *)view.name == (const void *)dentry + TG_SHORT_NAME_OFFSET;
	} else {
		view.parent = tg_step_get(typed, dentry, d_parent);
		view.inode = tg_step_get(typed, dentry, d_inode);
		view.name = tg_step_get(typed, dentry, d_name.name);
		view.length = tg_step_get(typed, dentry, d_name.len);
	}
	return view;
}

/*
 * The name in front of the position, which it moves. Most names are short: copied by words from their end they cost
 * one or two loads, and what is too much lands in front of the text, where the next name overwrites it. What is read
 * in front of the name belongs to the dentry, or to the head of an external name.
 */
static __always_inline bool tg_path_prepend(char *text, __u64 *position, const struct tg_dentry_view *view,
					    const bool typed)
{
	__u64 end = *position, length = view->length;

	if (length > TG_PATH_NAME_MAX)
		length = TG_PATH_NAME_MAX;
	if (end < length)
		return false;
	*position = end - length;
	tg_opaque(end);
	tg_opaque(length);
	if ((typed || view->copied) && length <= TG_PATH_SHORT && tg_within(end, TG_PATH_SHORT, TG_PATH_MAX)) {
		const void *from = (typed ? (const void *)view->name : tg_dentry_words(text)->short_name) + length;
		char *to = text + end;

		*(__u64 *)(to - 8) = tg_name_word(typed, from - 8);
		if (length > 8)
			*(__u64 *)(to - 16) = tg_name_word(typed, from - 16);
		if (length > 16) {
			*(__u64 *)(to - 24) = tg_name_word(typed, from - 24);
			*(__u64 *)(to - 32) = tg_name_word(typed, from - 32);
		}
		return true;
	}
	end -= length;
	tg_opaque(end);
	end &= TG_PATH_MAX - 1;
	length &= TG_PATH_NAME_MAX;
	bpf_probe_read_kernel(&text[end], length, view->name);
	return true;
}

/* At most 8 bytes, right-aligned in `word`. */
static __always_inline void tg_path_push(char *text, __u64 *position, __u64 word, __u64 length)
{
	__u64 end = *position;

	tg_opaque(end);
	if (!tg_within(end, 8, TG_PATH_MAX))
		return;
	*(__u64 *)(text + end - 8) = word;
	*position = end - length;
}

#define tg_path_push_text(text, position, literal)                                                  \
	do {                                                                                        \
		union {                                                                             \
			char bytes[8];                                                              \
			__u64 word;                                                                 \
		} __push = {};                                                                      \
		_Static_assert(sizeof(literal) <= 9, "a word");                                     \
		__builtin_memcpy(&__push.bytes[9 - sizeof(literal)], literal, sizeof(literal) - 1); \
		tg_path_push(text, position, __push.word, sizeof(literal) - 1);                     \
	} while (0)

static __always_inline bool tg_path_step_name(const struct tg_dentry_view *view, char *text, __u64 *position,
					      const bool typed)
{
	__u64 pos;

	if (*position < view->length + 1)
		return false;
	tg_path_prepend(text, position, view, typed);
	pos = *position - 1;
	*position = pos;
	tg_opaque(pos);
	text[pos & (TG_PATH_MAX - 1)] = '/';
	return true;
}

/* One component, or one mount crossed. True when the walk is over. */
static __always_inline bool tg_path_step(struct tg_walk *walk, char *text, __u64 *position, const bool typed)
{
	struct dentry *dentry = walk->dentry;
	struct vfsmount *mnt = walk->mnt;
	struct tg_dentry_view view;

	if (dentry == walk->root_dentry && mnt == walk->root_mnt)
		goto done;

	if (dentry == walk->mnt_root) {
		const void *at = (const void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *mount = tg_object(typed, struct mount, at), *above;

		above = tg_step_get(typed, mount, mnt_parent);
		if (!above || above == mount) { /* the global root, or a mount that was detached */
			if (walk->root_mnt || !tg_step_get(typed, mount, mnt_ns))
				walk->flags |= TG_PATH_UNREACHABLE;
			goto done;
		}
		walk->dentry = tg_step_get(typed, mount, mnt_mountpoint);
		mnt = tg_object(typed, struct vfsmount, (void *)above + bpf_core_field_offset(struct mount, mnt));
		walk->mnt = mnt;
		walk->mnt_root = tg_step_get(typed, mnt, mnt_root);
		return false;
	}

	view = tg_dentry_view(dentry, text, typed);
	if (!view.parent || view.parent == dentry) { /* root of a file system that is not mounted here */
		walk->flags |= TG_PATH_UNREACHABLE;
		goto done;
	}
	if (!tg_path_step_name(&view, text, position, typed)) {
		walk->flags |= TG_PATH_TRUNCATED;
		goto done;
	}
	walk->dentry = view.parent;
	return false;

done:
	walk->done = 1;
	return true;
}

#endif
