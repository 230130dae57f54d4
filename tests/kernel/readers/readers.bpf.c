/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Every reader on an object of this kernel. The raw_tp programs are run by the test (BPF_PROG_TEST_RUN), in its
 * context: words of the context are numbers of its file descriptors, or addresses in it. Objects that cannot be had
 * this way are made up in a map, in the layout of this kernel.
 */
#include "lib/hook/read_kernel.bpf.h"
#include "lib/hook/read_net.bpf.h"
#include "lib/hook/read_path.bpf.h"
#include "readers.h"

_Static_assert(sizeof(struct reader_result) == sizeof(struct tg_value), "copied as a whole");

typedef struct tg_hook_scratch scratch_t;
typedef struct reader_result result_t;
typedef struct reader_packet packet_t;
typedef struct reader_noted noted_t;
typedef struct {
	char object[2048]; /* the made-up object */
	char second[1024];
	__u64 address, second_address;
} made_t;

#define MAP(map_name, value_type)                 \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);           \
		__type(key, __u32);               \
		__type(value, value_type);        \
	} map_name SEC(".maps")

MAP(scratches, scratch_t);
MAP(results, result_t);
MAP(packets, packet_t);
MAP(notes, noted_t);
MAP(made_objects, made_t);

const volatile struct tg_hook_config tg_hook = {};

static __always_inline void *only(void *map)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(map, &zero);
}

/* A pointer to map memory as the number that a kernel object's address is. */
static __always_inline __u64 address_of(void *object, __u64 *note)
{
	*(void **)note = object;
	return *(volatile __u64 *)note;
}

