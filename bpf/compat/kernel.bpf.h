/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_COMPAT_KERNEL_H
#define TETRAGON_BPF_COMPAT_KERNEL_H

/*
 * What differs between kernels, in one place: since which version (commit), why, and when the entry can go. libbpf
 * ignores the part of a type's name after three underscores, so a flavor finds the kernel's own type.
 */

#include "vmlinux.h"

/* task_struct.loginuid exists only with CONFIG_AUDIT (4.18, 4b7d248b3a1d put the condition around it): ask with
 * bpf_core_field_exists. The kernel that vmlinux.h comes from may lack it. Stays. */
struct task_struct___audit {
	kuid_t loginuid;
} __attribute__((preserve_access_index));

/* bpf_rdonly_cast: 6.2 (a35b9af4ec2c). Makes a typed pointer of a number, so that a walk that crosses a mount goes on
 * with plain loads. Its presence shows in an enum of the verifier; asking for the symbol's address instead is refused
 * by 6.1 to 6.3 (until 58aa2afbb1e6). Can go when 6.1 is not served any more. */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __attribute__((section(".ksyms"), weak));
#define TG_HAS_RDONLY_CAST bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_rdonly_cast)

/* Where a dentry keeps a short name: an array d_iname until 6.13, in d_shortname since 6.14. At least 32
 * bytes on 64-bit machines. Can go when 6.12 is not served any more. */
struct dentry___iname {
	unsigned char d_iname[32];
} __attribute__((preserve_access_index));
struct dentry___shortname {
	union shortname_store d_shortname;
} __attribute__((preserve_access_index));
#define TG_SHORT_NAME_OFFSET                                             \
	(bpf_core_field_exists(struct dentry___iname, d_iname)           \
		 ? bpf_core_field_offset(struct dentry___iname, d_iname) \
		 : bpf_core_field_offset(struct dentry___shortname, d_shortname))

/* kernel_cap_t: two 32-bit words until 6.2, one 64-bit word since 6.3 (f122a08b197d). On little-endian machines both
 * read as one 64-bit word; there is no big-endian build. Can go when 6.1 is not served any more. */
#define TG_CAP_WORD(capability_set) (*(const __u64 *)&(capability_set))

/* task_struct.state, signal flags and the like that no header exports. */
#define TG_SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h; the same since 2.6 */

/* load_info is private to kernel/module, and missing without CONFIG_MODULES: ask with bpf_core_type_exists. The members
 * are the same since 5.0. Stays. */
struct load_info___module {
	const char *name;
	struct module *mod;
	_Bool sig_ok;
} __attribute__((preserve_access_index));

/* sched_process_exit passes `group_dead` since 6.16 (2fbdb6d8e03b). User space asks BTF and sets a constant. */

#endif
