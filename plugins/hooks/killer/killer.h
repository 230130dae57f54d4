/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_PLUGIN_KILLER_H
#define TETRAGON_PLUGIN_KILLER_H

#include "shared/hook.h"

/* Words of tg_enforced: a bit per system call, those of the 32-bit ABI from TG_SYSCALLS32 on. */
#define TG_CALL_WORDS (2 * TG_SYSCALLS32 / 64)

#endif