static __always_inline struct file *file_of(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file **files = BPF_CORE_READ(task, files, fdt, fd), *file = 0;

	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

#define READER_PROGRAM(type, raw_of)                                                  \
	SEC("raw_tp/sys_enter")                                                       \
	int read_##type(struct bpf_raw_tracepoint_args *ctx)                          \
	{                                                                             \
		scratch_t *scratch = only(&scratches);                                \
		result_t *result = only(&results);                                    \
		__u64 arg __attribute__((unused)) = ctx->args[0], raw;                \
                                                                                      \
		if (!scratch || !result)                                              \
			return 1;                                                     \
		raw = raw_of;                                                         \
		scratch->values[0].full_size = ctx->args[1];                          \
		tg_read_##type(&scratch->values[0], raw, &tg_hook.slots[0], scratch); \
		bpf_probe_read_kernel(result, sizeof(*result), &scratch->values[0]);  \
		return 0;                                                             \
	}

static __always_inline __u64 cred_of_task(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return (__u64)BPF_CORE_READ(task, cred);
}

static __always_inline struct socket *socket_of(int fd)
{
	return BPF_CORE_READ(file_of(fd), private_data);
}

READER_PROGRAM(fd, arg)
READER_PROGRAM(file, ctx->args[2] ? arg : (__u64)file_of(arg))
READER_PROGRAM(path, (__u64)__builtin_preserve_access_index(&file_of(arg)->f_path))
READER_PROGRAM(dentry, (__u64)BPF_CORE_READ(file_of(arg), f_path.dentry))
READER_PROGRAM(socket, (__u64)socket_of(arg))
READER_PROGRAM(sock, (__u64)BPF_CORE_READ(socket_of(arg), sk))
READER_PROGRAM(sockaddr, arg)
READER_PROGRAM(sockaddr_un, arg)
READER_PROGRAM(bpf_attr, arg)
READER_PROGRAM(bpf_map, (__u64)BPF_CORE_READ(file_of(arg), private_data))
READER_PROGRAM(bpf_prog, (__u64)BPF_CORE_READ(file_of(arg), private_data))
READER_PROGRAM(perf_event, (__u64)BPF_CORE_READ(file_of(arg), private_data))
READER_PROGRAM(cred, cred_of_task())
READER_PROGRAM(user_ns, (__u64)BPF_CORE_READ((struct cred *)cred_of_task(), user_ns))
READER_PROGRAM(cap_set, cred_of_task() + bpf_core_field_offset(struct cred, cap_effective))

/* ---- made-up objects --------------------------------------------------------------------------------------------- */

#define FIELD(object, type, field) ((void *)(object) + (bpf_core_field_offset(type, field) & 1023))

static __always_inline __u64 make_kiocb(int fd)
{
	made_t *made = only(&made_objects);

	if (!made)
		return 0;
	*(__u64 *)FIELD(made->object, struct kiocb, ki_filp) = (__u64)file_of(fd);
	return address_of(made->object, &made->address);
}
READER_PROGRAM(kiocb, make_kiocb(arg))

static __always_inline __u64 make_binprm(int fd)
{
	made_t *made = only(&made_objects);

	if (!made)
		return 0;
	*(__u64 *)FIELD(made->object, struct linux_binprm, file) = (__u64)file_of(fd);
	return address_of(made->object, &made->address);
}
READER_PROGRAM(binprm, make_binprm(arg))

static __always_inline __u64 make_module(void *object, __u64 *note)
{
	__builtin_memcpy(FIELD(object, struct module, name), "tg_mod\0", 8);
	*(__u64 *)FIELD(object, struct module, taints) = 4096;
	return address_of(object, note);
}

static __always_inline __u64 module_in(void)
{
	made_t *made = only(&made_objects);

	return made ? make_module(made->object, &made->address) : 0;
}
READER_PROGRAM(module, module_in())

static __always_inline __u64 make_load_info(void)
{
	made_t *made = only(&made_objects);
	__u64 module;

	if (!made)
		return 0;
	if (!bpf_core_type_exists(struct load_info___module))
		return address_of(made->second, &made->second_address);
	module = make_module(made->object, &made->address);
	*(__u64 *)FIELD(made->second, struct load_info___module, mod) = module;
	*(__u64 *)FIELD(made->second, struct load_info___module, name) = module +
									 bpf_core_field_offset(struct module, name);
	if (bpf_core_field_exists(((struct load_info___module *)0)->sig_ok))
		*(_Bool *)FIELD(made->second, struct load_info___module, sig_ok) = 1;
	return address_of(made->second, &made->second_address);
}
READER_PROGRAM(load_info, make_load_info())

/* A packet of the test's bytes; its extensions, when it has any, are in `second`. */
static __always_inline __u64 make_skb(void)
{
	made_t *made = only(&made_objects);
	packet_t *packet = only(&packets);

	if (!made || !packet)
		return 0;
	*(void **)FIELD(made->object, struct sk_buff, head) = packet->bytes;
	*(__u32 *)FIELD(made->object, struct sk_buff, tail) = packet->tail;
	*(__u32 *)FIELD(made->object, struct sk_buff, len) = packet->tail;
	*(__u32 *)FIELD(made->object, struct sk_buff, mark) = 77;
	*(__u16 *)FIELD(made->object, struct sk_buff, network_header) = packet->network_header;
	*(__u16 *)FIELD(made->object, struct sk_buff, protocol) = bpf_htons(packet->protocol);
	if (bpf_core_field_exists(((struct sk_buff *)0)->active_extensions))
		*(__u8 *)FIELD(made->object, struct sk_buff, active_extensions) = 0;
	if (packet->sec_path_len && bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH)) {
		__u64 id = bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH) & 15;

		*(__u8 *)FIELD(made->object, struct sk_buff, active_extensions) = 1 << id;
		*(void **)FIELD(made->object, struct sk_buff, extensions) = made->second;
		*(__u8 *)(FIELD(made->second, struct skb_ext, offset) + id) = 4; /* 32 bytes */
		*(__u32 *)(made->second + 32 + (bpf_core_field_offset(struct sec_path, len) & 127)) =
			packet->sec_path_len;
		*(__u32 *)(made->second + 32 + (bpf_core_field_offset(struct sec_path, olen) & 127)) =
			packet->sec_path_olen;
	}
	return address_of(made->object, &made->address);
}
READER_PROGRAM(skb, make_skb())

/* An address in kernel memory: the bytes of the packet. */
static __always_inline __u64 packet_address(void)
{
	made_t *made = only(&made_objects);
	packet_t *packet = only(&packets);

	return made && packet ? address_of(packet->bytes, &made->address) : 0;
}

