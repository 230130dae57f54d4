/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_HOOK_ARGS_H
#define TETRAGON_BPF_SHARED_HOOK_ARGS_H

/* Bytes that follow struct tg_hook_arg, per enum tg_type. Text has no NUL at its end; its size is what is left. */

#ifndef __bpf__
#include <linux/types.h>
#endif

/* NUMBER, SYSCALL: __s64 / __u64 as extended by the load. STRING, BYTES, FILENAME, DATA_LOC, NET_DEVICE, RANGES,
 * FIXED_BYTES, IOVEC, IOV_ITER: the bytes themselves. CAP_SET: __u64. */

enum { TG_PATH_FLAG_UNRESOLVED = 1 /* components are missing: too long, too deep, or outside of the process' root */ };

struct tg_path_arg { /* FILE, PATH, DENTRY, FD, KIOCB, BINPRM; the path follows */
	__u32 flags;
	__u16 mode; /* i_mode */
	__u16 reserved;
};

struct tg_sock_arg {  /* SOCK, SOCKET */
	__u64 cookie; /* kernel address */
	__u32 mark, priority;
	__u16 family, type, protocol;
	__u8 state;
	__u8 reserved;
	__u16 sport, dport; /* host byte order */
	__u32 reserved2;
	__u8 saddr[16], daddr[16]; /* IPv4: the first 4 */
};

struct tg_skb_arg {
	__u32 hash, len, priority, mark;
	__u32 sec_path_len, sec_path_olen;
	__u16 family, protocol; /* IPPROTO_* */
	__u16 sport, dport;
	__u8 saddr[16], daddr[16];
};

struct tg_sockaddr_arg {
	__u16 family, port;
	__u32 reserved;
	__u8 addr[16];
};

struct tg_sockaddr_un_arg { /* the path follows; an abstract name begins with a NUL byte */
	__u16 family;
	__u16 reserved[3];
};

struct tg_cred_arg {
	__u32 uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	__u32 securebits, reserved;
	__u64 cap_permitted, cap_effective, cap_inheritable;
	__s32 user_ns_level;
	__u32 user_ns_uid, user_ns_gid, user_ns_inum;
};

struct tg_user_ns_arg {
	__s32 level;
	__u32 uid, gid, inum;
};

struct tg_bpf_attr_arg { /* also BPF_PROG */
	__u32 prog_type, insn_count;
	char name[16];
};

struct tg_bpf_map_arg {
	__u32 type, key_size, value_size, max_entries;
	char name[16];
};

struct tg_perf_event_arg {
	__u64 config, probe_offset;
	__u32 type, reserved;
	char function[64];
};

struct tg_module_arg { /* also LOAD_INFO */
	__u64 taints;
	__u8 has_signature, signature_ok; /* LOAD_INFO only */
	__u8 reserved[6];
	char name[64];
};

#endif
