// SPDX-License-Identifier: Apache-2.0
#include "core/process/annotations.h"

#include "core/event/wire.h"

namespace tetragon::process {
namespace {

using event::WireWriter;

enum : uint32_t { kCap = 14, kNs = 15, kCredentials = 17, kBinaryProperties = 18, kUser = 19, kEnvironment = 21 };

void write_cap_set(WireWriter& writer, uint32_t field, uint64_t mask) {
  std::array<int32_t, 64> values;
  size_t count = 0;
  for (int32_t cap = 0; mask != 0; ++cap, mask >>= 1) {
    if ((mask & 1) != 0) values[count++] = cap;
  }
  writer.packed(field, values.data(), count);
}

void write_caps(WireWriter& writer, uint32_t field, const tetragon_credentials& creds) {
  const size_t message = writer.begin(field);
  write_cap_set(writer, 1, creds.cap_permitted);
  write_cap_set(writer, 2, creds.cap_effective);
  write_cap_set(writer, 3, creds.cap_inheritable);
  writer.end(message);
}

void write_namespace(WireWriter& writer, uint32_t field, uint32_t inum, uint32_t host) {
  const size_t message = writer.begin(field);
  writer.u32(1, inum);
  writer.boolean(2, inum == host);
  writer.end(message);
}

}  // namespace

void append_capabilities(const tetragon_credentials& creds, std::string& out) {
  WireWriter writer(out);
  write_caps(writer, kCap, creds);
}

void append_namespaces(const uint32_t* inums, const Namespaces& host, std::string& out) {
  // TETRAGON_NS_* are in the order of the message's fields, which are numbered from 1.
  WireWriter writer(out);
  const size_t message = writer.begin(kNs);
  for (uint32_t i = 0; i < TETRAGON_NS_COUNT; ++i) {
    if (inums[i] != 0) write_namespace(writer, i + 1, inums[i], host[i]);
  }
  writer.end(message);
}

void append_credentials(const tetragon_credentials& creds, const Namespaces& host, std::string& out) {
  WireWriter writer(out);
  const size_t message = writer.begin(kCredentials);
  const uint32_t ids[] = {creds.uid,  creds.gid,  creds.euid,  creds.egid,
                          creds.suid, creds.sgid, creds.fsuid, creds.fsgid};
  uint32_t field = 1;
  for (const uint32_t id : ids) writer.u32_value(field++, id);
  std::array<int32_t, 32> bits;
  size_t count = 0;
  for (uint32_t bit = 0; bit < 8; ++bit) {
    if ((creds.securebits >> bit & 1) != 0) bits[count++] = int32_t{1} << bit;
  }
  writer.packed(9, bits.data(), count);
  write_caps(writer, 10, creds);
  const size_t user_ns = writer.begin(11);
  writer.i32_value(1, creds.user_ns_level);
  writer.u32_value(2, creds.user_ns_uid);
  writer.u32_value(3, creds.user_ns_gid);
  write_namespace(writer, 4, creds.user_ns_inum, host[TETRAGON_NS_USER]);
  writer.end(user_ns);
  writer.end(message);
}

void append_user(std::string_view name, std::string& out) {
  WireWriter writer(out);
  const size_t message = writer.begin(kUser);
  writer.str(1, name);
  writer.end(message);
}

void append_environment(std::string_view key_value, std::string& out) {
  WireWriter writer(out);
  const size_t equals = key_value.find('=');
  const size_t message = writer.begin(kEnvironment);
  if (equals == std::string_view::npos) {
    writer.str(1, "invalid");
    writer.str(2, key_value);
  } else {
    writer.str(1, key_value.substr(0, equals));
    writer.str(2, key_value.substr(equals + 1));
  }
  writer.end(message);
}

void append_binary_properties(const tetragon_process_exec& exec, std::string_view path, std::string& out) {
  const bool nameless = exec.file_valid != 0 && exec.file_links == 0;
  if (exec.privileges == 0 && !nameless) return;
  WireWriter writer(out);
  const size_t message = writer.begin(kBinaryProperties);
  if (exec.credentials != nullptr) {
    if ((exec.privileges & TETRAGON_PRIV_SETUID) != 0) writer.u32_value(1, exec.credentials->euid);
    if ((exec.privileges & TETRAGON_PRIV_SETGID) != 0) writer.u32_value(2, exec.credentials->egid);
  }
  // ProcessPrivilegesChanged numbers the reasons 1, 2, 3 in the order of the bits.
  std::array<int32_t, 3> reasons;
  size_t count = 0;
  for (int32_t i = 0; i < 3; ++i) {
    if ((exec.privileges >> i & 1) != 0) reasons[count++] = i + 1;
  }
  writer.packed(3, reasons.data(), count);
  if (nameless) {
    const size_t file = writer.begin(4);
    const size_t inode = writer.begin(1);
    writer.u64(1, exec.file_inode);
    writer.u32_value(2, exec.file_links);
    writer.end(inode);
    writer.str(2, path);
    writer.end(file);
  }
  writer.end(message);
}

}  // namespace tetragon::process
