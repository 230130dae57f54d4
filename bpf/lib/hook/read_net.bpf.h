/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TETRAGON_BPF_LIB_HOOK_READ_NET_H
#define TETRAGON_BPF_LIB_HOOK_READ_NET_H

/* Readers of network objects: devices, sockets, packets, socket addresses. */

#include "lib/hook/object.bpf.h"

#include <bpf/bpf_endian.h>

/* include/linux/socket.h, include/uapi/linux/{in,if_ether}.h */
#define TG_AF_UNIX	   1
#define TG_AF_INET	   2
#define TG_AF_INET6	   10
#define TG_SOCK_STREAM	   1
#define TG_ETH_IPV4	   0x0800
#define TG_ETH_IPV6	   0x86dd
#define TG_DEVICE_NAME_MAX 16
#define TG_UNIX_PATH_MAX   108
#define TG_IPV6_EXTENSIONS 6 /* headers in front of the transport header that are walked */
#define TG_IP_OFFSET	   0x1fff

/* ---- device ------------------------------------------------------------------------------------------------------ */

TG_READER tg_read_net_device(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			     struct tg_hook_scratch *scratch)
{
	const struct net_device *device = (const struct net_device *)raw;
	long size;

	if (!tg_value_object(value, raw))
		return;
	size = bpf_probe_read_kernel_str(value->bytes, TG_DEVICE_NAME_MAX,
					 __builtin_preserve_access_index(&device->name));
	if (size < 1)
		tg_value_fail(value, -EFAULT);
	else
		tg_value_done(value, size - 1);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static __always_inline void tg_fill_sock(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_sock_arg *arg = tg_value_as(tg_sock_arg, value);
	struct sock *sk = tg_object(typed, struct sock, raw);
	__u16 family = tg_step_get(typed, sk, __sk_common.skc_family);
	__u8 state = tg_step_get(typed, sk, __sk_common.skc_state);
	bool inet = family == TG_AF_INET || family == TG_AF_INET6;

	arg->cookie = raw;
	arg->family = family;
	arg->state = state;
	if (inet && (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)) {
		/* Not a whole struct sock but a small one that begins alike. Only TCP has them (and had DCCP). */
		arg->type = TG_SOCK_STREAM;
		arg->protocol = IPPROTO_TCP;
	} else {
		arg->type = tg_step_get(typed, sk, sk_type);
		arg->protocol = tg_step_get(typed, sk, sk_protocol);
		arg->mark = tg_step_get(typed, sk, sk_mark);
		arg->priority = tg_step_get(typed, sk, sk_priority);
	}
	if (inet) { /* other families keep other things there */
		arg->sport = tg_step_get(typed, sk, __sk_common.skc_num);
		arg->dport = bpf_ntohs(tg_step_get(typed, sk, __sk_common.skc_dport));
	}
	if (family == TG_AF_INET) {
		*(__u32 *)arg->saddr = tg_step_get(typed, sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)arg->daddr = tg_step_get(typed, sk, __sk_common.skc_daddr);
	} else if (family == TG_AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) { /* CONFIG_IPV6 */
		__u64 source = (__u64)sk + bpf_core_field_offset(struct sock_common, skc_v6_rcv_saddr);
		__u64 destination = (__u64)sk + bpf_core_field_offset(struct sock_common, skc_v6_daddr);

		((__u64 *)arg->saddr)[0] = tg_word(typed, source);
		((__u64 *)arg->saddr)[1] = tg_word(typed, source + 8);
		((__u64 *)arg->daddr)[0] = tg_word(typed, destination);
		((__u64 *)arg->daddr)[1] = tg_word(typed, destination + 8);
	}
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_sock(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		       struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_sock, value, raw);
}

static __always_inline void tg_fill_socket(struct tg_value *value, __u64 raw, const bool typed)
{
	struct socket *socket = tg_object(typed, struct socket, raw);
	__u64 sk = (__u64)tg_step_get(typed, socket, sk);

	if (tg_value_object(value, sk)) /* NULL: not connected with a protocol yet, or already released */
		tg_fill_sock(value, sk, typed);
}

TG_READER tg_read_socket(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			 struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_socket, value, raw);
}

/* ---- packets ----------------------------------------------------------------------------------------------------- */

