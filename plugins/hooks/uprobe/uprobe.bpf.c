// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Functions and probes of programs. One object holds every variant; the plugin loads those it attaches:
 * by the link (one place each, or many at once: uprobe.multi since 6.6), and by what waits for pages (uprobe.s).
 */
#include "lib/hook/hook.bpf.h"

#include "preload.bpf.h"

#define TG_UPROBE_ENTRY(name, section)                        \
	SEC(section)                                          \
	int name(struct pt_regs *ctx)                         \
	{                                                     \
		return tg_hook_enter(ctx, TG_CONTEXT_UPROBE); \
	}

/* Reads what is not in memory yet, then does the same. Until 6.19 the verifier refuses tries in sleepable programs. */
#define TG_UPROBE_WAITING(name, section)                      \
	SEC(section)                                          \
	int name(struct pt_regs *ctx)                         \
	{                                                     \
		tg_preload(ctx);                              \
		return tg_hook_enter(ctx, TG_CONTEXT_UPROBE); \
	}

/* Beside an entry that cannot wait. The kernel runs the consumer first that came last. */
#define TG_UPROBE_PRELOAD(name, section) \
	SEC(section)                     \
	int name(struct pt_regs *ctx)    \
	{                                \
		tg_preload(ctx);         \
		return 0;                \
	}

#define TG_UPROBE_RETURN(name, section)                                              \
	SEC(section)                                                                 \
	int name(struct pt_regs *ctx)                                                \
	{                                                                            \
		return tg_hook_return(ctx, TG_CONTEXT_UPROBE, PT_REGS_RC_CORE(ctx)); \
	}

TG_UPROBE_ENTRY(tg_uprobe, "uprobe")
TG_UPROBE_WAITING(tg_uprobe_waiting, "uprobe.s")
TG_UPROBE_PRELOAD(tg_uprobe_preload, "uprobe.s")
TG_UPROBE_RETURN(tg_uretprobe, "uretprobe")

TG_UPROBE_ENTRY(tg_multi, "uprobe.multi")
TG_UPROBE_WAITING(tg_multi_waiting, "uprobe.multi.s")
TG_UPROBE_PRELOAD(tg_multi_preload, "uprobe.multi.s")
TG_UPROBE_RETURN(tg_multi_return, "uretprobe.multi")
