// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Executable mappings of files: what exec maps, and mmap and mprotect with PROT_EXEC. At the return of the system call
 * the mapping exists, and its file is the kernel's object, not a name from user memory.
 */
#define TG_TYPED
#include "lib/path.bpf.h"
#include "lib/process_map.bpf.h"
#include "lib/ring.bpf.h"

#include "build_id.bpf.h"
#include "loader.h"

char tg_license[] SEC("license") = "GPL";

#define TG_PROT_EXEC	     4
#define TG_PROT_READ	     1
#define TG_MAP_ANONYMOUS     0x20
#define TG_READ_IMPLIES_EXEC 0x0400000 /* include/uapi/linux/personality.h */
#define TG_VM_EXEC	     4
#define TG_AT_BASE	     7
#define TG_AUXV_PAIRS	     24

struct tg_loader_buffer {
	struct tg_loader_record record;
	char path[TG_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_loader_buffer);
} tg_loader_scratch SEC(".maps");

static __always_inline void tg_loader_path(struct tg_loader_buffer *out, struct file *file, struct task_struct *task)
{
	struct tg_path_buffer *buffer;
	__u32 zero = 0, flags = 0, size;
	struct fs_struct *fs = task->fs;
	__u64 pos;

	out->record.path_size = 0;
	buffer = bpf_map_lookup_elem(&tg_path, &zero);
	if (!buffer)
		return;
	size = tg_path_walk(buffer, (struct path *)&file->f_path, &fs->root, true, &flags);
	if (flags)
		out->record.flags |= TG_LOADER_PATH_CUT;
	tg_opaque(size);
	if (size > TG_PATH_MAX)
		return;
	pos = TG_PATH_MAX - size;
	tg_opaque(pos);
	if (pos > TG_PATH_MAX)
		return;
	bpf_probe_read_kernel(out->path, size, buffer->text + pos);
	out->record.path_size = size;
}

/* A function of its own: two copies, of exec and of what it calls, are more stack than a chain of calls may have (512
 * bytes in all, without the private stacks of 6.13). */
static __noinline int tg_loader_report(struct file *file, __u64 mapping, __u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tg_loader_buffer *out;
	struct tg_process *process;
	__u32 zero = 0, size;

	out = bpf_map_lookup_elem(&tg_loader_scratch, &zero);
	if (!out || !file)
		return 0;
	out->record.tid = task->pid;
	out->record.flags = flags;
	out->record.process.pid = task->tgid;
	out->record.process.start_ns = 0;
	out->record.process.reserved = 0;
	process = tg_process_find(task->tgid);
	if (process)
		out->record.process = process->key;
	tg_build_id(&out->record, mapping);
	tg_loader_path(out, file, task);
	size = out->record.path_size;
	tg_opaque(size);
	if (size > TG_PATH_MAX)
		return 0;
	tg_output(&out->record, sizeof(out->record) + size, TG_KIND_LOADER, tg_now());
	return 0;
}

struct tg_loader_found {
	__u32 flags;
	__u32 any; /* also mappings that are not executable */
};

/* The mapping is locked meanwhile: its file cannot go. */
static long tg_loader_vma(struct task_struct *task, struct vm_area_struct *vma, struct tg_loader_found *found)
{
	struct file *file = vma->vm_file;

	if (file && (found->any || vma->vm_flags & TG_VM_EXEC))
		tg_loader_report(file, (__u64)file->f_mapping, found->flags);
	return 0;
}

static __always_inline void tg_loader_at(__u64 address, __u32 flags, bool any)
{
	struct tg_loader_found found = {.flags = flags, .any = any};

	bpf_find_vma(bpf_get_current_task_btf(), address, tg_loader_vma, &found, 0);
}

/* What is mapped of a file on overlayfs is another file, of the layer below, and it has the pages. */
static long tg_loader_backing(struct task_struct *task, struct vm_area_struct *vma, __u64 *mapping)
{
	struct file *file = vma->vm_file;

	if (file)
		*mapping = (__u64)file->f_mapping;
	return 0;
}

/* ---- system calls -------------------------------------------------------------------------------------------------- */

struct tg_mapping_call {
	__u64 address, protection, flags;
	bool maps, protects;
};

#if defined(__TARGET_ARCH_x86)
#define TG_TS_COMPAT 0x2 /* arch/x86/include/asm/thread_info.h */