/* Those whose header begins with source and destination port: TCP, UDP, DCCP, SCTP, UDP-Lite. */
static __always_inline bool tg_has_ports(__u8 protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* Moves over the extension headers; answers the transport protocol, 0 in a fragment that is not the first. */
static __always_inline __u8 tg_ipv6_transport(__u64 *at, __u8 next, const bool typed)
{
	__u64 header = *at;

	for (int i = 0; i < TG_IPV6_EXTENSIONS; i++) {
		__u64 word;

		/* hop-by-hop, routing, fragment, authentication, destination options */
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		word = tg_word(typed, header);
		if (next == 44 && bpf_ntohs(word >> 16) & ~7) {
			*at = 0;
			return word & 0xff;
		}
		if (next == 44)
			header += 8;
		else if (next == 51)
			header += ((word >> 8 & 0xff) + 2) * 4;
		else
			header += ((word >> 8 & 0xff) + 1) * 8;
		next = word & 0xff;
	}
	*at = header;
	return next;
}

static __always_inline void tg_skb_addresses(struct tg_skb_arg *arg, struct sk_buff *skb, const bool typed)
{
	__u64 head = (__u64)tg_step_get(typed, skb, head), end = head + tg_step_get(typed, skb, tail);
	__u64 offset = tg_step_get(typed, skb, network_header), at = head + offset;
	__u16 protocol = bpf_ntohs(tg_step_get(typed, skb, protocol));
	__u64 first, ports;
	__u8 version;

	/* 0: not set; the headers of a packet that is being built are not there yet. */
	if (!offset || at + 20 > end)
		return;
	first = tg_word(typed, at);
	version = first >> 4 & 0xf;
	/* On the way out the protocol is set late; before, the header tells. */
	if (version == 4 && (!protocol || protocol == TG_ETH_IPV4)) {
		__u64 second = tg_word(typed, at + 8);

		arg->family = TG_AF_INET;
		arg->protocol = second >> 8 & 0xff;
		*(__u32 *)arg->saddr = second >> 32;
		*(__u32 *)arg->daddr = (__u32)tg_word(typed, at + 16);
		if (bpf_ntohs(first >> 48) & TG_IP_OFFSET)
			return; /* a later fragment: no ports */
		at += (first & 0xf) * 4;
	} else if (version == 6 && (!protocol || protocol == TG_ETH_IPV6) && at + 40 <= end) {
		arg->family = TG_AF_INET6;
		((__u64 *)arg->saddr)[0] = tg_word(typed, at + 8);
		((__u64 *)arg->saddr)[1] = tg_word(typed, at + 16);
		((__u64 *)arg->daddr)[0] = tg_word(typed, at + 24);
		((__u64 *)arg->daddr)[1] = tg_word(typed, at + 32);
		at += 40;
		arg->protocol = tg_ipv6_transport(&at, first >> 48 & 0xff, typed);
	} else {
		return;
	}
	if (!at || at + 4 > end || !tg_has_ports(arg->protocol))
		return;
	ports = tg_word(typed, at);
	arg->sport = bpf_ntohs(ports & 0xffff);
	arg->dport = bpf_ntohs(ports >> 16 & 0xffff);
}

/* Signed and 32 bits wide, since 7.x an unsigned byte: relocation does not adjust a load from the one to the other. */
#define tg_sec_path_number(field)                                               \
	(tg_word(typed, path + bpf_core_field_offset(struct sec_path, field)) & \
	 (bpf_core_field_size(struct sec_path, field) == 1 ? 0xff : 0xffffffff))

/* Extensions lie behind a small head that says where, in units of 8 bytes. */
static __always_inline void tg_skb_sec_path(struct tg_skb_arg *arg, struct sk_buff *skb, const bool typed)
{
	__u64 id, extensions, offset, path;

	if (!bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH) || !bpf_core_field_exists(skb->extensions))
		return; /* without CONFIG_XFRM */
	id = bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH);
	if (!(tg_step_get(typed, skb, active_extensions) & 1u << id))
		return;
	extensions = (__u64)tg_step_get(typed, skb, extensions);
	offset = tg_word(typed, extensions + bpf_core_field_offset(struct skb_ext, offset) + id) & 0xff;
	path = extensions + offset * 8;
	arg->sec_path_len = tg_sec_path_number(len);
	arg->sec_path_olen = tg_sec_path_number(olen);
}

