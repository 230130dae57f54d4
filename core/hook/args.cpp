// SPDX-License-Identifier: Apache-2.0
#include "core/hook/args.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/hook/args_parts.h"

namespace tetragon::hook {
namespace {

using event::Keep;
using event::WireWriter;

constexpr uint32_t kLabel = 18;
constexpr auto always = Keep::always;  // members of a oneof

constexpr uint32_t field(ArgMember member) {
  return static_cast<uint32_t>(member);
}

constexpr uint32_t kAbi32 = 0x80000000;  // of a system call's number

std::string_view abi_name(bool is_32_bit) {
#if defined(__aarch64__)
  return is_32_bit ? "arm32" : "arm64";
#else
  return is_32_bit ? "i386" : "x64";
#endif
}

std::string_view buffer_error(int32_t status) {
  switch (status) {
    case -ENOMEM: return "CharBufErrorENOMEM";
    case -EFAULT: return "CharBufErrorPageFault";
    case -E2BIG:
    case -ENOSPC: return "CharBufErrorBufTooLarge";
    default: return "CharBufErrorUnknown";
  }
}

void write_error(WireWriter& writer, int32_t status) {
  std::array<char, 12> digits;
  std::string_view text = "Bad address";
  if (status != -EFAULT && status != -1) {
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), status).ptr;
    text = {digits.data(), static_cast<size_t>(end - digits.data())};
  }
  const size_t message = writer.begin(field(ArgMember::error_arg));
  writer.str(1, text);
  writer.end(message);
}

void write_bytes(WireWriter& writer, const Value& value) {
  const bool cut = (value.flags & TG_ARG_TRUNCATED) != 0 || value.full_size > value.bytes.size();
  if (!cut) {
    writer.bytes(field(ArgMember::bytes_arg), value.bytes, always);
    return;
  }
  const size_t message = writer.begin(field(ArgMember::truncated_bytes_arg));
  writer.bytes(1, value.bytes);
  writer.u64(2, value.full_size);
  writer.end(message);
}

bool write_number(WireWriter& writer, ArgMember member, std::string_view bytes) {
  uint64_t number = 0;
  if (!take(bytes, number)) return false;
  switch (member) {
    case ArgMember::int_arg: writer.i32(field(member), static_cast<int32_t>(number), always); return true;
    case ArgMember::uint_arg: writer.u32(field(member), static_cast<uint32_t>(number), always); return true;
    case ArgMember::long_arg:
    case ArgMember::size_arg: writer.u64(field(member), number, always); return true;
    case ArgMember::bpf_cmd_arg: writer.enumeration(field(member), static_cast<int32_t>(number), always); return true;
    case ArgMember::capability_arg: return write_capability(writer, static_cast<int64_t>(number));
    case ArgMember::syscall_id: {
      const auto word = static_cast<uint32_t>(number);
      const size_t message = writer.begin(field(member));
      writer.u32(1, word & ~kAbi32);
      writer.str(2, abi_name((word & kAbi32) != 0));
      writer.end(message);
      return true;
    }
    default: break;
  }
  return false;
}

bool write_cap_set(WireWriter& writer, ArgMember member, std::string_view bytes) {
  uint64_t set = 0;
  if (!take(bytes, set)) return false;
  std::array<char, 16> digits;
  for (char& digit : digits) {
    digit = "0123456789abcdef"[set >> 60];
    set <<= 4;
  }
  writer.str(field(member), {digits.data(), digits.size()}, always);
  return true;
}

bool write_path(WireWriter& writer, ArgMember member, std::string_view bytes) {
  tg_path_arg head;
  std::string_view path;
  if (!take(bytes, head, &path)) return false;
  path = before_nul(path);
  // linux_binprm_arg has no mount in front.
  const uint32_t first = member == ArgMember::linux_binprm_arg ? 1 : 2;
  const size_t message = writer.begin(field(member));
  writer.str(first, path.empty() ? std::string_view("/") : path);
  if ((head.flags & TG_PATH_FLAG_UNRESOLVED) != 0) writer.str(first + 1, "unresolvedPathComponents");
  if (head.mode != 0) {
    const size_t text = writer.begin(first + 2);
    append_permission(writer.out(), head.mode);
    writer.end(text);
  }
  writer.end(message);
  return true;
}

bool write_value(WireWriter& writer, ArgType type, ArgMember member, const Value& value, const ArgContext& context) {
  const std::string_view bytes = value.bytes;
  switch (member) {
    case ArgMember::string_arg: writer.str(field(member), before_nul(bytes), always); return true;
    case ArgMember::bytes_arg: write_bytes(writer, value); return true;
    case ArgMember::path_arg:
    case ArgMember::file_arg:
    case ArgMember::linux_binprm_arg: return write_path(writer, member, bytes);
    case ArgMember::kernel_cap_t_arg:
    case ArgMember::cap_inheritable_arg:
    case ArgMember::cap_permitted_arg:
    case ArgMember::cap_effective_arg: return write_cap_set(writer, member, bytes);
    case ArgMember::sock_arg: return write_sock(writer, bytes);
    case ArgMember::skb_arg: return write_skb(writer, bytes);
    case ArgMember::sockaddr_arg: return write_sockaddr(writer, bytes);
    case ArgMember::sockaddrun_arg: return write_sockaddr_un(writer, bytes);
    case ArgMember::process_credentials_arg: return write_cred(writer, bytes, context);
    case ArgMember::user_ns_arg: return write_user_ns(writer, bytes, context);
    case ArgMember::bpf_attr_arg:
    case ArgMember::bpf_prog_arg: return write_bpf_prog(writer, member, bytes);
    case ArgMember::bpf_map_arg: return write_bpf_map(writer, bytes);
    case ArgMember::perf_event_arg: return write_perf_event(writer, bytes);
    case ArgMember::module_arg: return write_module(writer, bytes, type == ArgType::load_info);
    default: return write_number(writer, member, bytes);
  }
}

