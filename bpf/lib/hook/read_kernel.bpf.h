/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_READ_KERNEL_H
#define TETRAGON_BPF_LIB_HOOK_READ_KERNEL_H

/* Readers of credentials, user namespaces, BPF objects, perf events and kernel modules. */

#include "lib/hook/object.bpf.h"

/* ---- credentials ------------------------------------------------------------------------------------------------- */

static __always_inline void tg_fill_cred(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_cred_arg *arg = tg_value_as(tg_cred_arg, value);
	struct cred *cred = tg_object(typed, struct cred, raw);
	struct user_namespace *ns = tg_step_get(typed, cred, user_ns);

	arg->uid = tg_step_get(typed, cred, uid.val);
	arg->gid = tg_step_get(typed, cred, gid.val);
	arg->suid = tg_step_get(typed, cred, suid.val);
	arg->sgid = tg_step_get(typed, cred, sgid.val);
	arg->euid = tg_step_get(typed, cred, euid.val);
	arg->egid = tg_step_get(typed, cred, egid.val);
	arg->fsuid = tg_step_get(typed, cred, fsuid.val);
	arg->fsgid = tg_step_get(typed, cred, fsgid.val);
	arg->securebits = tg_step_get(typed, cred, securebits);
	arg->cap_permitted = tg_word(typed, raw + bpf_core_field_offset(struct cred, cap_permitted));
	arg->cap_effective = tg_word(typed, raw + bpf_core_field_offset(struct cred, cap_effective));
	arg->cap_inheritable = tg_word(typed, raw + bpf_core_field_offset(struct cred, cap_inheritable));
	arg->user_ns_level = tg_step_get(typed, ns, level);
	arg->user_ns_uid = tg_step_get(typed, ns, owner.val);
	arg->user_ns_gid = tg_step_get(typed, ns, group.val);
	arg->user_ns_inum = tg_step_get(typed, ns, ns.inum);
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_cred(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		       struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_cred, value, raw);
}

static __always_inline void tg_fill_user_ns(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_user_ns_arg *arg = (void *)value->bytes;
	struct user_namespace *ns = tg_object(typed, struct user_namespace, raw);

	arg->level = tg_step_get(typed, ns, level);
	arg->uid = tg_step_get(typed, ns, owner.val);
	arg->gid = tg_step_get(typed, ns, group.val);
	arg->inum = tg_step_get(typed, ns, ns.inum);
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_user_ns(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			  struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_user_ns, value, raw);
}

/* Two words or one, it reads the same: see TG_CAP_WORD. */
TG_READER tg_read_cap_set(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			  struct tg_hook_scratch *scratch)
{
	if (!tg_value_object(value, raw))
		return;
	if (bpf_probe_read_kernel(value->bytes, sizeof(__u64), (const void *)raw))
		tg_value_fail(value, -EFAULT);
	else
		tg_value_done(value, sizeof(__u64));
}

/* ---- BPF objects ------------------------------------------------------------------------------------------------- */

/* What BPF_PROG_LOAD is given; the other commands have other things in the same places. A short attr has no name. */
TG_READER tg_read_bpf_attr(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	struct tg_bpf_attr_arg *arg = tg_value_as(tg_bpf_attr_arg, value);

	_Static_assert(__builtin_offsetof(union bpf_attr, prog_type) == 0 &&
			       __builtin_offsetof(union bpf_attr, insn_cnt) == 4,
		       "read as one");
	if (tg_read_memory(arg, 8, raw)) {
		tg_value_fail(value, -EFAULT);
		return;
	}
	tg_read_memory(arg->name, sizeof(arg->name), raw + __builtin_offsetof(union bpf_attr, prog_name));
	tg_value_done(value, sizeof(*arg));
}

