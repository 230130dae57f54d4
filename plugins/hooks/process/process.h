/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_PROCESS_H
#define TETRAGON_PLUGIN_PROCESS_H

/* The records of this plugin, as both sides see them. Flags, namespaces and privileges have the values of abi.h. */

#include "shared/process.h"
#include "shared/record.h"

enum tg_process_kind {
  TG_KIND_EXEC = 1,
  TG_KIND_CLONE = 2,
  TG_KIND_EXIT = 3,
  TG_KIND_DATA = 4,
};

#define TG_EXEC_FILENAME_MAX 4096
#define TG_EXEC_CWD_MAX 4096
#define TG_EXEC_CGROUP_MAX 128
#define TG_EXEC_ARGS_INLINE 16384
#define TG_EXEC_ENVS_INLINE 4096
#define TG_EXEC_DATA_TOTAL 327360 /* arguments or environment, out of line; the rest is cut */

/* tg_exec.flags, tg_clone.flags: the values of TETRAGON_EXEC_* (abi.h cannot be included beside vmlinux.h;
 * decode.cpp checks that they agree). */
#define TG_EXEC_EXECVE 0x1
#define TG_EXEC_PROCFS 0x4
#define TG_EXEC_ERROR_ENVS 0x8
#define TG_EXEC_TRUNC_ARGS 0x10
#define TG_EXEC_MISS 0x40
#define TG_EXEC_ERROR_FILENAME 0x100
#define TG_EXEC_ERROR_ARGS 0x200
#define TG_EXEC_NO_CWD 0x800
#define TG_EXEC_ROOT_CWD 0x1000
#define TG_EXEC_ERROR_CWD 0x2000
#define TG_EXEC_CLONE 0x4000
#define TG_EXEC_ERROR_CGROUP_NAME 0x10000
#define TG_EXEC_ERROR_CGROUP_SUBSYS_CGRP 0x40000
#define TG_EXEC_ERROR_CGROUP_SUBSYS 0x80000
#define TG_EXEC_ERROR_CGROUPS 0x100000
#define TG_EXEC_ERROR_CGROUP_ID 0x200000
#define TG_EXEC_ERROR_PATH_CWD 0x400000
#define TG_EXEC_DATA_ARGS 0x1000000
#define TG_EXEC_IN_INIT_TREE 0x2000000
#define TG_EXEC_QUIET 0x4000000 /* a parent only: kernel threads found at start */

/* tg_exec.privileges: TETRAGON_PRIV_* */
#define TG_PRIV_FILE_CAPS 0x1
#define TG_PRIV_SETUID 0x2
#define TG_PRIV_SETGID 0x4

/* tg_exec.valid */
#define TG_EXEC_VALID_FILE 0x1
#define TG_EXEC_VALID_CREDENTIALS 0x2

struct tg_exec_credentials {
  __u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
  __u32 securebits;
  __s32 user_ns_level;
  __u32 user_ns_uid, user_ns_gid, user_ns_inum;
  __u32 reserved;
  __u64 cap_permitted, cap_effective, cap_inheritable;
};

/*
 *   | head | fixed part | filename | cwd | cgroup name | arguments | environment |
 * The texts follow each other without padding or NUL at their end; arguments are separated by NUL.
 */
struct tg_exec {
  struct tg_record head;
  struct tg_process_key process;
  struct tg_process_key parent;
  struct tg_process_key replaced;
  __u32 flags; /* TETRAGON_EXEC_* */
  __u32 tid;
  __u32 uid; /* effective */
  __u32 auid;
  __u32 ns_pid;
  __u32 parent_pid;
  __u32 privileges; /* TETRAGON_PRIV_* */
  __u32 file_links;
  __u64 file_inode;
  __u64 cgroup_id;
  __u64 args_data;
  __u64 envs_data;
  __u32 valid;
  __u32 filename_size;
  __u32 cwd_size;
  __u32 cgroup_size;
  __u32 args_size;
  __u32 envs_size;
  __u32 namespaces[TG_NS_COUNT];
  struct tg_exec_credentials credentials;
};

struct tg_clone {
  struct tg_record head;
  struct tg_process_key process;
  struct tg_process_key parent;
  __u32 flags;
  __u32 tid;
  __u32 ns_pid;
  __u32 parent_pid;
};

struct tg_exit {
  struct tg_record head;
  struct tg_process_key process;
  __u32 code;
  __u32 tid;
};

struct tg_data {
  struct tg_record head;
  __u64 id;
  __u32 piece_size;
  __u32 reserved;
  /* the piece follows */
};

#ifdef __cplusplus
#define TG_LAYOUT(what) static_assert(what, #what)
#else
#define TG_LAYOUT(what) _Static_assert(what, #what)
#endif
TG_LAYOUT(sizeof(struct tg_record) == 32);
TG_LAYOUT(sizeof(struct tg_process_key) == 16);
TG_LAYOUT(__builtin_offsetof(struct tg_process, groups) == 120);
TG_LAYOUT(sizeof(struct tg_process) == 184);
TG_LAYOUT(sizeof(struct tg_group_bits) == 32);
TG_LAYOUT(sizeof(struct tg_group_path) == 256);
TG_LAYOUT(sizeof(struct tg_group_prefix) == 260);
TG_LAYOUT(sizeof(struct tg_group_postfix) == 132);
TG_LAYOUT(sizeof(struct tg_group_pid) == 8);
TG_LAYOUT(sizeof(struct tg_group_state) == 120);
TG_LAYOUT(sizeof(struct tg_exec_credentials) == 80);
TG_LAYOUT(__builtin_offsetof(struct tg_exec, flags) == 80);
TG_LAYOUT(__builtin_offsetof(struct tg_exec, file_inode) == 112);
TG_LAYOUT(__builtin_offsetof(struct tg_exec, namespaces) == 168);
TG_LAYOUT(__builtin_offsetof(struct tg_exec, credentials) == 208);
TG_LAYOUT(sizeof(struct tg_exec) == 288);
TG_LAYOUT(sizeof(struct tg_clone) == 80);
TG_LAYOUT(sizeof(struct tg_exit) == 56);
TG_LAYOUT(sizeof(struct tg_data) == 48);
TG_LAYOUT(sizeof(struct tg_data) + TG_DATA_MAX == TG_RECORD_MAX);
TG_LAYOUT(sizeof(struct tg_exec) + TG_EXEC_FILENAME_MAX + TG_EXEC_CWD_MAX + TG_EXEC_CGROUP_MAX + TG_EXEC_ARGS_INLINE +
              TG_EXEC_ENVS_INLINE <=
          TG_RECORD_MAX);

#endif