// By contract these two never carry one.
constexpr bool has_label(ArgMember member) {
  return member != ArgMember::sockaddr_arg && member != ArgMember::sockaddrun_arg;
}

}  // namespace

size_t element_size(ArgType type) noexcept {
  switch (type) {
    case ArgType::int8:
    case ArgType::uint8: return 1;
    case ArgType::int16:
    case ArgType::uint16: return 2;
    case ArgType::int32:
    case ArgType::uint32: return 4;
    case ArgType::int64:
    case ArgType::uint64: return 8;
    default: return 0;
  }
}

uint64_t element(ArgType type, std::string_view bytes, size_t at) noexcept {
  const size_t size = element_size(type);
  if (at > bytes.size() || size > bytes.size() - at) return 0;
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, size);
  switch (type) {
    case ArgType::int8: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(number)));
    case ArgType::int16: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int16_t>(number)));
    case ArgType::int32: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(number)));
    default: return number;
  }
}

bool append_argument(ArgType type, const Value& value, std::string_view label, const ArgContext& context,
                     std::string& out) {
  const size_t before = out.size();
  WireWriter writer(out);
  if (value.status != 0) {
    if (type == ArgType::char_buf) {
      writer.bytes(field(ArgMember::bytes_arg), buffer_error(value.status), always);
      writer.str(kLabel, label);
    } else {
      writer.str(kLabel, label);
      write_error(writer, value.status);
    }
    return true;
  }
  const ArgMember member = arg_member(type);
  // Fields in ascending order are the fast path of the JSON printer.
  const bool label_first = field(member) > kLabel;
  if (has_label(member) && label_first) writer.str(kLabel, label);
  if (!write_value(writer, type, member, value, context)) {
    out.resize(before);
    return false;
  }
  if (has_label(member) && !label_first) writer.str(kLabel, label);
  return true;
}

bool append_plugin_argument(const tetragon_arg_type& type, const Value& value, std::string_view label,
                            std::string& out) {
  WireWriter writer(out);
  if (value.status != 0) {
    writer.str(kLabel, label);
    write_error(writer, value.status);
    return true;
  }
  tetragon_arg arg{};
  arg.struct_size = sizeof(arg);
  if (type.decode == nullptr || type.decode({value.bytes.data(), value.bytes.size()}, &arg) != TETRAGON_OK) {
    return false;
  }
  const auto text = [](const auto& view) {
    return view.data == nullptr ? std::string_view()
                                : std::string_view(static_cast<const char*>(view.data), static_cast<size_t>(view.size));
  };
  switch (arg.kind) {
    case TETRAGON_ARG_STRING: writer.str(field(ArgMember::string_arg), text(arg.value.s), always); break;
    case TETRAGON_ARG_BYTES: writer.bytes(field(ArgMember::bytes_arg), text(arg.value.b), always); break;
    case TETRAGON_ARG_INT: writer.i32(field(ArgMember::int_arg), static_cast<int32_t>(arg.value.i), always); break;
    case TETRAGON_ARG_UINT: writer.u32(field(ArgMember::uint_arg), static_cast<uint32_t>(arg.value.u), always); break;
    case TETRAGON_ARG_LONG: writer.i64(field(ArgMember::long_arg), arg.value.i, always); break;
    case TETRAGON_ARG_SIZE: writer.u64(field(ArgMember::size_arg), arg.value.u, always); break;
    default: return false;  // of a newer minor than this daemon
  }
  writer.str(kLabel, label);
  return true;
}

void append_missing_argument(std::string_view label, std::string& out) {
  WireWriter writer(out);
  writer.str(kLabel, label);
  const size_t message = writer.begin(field(ArgMember::error_arg));
  writer.str(1, "not in the record");
  writer.end(message);
}

void append_permission(std::string& out, uint16_t mode) {
  std::array<char, 10> text;
  switch (mode & S_IFMT) {
    case S_IFBLK: text[0] = 'b'; break;
    case S_IFCHR: text[0] = 'c'; break;
    case S_IFDIR: text[0] = 'd'; break;
    case S_IFIFO: text[0] = 'p'; break;
    case S_IFLNK: text[0] = 'l'; break;
    case S_IFSOCK: text[0] = 's'; break;
    default: text[0] = '-';
  }
  for (size_t i = 0; i < 9; ++i) text[i + 1] = (mode >> (8 - i) & 1) != 0 ? "rwxrwxrwx"[i] : '-';
  const auto special = [&](uint16_t bit, size_t at, char set, char without_x) {
    if ((mode & bit) != 0) text[at] = text[at] == 'x' ? set : without_x;
  };
  special(S_ISUID, 3, 's', 'S');
  special(S_ISGID, 6, 's', 'S');
  special(S_ISVTX, 9, 't', 'T');
  out.append(text.data(), text.size());
}

}  // namespace tetragon::hook
