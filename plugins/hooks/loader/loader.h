/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_LOADER_H
#define TETRAGON_PLUGIN_LOADER_H

/* What the loader's programs and its user side agree on. */

#include "shared/process.h"
#include "shared/record.h"

#define TG_KIND_LOADER 1

#define TG_BUILD_ID_MAX 64

enum {                            /* tg_loader_record.flags */
       TG_LOADER_PATH_CUT = 1,    /* components are missing in front of the path */
       TG_LOADER_NOT_CACHED = 2,  /* the file's first page is not in memory: no build id could be read */
       TG_LOADER_NO_BUILD_ID = 4, /* read, and there is none */
       TG_LOADER_AT_EXEC = 8,     /* mapped by the exec itself: the program, or its dynamic linker */
};

struct tg_loader_record {
  struct tg_record head;
  struct tg_process_key process;
  __u32 tid;
  __u32 flags;
  __u32 path_size;
  __u32 build_id_size;
  __u8 build_id[TG_BUILD_ID_MAX];
  /* the path follows */
};

/* Where the kernel keeps pages (value of map tg_layout). The two bases are found by the calibration, see
 * page_cache.bpf.h. */
struct tg_layout {
  __u64 pages;  /* struct page of the first page of memory; 0: not known */
  __u64 memory; /* the first page of memory itself */
};

#define TG_PROBE_SIZE 32

#endif
