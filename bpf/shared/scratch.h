/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_SHARED_SCRATCH_H
#define TETRAGON_BPF_SHARED_SCRATCH_H

/*
 * sizeof(struct tg_hook_scratch) of lib/hook/value.bpf.h, which only programs know: so that the host makes the shared map
 * for none that was built with another layout.
 */
#define TG_HOOK_SCRATCH_BYTES 30088

#endif