static __always_inline void tg_fill_bpf_map(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_bpf_map_arg *arg = (void *)value->bytes;
	struct bpf_map *map = tg_object(typed, struct bpf_map, raw);
	__u64 name = raw + bpf_core_field_offset(struct bpf_map, name);

	arg->type = tg_step_get(typed, map, map_type);
	arg->key_size = tg_step_get(typed, map, key_size);
	arg->value_size = tg_step_get(typed, map, value_size);
	arg->max_entries = tg_step_get(typed, map, max_entries);
	((__u64 *)arg->name)[0] = tg_word(typed, name);
	((__u64 *)arg->name)[1] = tg_word(typed, name + 8);
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_bpf_map(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			  struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_bpf_map, value, raw);
}

static __always_inline void tg_fill_bpf_prog(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_bpf_attr_arg *arg = (void *)value->bytes;
	struct bpf_prog *prog = tg_object(typed, struct bpf_prog, raw);
	__u64 name = (__u64)tg_step_get(typed, prog, aux) + bpf_core_field_offset(struct bpf_prog_aux, name);

	arg->prog_type = tg_step_get(typed, prog, type);
	arg->insn_count = tg_step_get(typed, prog, len);
	((__u64 *)arg->name)[0] = tg_word(typed, name);
	((__u64 *)arg->name)[1] = tg_word(typed, name + 8);
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_bpf_prog(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_bpf_prog, value, raw);
}

/* ---- perf events ------------------------------------------------------------------------------------------------- */

static __always_inline void tg_fill_perf_event(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_perf_event_arg *arg = tg_value_as(tg_perf_event_arg, value);
	struct perf_event *event = tg_object(typed, struct perf_event, raw);
	__u64 function;

	arg->type = tg_step_get(typed, event, attr.type);
	arg->config = tg_step_get(typed, event, attr.config);
	/* kprobe and uprobe events have types beyond the fixed ones; what others keep in these words is no text. */
	if (arg->type >= PERF_TYPE_MAX) {
		function = tg_step_get(typed, event, attr.kprobe_func);
		arg->probe_offset = tg_step_get(typed, event, attr.probe_offset);
		/* An address of the process that asked for the event. */
		if (function &&
		    bpf_probe_read_user_str(arg->function, sizeof(arg->function), (const void *)function) < 0)
			arg->function[0] = 0;
	}
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_perf_event(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			     struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_perf_event, value, raw);
}

/* ---- modules ----------------------------------------------------------------------------------------------------- */

/* Helper calls: modules are loaded seldom. */
TG_READER tg_read_module(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	struct tg_module_arg *arg = tg_value_as(tg_module_arg, value);
	const struct module *module = (const struct module *)raw;

	if (!tg_value_object(value, raw))
		return;
	arg->taints = BPF_CORE_READ(module, taints);
	if (bpf_probe_read_kernel_str(arg->name, sizeof(arg->name), __builtin_preserve_access_index(&module->name)) < 0)
		tg_value_fail(value, -EFAULT);
	else
		tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_load_info(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			    struct tg_hook_scratch *scratch)
{
	struct tg_module_arg *arg = tg_value_as(tg_module_arg, value);
	const struct load_info___module *info = (const struct load_info___module *)raw;

	if (!tg_value_object(value, raw))
		return;
	if (!bpf_core_type_exists(struct load_info___module)) { /* a kernel without modules */
		tg_value_fail(value, -ENOENT);
		return;
	}
	if (bpf_core_field_exists(info->sig_ok)) {
		arg->has_signature = 1;
		arg->signature_ok = BPF_CORE_READ(info, sig_ok);
	}
	/* mod is the copy in the file's image until the module has its own memory. */
	arg->taints = BPF_CORE_READ(info, mod, taints);
	/* While the signature is checked the module has no name yet: that is no reason to lose the verdict. */
	if (bpf_probe_read_kernel_str(arg->name, sizeof(arg->name), BPF_CORE_READ(info, name)) < 0)
		arg->name[0] = 0;
	tg_value_done(value, sizeof(*arg));
}

#endif