static __always_inline void tg_fill_skb(struct tg_value *value, __u64 raw, const bool typed)
{
	struct tg_skb_arg *arg = tg_value_as(tg_skb_arg, value);
	struct sk_buff *skb = tg_object(typed, struct sk_buff, raw);

	arg->hash = tg_step_get(typed, skb, hash);
	arg->len = tg_step_get(typed, skb, len);
	arg->priority = tg_step_get(typed, skb, priority);
	arg->mark = tg_step_get(typed, skb, mark);
	tg_skb_addresses(arg, skb, typed);
	tg_skb_sec_path(arg, skb, typed);
	tg_value_done(value, sizeof(*arg));
}

TG_READER tg_read_skb(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
		      struct tg_hook_scratch *scratch)
{
	if (tg_value_object(value, raw))
		tg_both_ways(tg_fill_skb, value, raw);
}

/* ---- socket addresses -------------------------------------------------------------------------------------------- */

TG_READER tg_read_sockaddr(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			   struct tg_hook_scratch *scratch)
{
	struct tg_sockaddr_arg *arg = tg_value_as(tg_sockaddr_arg, value);
	struct { /* sockaddr_in; sockaddr_in6 has 12 bytes more */
		__u16 family, port;
		__u32 address4;
		__u8 rest[16];
	} from = {};
	long error = tg_read_memory(&from, sizeof(from.family), raw);

	/* No more than the address has: user memory may end behind it. */
	if (!error && from.family == TG_AF_INET)
		error = tg_read_memory(&from, 8, raw);
	else if (!error && from.family == TG_AF_INET6)
		error = tg_read_memory(&from, 24, raw);
	if (error) {
		tg_value_fail(value, -EFAULT);
		return;
	}
	arg->family = from.family;
	if (from.family == TG_AF_INET) {
		arg->port = bpf_ntohs(from.port);
		*(__u32 *)arg->addr = from.address4;
	} else if (from.family == TG_AF_INET6) {
		arg->port = bpf_ntohs(from.port);
		__builtin_memcpy(arg->addr, from.rest, sizeof(arg->addr));
	}
	tg_value_done(value, sizeof(*arg));
}

/* Of a text of unknown size; an abstract name keeps its NUL in front. The size, or negative. */
static __always_inline long tg_unix_text(char *to, __u64 path)
{
	char first = 0;
	long abstract, size;

	if (tg_read_memory(&first, 1, path))
		return -EFAULT;
	abstract = !first;
	if (abstract)
		*to++ = 0;
	if (tg_is_kernel_address(path))
		size = bpf_probe_read_kernel_str(to, TG_UNIX_PATH_MAX, (const void *)(path + abstract));
	else
		size = bpf_probe_read_user_str(to, TG_UNIX_PATH_MAX, (const void *)(path + abstract));
	/* Older kernels (seen: 6.1) count an empty string of user space as 0 bytes. */
	if (size < 0)
		return -EFAULT;
	return (size ? size - 1 : 0) + abstract;
}

/* value->full_size: bytes of the address with its family, as another argument says; 0: unknown. */
TG_READER tg_read_sockaddr_un(struct tg_value *value, __u64 raw, const volatile struct tg_slot_config *config,
			      struct tg_hook_scratch *scratch)
{
	struct tg_sockaddr_un_arg *arg = tg_value_as(tg_sockaddr_un_arg, value);
	__u64 known = value->full_size, path = raw + sizeof(arg->family), size;
	char *to = value->bytes + sizeof(*arg);
	long length = 0;

	if (tg_read_memory(&arg->family, sizeof(arg->family), raw)) {
		tg_value_fail(value, -EFAULT);
		return;
	}
	/* Other families are not looked into; an unnamed address is its family only. */
	if (arg->family == TG_AF_UNIX && !known) {
		length = tg_unix_text(to, path);
	} else if (arg->family == TG_AF_UNIX && known > sizeof(arg->family)) {
		size = known - sizeof(arg->family);
		if (size > TG_UNIX_PATH_MAX)
			size = TG_UNIX_PATH_MAX;
		tg_opaque(size);
		if (size > TG_UNIX_PATH_MAX) /* for the verifier */
			return;
		length = tg_read_memory(to, size, path) ? -EFAULT : (long)size;
		/* A text ends at its NUL, or where the size says; in an abstract name every byte counts. */
		if (length > 0 && to[0]) {
			to[size] = 0;
			length = bpf_probe_read_kernel_str(scratch->work, size + 1, to) - 1;
		}
	}
	if (length < 0)
		tg_value_fail(value, -EFAULT);
	else
		tg_value_done(value, sizeof(*arg) + length);
}

#endif
