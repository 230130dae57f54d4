/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The same programs as on a kernel that cannot make a typed pointer of an address (until 6.1). */
#include "lib/base.bpf.h"

#undef TG_HAS_RDONLY_CAST
#define TG_HAS_RDONLY_CAST false

#include "readers.bpf.c"
