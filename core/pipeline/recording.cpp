// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bpf/shared/record.h"
#include "core/event/wire.h"

namespace tetragon::pipeline {
namespace {

using event::wire_tag;
using event::WireReader;
using event::WireType;
using event::WireWriter;

constexpr std::string_view kMagic("TGREC\0\0\1", 8);
constexpr size_t kFlushSize = size_t{256} << 10;
constexpr size_t kMaxHead = size_t{1} << 20;

enum : uint32_t { kNodeName = 1, kKernelRelease = 2, kBootToUnix = 3, kHostNamespace = 4, kPlugin = 5 };
enum : uint32_t { kPluginNumber = 1, kPluginId = 2, kPluginVersion = 3 };

constexpr size_t padded(size_t size) {
  return (size + 7) & ~size_t{7};
}

std::string encode(const RecordingHead& head) {
  std::string out;
  WireWriter writer(out);
  writer.str(kNodeName, head.node_name);
  writer.str(kKernelRelease, head.kernel_release);
  writer.i64(kBootToUnix, head.boot_to_unix_ns);
  for (const uint32_t inum : head.host_namespaces) writer.u32(kHostNamespace, inum, event::Keep::always);
  for (const auto& plugin : head.plugins) {
    const size_t message = writer.begin(kPlugin);
    writer.u32(kPluginNumber, plugin.number);
    writer.str(kPluginId, plugin.id);
    writer.str(kPluginVersion, plugin.version);
    writer.end(message);
  }
  return out;
}

bool decode_plugin(std::string_view wire, RecordingHead::Plugin& ret_plugin) {
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag = 0;
    uint64_t number = 0;
    std::string_view text;
    if (!reader.tag(tag)) return false;
    if (tag == wire_tag(kPluginNumber, WireType::varint)) {
      if (!reader.varint(number)) return false;
      ret_plugin.number = static_cast<uint32_t>(number);
    } else if (tag == wire_tag(kPluginId, WireType::bytes)) {
      if (!reader.bytes(text)) return false;
      ret_plugin.id = text;
    } else if (tag == wire_tag(kPluginVersion, WireType::bytes)) {
      if (!reader.bytes(text)) return false;
      ret_plugin.version = text;
    } else if (!reader.skip(tag)) {
      return false;
    }
  }
  return true;
}

bool decode(std::string_view wire, RecordingHead& ret_head) {
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag = 0;
    uint64_t number = 0;
    std::string_view text;
    if (!reader.tag(tag)) return false;
    if (tag == wire_tag(kNodeName, WireType::bytes)) {
      if (!reader.bytes(text)) return false;
      ret_head.node_name = text;
    } else if (tag == wire_tag(kKernelRelease, WireType::bytes)) {
      if (!reader.bytes(text)) return false;
      ret_head.kernel_release = text;
    } else if (tag == wire_tag(kBootToUnix, WireType::varint)) {
      if (!reader.varint(number)) return false;
      ret_head.boot_to_unix_ns = static_cast<int64_t>(number);
    } else if (tag == wire_tag(kHostNamespace, WireType::varint)) {
      if (!reader.varint(number)) return false;
      ret_head.host_namespaces.push_back(static_cast<uint32_t>(number));
    } else if (tag == wire_tag(kPlugin, WireType::bytes)) {
      if (!reader.bytes(text) || !decode_plugin(text, ret_head.plugins.emplace_back())) return false;
    } else if (!reader.skip(tag)) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<RecordingWriter> RecordingWriter::create(const std::string& path, const RecordingHead& head) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return errno_error("--record: create '" + path + "'", errno);
  // A file that was there keeps its mode otherwise; a device or pipe is not ours to change.
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0 || (S_ISREG(st.st_mode) && ::fchmod(fd.get(), 0600) != 0)) {
    return errno_error("--record: set the mode of '" + path + "'", errno);
  }
  RecordingWriter writer(path, std::move(fd));
  const std::string encoded = encode(head);
  const auto size = static_cast<uint32_t>(encoded.size());
  writer.buffer_.append(kMagic).append(reinterpret_cast<const char*>(&size), sizeof(size)).append(encoded);
  writer.buffer_.resize(padded(writer.buffer_.size()));
  return writer;
}

void RecordingWriter::append(const void* record, size_t size) {
  if (error_ != 0) return;
  buffer_.append(static_cast<const char*>(record), size);
  buffer_.append(padded(size) - size, '\0');
  ++records_;
  if (buffer_.size() >= kFlushSize) write_out();
}

void RecordingWriter::write_out() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t n = ::write(fd_.get(), rest.data(), rest.size());
    if (n >= 0) {
      rest.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

Result<void> RecordingWriter::flush() {
  write_out();
  if (error_ != 0) return errno_error("--record: write '" + path_ + "'; the recording ends before the stream", error_);
  return {};
}

Result<RecordingReader> RecordingReader::parse(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    return Error(Code::invalid, "not a recording of this version (its first bytes are not TGREC version 1)");
  }
  size_t at = kMagic.size();
  uint32_t size = 0;
  if (bytes.size() - at < sizeof(size)) return Error(Code::invalid, "cut inside the head of the recording");
  std::memcpy(&size, bytes.data() + at, sizeof(size));
  at += sizeof(size);
  if (size > kMaxHead || bytes.size() - at < size) {
    return Error(Code::invalid, "cut inside the head of the recording");
  }
  RecordingReader reader;
  if (!decode(bytes.substr(at, size), reader.head_)) {
    return Error(Code::invalid, "the head of the recording is damaged");
  }
  reader.bytes_ = bytes;
  reader.at_ = std::min(padded(at + size), bytes.size());
  return reader;
}

Result<std::string_view> RecordingReader::next() {
  if (at_ >= bytes_.size()) return std::string_view();
  const std::string_view rest = bytes_.substr(at_);
  const auto where = [this] { return " at offset " + std::to_string(at_) + " of the recording"; };
  tg_record head{};
  if (rest.size() < sizeof(head)) return Error(Code::invalid, "cut record" + where());
  std::memcpy(&head, rest.data(), sizeof(head));
  if (head.size < sizeof(head) || head.size > TG_RECORD_MAX) {
    return Error(Code::invalid, "record with a size of " + std::to_string(head.size) + " bytes" + where());
  }
  if (rest.size() < head.size) return Error(Code::invalid, "cut record" + where());
  at_ += std::min(padded(head.size), rest.size());
  return rest.substr(0, head.size);
}

}  // namespace tetragon::pipeline
