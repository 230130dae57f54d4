/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_TESTS_KERNEL_READERS_H
#define TETRAGON_TESTS_KERNEL_READERS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define READER_BYTES 4224 /* TG_VALUE_BYTES */
#define READER_PACKET_BYTES 128

struct reader_result { /* as struct tg_value */
  __s32 status;
  __u32 size, full_size, flags;
  char bytes[READER_BYTES];
};

/* What the made-up packet looks like; its bytes are in it. */
struct reader_packet {
  __u32 tail;           /* bytes from its beginning to what the packet has */
  __u16 network_header; /* offset */
  __u16 protocol;       /* host order */
  __u32 sec_path_len, sec_path_olen;
  char bytes[READER_PACKET_BYTES];
};

/* Programs that wait for an event of this process note each value here, the newest last. */
#define READER_NOTED 8
struct reader_noted {
  __u32 pid;
  __u32 count;
  struct reader_result results[READER_NOTED];
};

#endif