SEC("raw_tp/sys_enter")
int read_kernel_sockaddr(struct bpf_raw_tracepoint_args *ctx)
{
	scratch_t *scratch = only(&scratches);
	result_t *result = only(&results);

	if (!scratch || !result)
		return 1;
	scratch->values[0].full_size = ctx->args[1];
	if (ctx->args[0])
		tg_read_sockaddr_un(&scratch->values[0], packet_address(), &tg_hook.slots[0], scratch);
	else
		tg_read_sockaddr(&scratch->values[0], packet_address(), &tg_hook.slots[0], scratch);
	bpf_probe_read_kernel(result, sizeof(*result), &scratch->values[0]);
	return 0;
}

/* ---- objects of events ------------------------------------------------------------------------------------------- */

static __always_inline void note(scratch_t *scratch)
{
	noted_t *noted = only(&notes);
	__u32 at;

	if (!noted)
		return;
	at = noted->count++;
	tg_opaque(at);
	at &= READER_NOTED - 1;
	bpf_probe_read_kernel(&noted->results[at], sizeof(noted->results[at]), &scratch->values[0]);
}

static __always_inline scratch_t *scratch_of_watched(void)
{
	noted_t *noted = only(&notes);

	return noted && noted->pid == bpf_get_current_pid_tgid() >> 32 ? only(&scratches) : 0;
}

SEC("raw_tp/net_dev_queue")
int event_skb(struct bpf_raw_tracepoint_args *ctx)
{
	scratch_t *scratch = scratch_of_watched();

	if (!scratch)
		return 0;
	tg_read_skb(&scratch->values[0], ctx->args[0], &tg_hook.slots[0], scratch);
	note(scratch);
	return 0;
}

SEC("raw_tp/net_dev_queue")
int event_net_device(struct bpf_raw_tracepoint_args *ctx)
{
	scratch_t *scratch = scratch_of_watched();

	if (!scratch)
		return 0;
	tg_read_net_device(&scratch->values[0], (__u64)BPF_CORE_READ((struct sk_buff *)ctx->args[0], dev),
			   &tg_hook.slots[0], scratch);
	note(scratch);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int event_binprm(struct bpf_raw_tracepoint_args *ctx)
{
	scratch_t *scratch = scratch_of_watched();

	if (!scratch)
		return 0;
	tg_read_binprm(&scratch->values[0], ctx->args[2], &tg_hook.slots[0], scratch);
	note(scratch);
	return 0;
}

/* ---- what it costs ----------------------------------------------------------------------------------------------- */

SEC("raw_tp/sys_enter")
int time_nothing(struct bpf_raw_tracepoint_args *ctx)
{
	return only(&scratches) ? 0 : 1;
}

SEC("raw_tp/sys_enter")
int time_fd(struct bpf_raw_tracepoint_args *ctx)
{
	scratch_t *scratch = only(&scratches);

	if (scratch)
		tg_read_fd(&scratch->values[0], ctx->args[0], &tg_hook.slots[0], scratch);
	return 0;
}

/* ---- the other types of programs: that they load ------------------------------------------------------------------- */

SEC("tracepoint/syscalls/sys_enter_close")
int type_tracepoint(struct syscall_trace_enter *ctx)
{
	scratch_t *scratch = only(&scratches);

	if (scratch)
		tg_read_fd(&scratch->values[0], ctx->args[0], &tg_hook.slots[0], scratch);
	return 0;
}

SEC("uprobe")
int type_uprobe(struct pt_regs *ctx)
{
	scratch_t *scratch = only(&scratches);

	if (scratch)
		tg_read_sock(&scratch->values[0], PT_REGS_PARM1(ctx), &tg_hook.slots[0], scratch);
	return 0;
}

SEC("kprobe")
int type_kprobe(struct pt_regs *ctx)
{
	scratch_t *scratch = only(&scratches);

	if (scratch)
		tg_read_file(&scratch->values[0], PT_REGS_PARM1(ctx), &tg_hook.slots[0], scratch);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(type_typed, struct task_struct *task, int old, struct linux_binprm *bprm)
{
	scratch_t *scratch = only(&scratches);

	if (scratch)
		tg_read_binprm(&scratch->values[0], (__u64)bprm, &tg_hook.slots[0], scratch);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
