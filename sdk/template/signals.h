/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SIGNALS_H
#define SIGNALS_H

/* The record, for both sides: fixed-width types, no hidden padding. */

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "shared/process.h"
#include "shared/record.h"

#define SIGNALS_RECORD_SENT 1

struct signals_sent {
  struct tg_record head;
  struct tg_process_key sender; /* start_ns 0: not known to the process map */
  __u32 sender_tid;
  __u32 target_pid;
  __s32 signal;
  __s32 result; /* 0: delivered; else the kernel's TRACE_SIGNAL_* */
  char target_comm[16];
};

#endif