static __always_inline bool tg_mapping_call(struct pt_regs *regs, struct tg_mapping_call *call)
{
	__u64 number = regs->orig_ax;

	/* Most calls end here: numbers that are none of both ABIs. */
	switch (number) {
	case 9:
	case 10:
	case 90:
	case 125:
	case 192:
	case 329:
	case 380: break;
	default: return false;
	}
	if (bpf_get_current_task_btf()->thread_info.status & TG_TS_COMPAT) {
		call->maps = number == 90 || number == 192; /* mmap, mmap2 */
		call->protects = number == 125 || number == 380;
		call->address = (__u32)regs->bx;
		call->protection = regs->dx;
		call->flags = regs->si;
		if (number == 90) { /* the arguments are in user memory */
			__u32 arguments[4] = {};

			if (bpf_probe_read_user(arguments, sizeof(arguments), (void *)(__u64)(__u32)regs->bx))
				return false;
			call->protection = arguments[2];
			call->flags = arguments[3];
		}
	} else {
		call->maps = number == 9;
		call->protects = number == 10 || number == 329;
		call->address = regs->di;
		call->protection = regs->dx;
		call->flags = regs->r10;
	}
	return call->maps || call->protects;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline bool tg_mapping_call(struct pt_regs *regs, struct tg_mapping_call *call)
{
	__u64 number = regs->syscallno;

	call->maps = number == 222;
	call->protects = number == 226 || number == 288;
	if (!call->maps && !call->protects)
		return false;
	call->address = regs->orig_x0;
	call->protection = regs->regs[2];
	call->flags = regs->regs[3];
	return true;
}
#endif

SEC("tp_btf/sys_exit")
int BPF_PROG(tg_loader_mapped, struct pt_regs *regs, long result)
{
	struct tg_mapping_call call = {};
	bool executable;

	if (!tg_mapping_call(regs, &call))
		return 0;
	if ((__u64)result >= (__u64)-4095)
		return 0;
	executable = call.protection & TG_PROT_EXEC ||
		     (call.protection & TG_PROT_READ && bpf_get_current_task_btf()->personality & TG_READ_IMPLIES_EXEC);
	if (!executable || (call.maps && call.flags & TG_MAP_ANONYMOUS))
		return 0;
	tg_loader_at(call.maps ? result : call.address, 0, false);
	return 0;
}

/* The new image has no return from mmap: the kernel itself mapped the program, and the dynamic linker at AT_BASE. The
 * process plugin attached first, so the process map has the new image already. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(tg_loader_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct mm_struct *mm = task->mm;
	struct file *file = bprm->file;
	__u64 linker = 0, mapping;

	if (file) {
		mapping = (__u64)file->f_mapping;
		bpf_find_vma(bpf_get_current_task_btf(), mm->start_code, tg_loader_backing, &mapping, 0);
		tg_loader_report(file, mapping, TG_LOADER_AT_EXEC);
	}
	for (int i = 0; i < TG_AUXV_PAIRS; i++) {
		__u64 pair[2] = {};

		if (bpf_probe_read_kernel(pair, sizeof(pair), &mm->saved_auxv[2 * i]) || !pair[0])
			break;
		if (pair[0] == TG_AT_BASE) {
			linker = pair[1];
			break;
		}
	}
	if (linker)
		tg_loader_at(linker, TG_LOADER_AT_EXEC, true);
	return 0;
}

/* ---- calibration: see page_cache.bpf.h ------------------------------------------------------------------------------ */

#define TG_CANDIDATES 65536 /* GiB of address space below the address of a task */
#define TG_GIGABYTE   (1UL << 30)

/* The page: its inode, its descriptor number in the process that made it, its frame, and what it begins with. */
const volatile __u64 tg_probe_inode = 0;
const volatile __u32 tg_probe_fd = 0;
const volatile __u64 tg_probe_frame = 0;
const volatile __u64 tg_probe_bytes[TG_PROBE_SIZE / 8] = {};

struct tg_search {
	__u64 top; /* a multiple of 1 GiB: both bases are */
	__u64 found;
};

static long tg_layout_try(__u32 index, struct tg_search *search)
{
	__u64 base = search->top - (__u64)index * TG_GIGABYTE;
	__u64 bytes[TG_PROBE_SIZE / 8];

	if (bpf_probe_read_kernel(bytes, sizeof(bytes), (void *)(base + (tg_probe_frame << TG_PAGE_SHIFT))))
		return 0;
	for (int i = 0; i < TG_PROBE_SIZE / 8; i++) {
		if (bytes[i] != tg_probe_bytes[i])
			return 0;
	}
	search->found = base;
	return 1;
}

SEC("iter/task")
int tg_loader_calibrate(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct tg_layout *layout = tg_layout_get();
	struct tg_search search = {};
	struct file **fds, *file = 0;
	__u64 page;

	if (!task || !layout || layout->pages)
		return 0;
	fds = BPF_CORE_READ(task, files, fdt, fd);
	if (!fds || tg_probe_fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	if (bpf_probe_read_kernel(&file, sizeof(file), &fds[tg_probe_fd]) || !file)
		return 0;
	if (BPF_CORE_READ(file, f_inode, i_ino) != tg_probe_inode)
		return 0;
	page = tg_page_find((__u64)BPF_CORE_READ(file, f_mapping), 0);
	if (!page)
		return 0;
	/* Tasks are in the same stretch of addresses as all memory, above its begin. */
	search.top = bpf_get_current_task() & ~(TG_GIGABYTE - 1);
	bpf_loop(TG_CANDIDATES, tg_layout_try, &search, 0);
	if (!search.found)
		return 0;
	layout->memory = search.found;
	layout->pages = page - tg_probe_frame * bpf_core_type_size(struct page);
	return 0;
}
