// SPDX-License-Identifier: Apache-2.0
// Credentials, namespaces, BPF objects, perf events and modules.
#include <array>

#include "core/hook/args_parts.h"
#include "core/hook/names.h"
#include "core/util/kernel_names.h"
#include "tetragon/bpf.pb.h"

namespace tetragon::hook {
namespace {

using event::Keep;
using event::WireWriter;

constexpr uint32_t field(ArgMember member) {
  return static_cast<uint32_t>(member);
}

void write_bits(WireWriter& writer, uint32_t number, uint64_t mask) {
  std::array<int32_t, 64> values;
  size_t count = 0;
  for (int32_t bit = 0; mask != 0; ++bit, mask >>= 1) {
    if ((mask & 1) != 0) values[count++] = bit;
  }
  writer.packed(number, values.data(), count);
}

void write_flags(WireWriter& writer, uint32_t number, uint64_t mask) {
  std::array<int32_t, 31> values;
  size_t count = 0;
  for (uint32_t bit = 0; bit < values.size(); ++bit) {
    if ((mask >> bit & 1) != 0) values[count++] = static_cast<int32_t>(uint32_t{1} << bit);
  }
  writer.packed(number, values.data(), count);
}

// UserNamespace: level, owner's uid and gid, ns.
void write_user_namespace(WireWriter& writer, uint32_t number, const tg_user_ns_arg& from, const ArgContext& context) {
  const size_t message = writer.begin(number);
  writer.i32_value(1, from.level);
  writer.u32_value(2, from.uid);
  writer.u32_value(3, from.gid);
  const size_t ns = writer.begin(4);
  writer.u32(1, from.inum);
  writer.boolean(2, from.inum != 0 && from.inum == context.host_user_ns);
  writer.end(ns);
  writer.end(message);
}

}  // namespace

bool write_cred(WireWriter& writer, std::string_view bytes, const ArgContext& context) {
  tg_cred_arg cred;
  if (!take(bytes, cred)) return false;
  const size_t message = writer.begin(field(ArgMember::process_credentials_arg));
  const uint32_t ids[] = {cred.uid, cred.gid, cred.euid, cred.egid, cred.suid, cred.sgid, cred.fsuid, cred.fsgid};
  uint32_t number = 1;
  for (const uint32_t id : ids) writer.u32_value(number++, id);
  write_flags(writer, 9, cred.securebits & 0xff);
  const size_t caps = writer.begin(10);
  write_bits(writer, 1, cred.cap_permitted);
  write_bits(writer, 2, cred.cap_effective);
  write_bits(writer, 3, cred.cap_inheritable);
  writer.end(caps);
  write_user_namespace(writer, 11, {cred.user_ns_level, cred.user_ns_uid, cred.user_ns_gid, cred.user_ns_inum},
                       context);
  writer.end(message);
  return true;
}

bool write_user_ns(WireWriter& writer, std::string_view bytes, const ArgContext& context) {
  tg_user_ns_arg user_ns;
  if (!take(bytes, user_ns)) return false;
  write_user_namespace(writer, field(ArgMember::user_ns_arg), user_ns, context);
  return true;
}

bool write_bpf_prog(WireWriter& writer, ArgMember member, std::string_view bytes) {
  tg_bpf_attr_arg prog;
  if (!take(bytes, prog)) return false;
  const size_t message = writer.begin(field(member));
  const auto type = static_cast<int>(prog.prog_type);
  if (BpfProgramType_IsValid(type)) {
    writer.str(1, BpfProgramType_Name(static_cast<BpfProgramType>(type)));
  } else {
    write_name(writer, 1, {}, prog.prog_type);
  }
  writer.u32(2, prog.insn_count);
  writer.str(3, text_of(prog.name));
  writer.end(message);
  return true;
}

bool write_bpf_map(WireWriter& writer, std::string_view bytes) {
  tg_bpf_map_arg map;
  if (!take(bytes, map)) return false;
  const size_t message = writer.begin(field(ArgMember::bpf_map_arg));
  write_name(writer, 1, bpf_map_types(), map.type);
  writer.u32(2, map.key_size);
  writer.u32(3, map.value_size);
  writer.u32(4, map.max_entries);
  writer.str(5, text_of(map.name));
  writer.end(message);
  return true;
}

bool write_perf_event(WireWriter& writer, std::string_view bytes) {
  tg_perf_event_arg perf;
  if (!take(bytes, perf)) return false;
  const size_t message = writer.begin(field(ArgMember::perf_event_arg));
  writer.str(1, text_of(perf.function));
  write_name(writer, 2, perf_types(), perf.type);
  writer.u64(3, perf.config);
  writer.u64(4, perf.probe_offset);
  writer.end(message);
  return true;
}

bool write_module(WireWriter& writer, std::string_view bytes, bool with_signature) {
  tg_module_arg module;
  if (!take(bytes, module)) return false;
  const size_t message = writer.begin(field(ArgMember::module_arg));
  writer.str(1, text_of(module.name));
  if (with_signature && module.has_signature != 0) writer.bool_value(2, module.signature_ok != 0);
  write_flags(writer, 3, module.taints);
  writer.end(message);
  return true;
}

bool write_capability(WireWriter& writer, int64_t number) {
  const auto value = static_cast<int32_t>(number);
  const size_t message = writer.begin(field(ArgMember::capability_arg));
  writer.i32_value(1, value);
  const auto names = capability_names();
  if (value >= 0 && static_cast<size_t>(value) < names.size()) writer.str(2, names[static_cast<size_t>(value)]);
  writer.end(message);
  return true;
}

}  // namespace tetragon::hook
