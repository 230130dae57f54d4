// SPDX-License-Identifier: Apache-2.0
#include "core/event/wire.h"

namespace tetragon::event {

void WireWriter::repaired_str(uint32_t field, std::string_view text) {
  if (valid_utf8_prefix(text) == text.size()) {
    put_bytes(field, text);
    return;
  }
  const size_t begun = begin(field);
  append_valid_utf8(text, out_);
  end(begun);
}

void WireWriter::long_end(size_t begun, size_t length) {
  const size_t extra = varint_size(length) - 1;
  out_.append(extra, '\0');
  char* body = out_.data() + begun;
  std::memmove(body + extra, body, length);
  put_varint(body - 1, length);
}

void WireWriter::timestamp(uint32_t field, int64_t unix_ns) {
  constexpr int64_t second = 1'000'000'000;
  int64_t seconds = unix_ns / second;
  int64_t nanos = unix_ns % second;
  if (nanos < 0) {  // nanos count forward, also before 1970
    nanos += second;
    --seconds;
  }
  const size_t begun = begin(field);
  i64(1, seconds);
  i64(2, nanos);
  end(begun);
}

void WireWriter::packed(uint32_t field, const int32_t* values, size_t count) {
  if (count == 0) {
    return;
  }
  const size_t begun = begin(field);
  for (size_t i = 0; i < count; ++i) {
    char buffer[10];
    out_.append(buffer, static_cast<size_t>(put_varint(buffer, static_cast<uint64_t>(int64_t{values[i]})) - buffer));
  }
  end(begun);
}

void WireWriter::packed(uint32_t field, const uint32_t* values, size_t count) {
  if (count == 0) {
    return;
  }
  const size_t begun = begin(field);
  for (size_t i = 0; i < count; ++i) {
    char buffer[10];
    out_.append(buffer, static_cast<size_t>(put_varint(buffer, values[i]) - buffer));
  }
  end(begun);
}

void WireWriter::map_entry(uint32_t field, std::string_view key, std::string_view value) {
  const size_t begun = begin(field);
  str(1, key, Keep::always);
  str(2, value, Keep::always);
  end(begun);
}

bool WireReader::long_varint(uint64_t& ret_value) noexcept {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (p_ == end_) {
      return false;
    }
    const auto byte = static_cast<unsigned char>(*p_++);
    if (shift == 63 && byte > 1) {
      return false;
    }
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      ret_value = value;
      return true;
    }
  }
  return false;
}

bool WireReader::skip(uint32_t tag) noexcept {
  constexpr int max_group_depth = 64;
  uint32_t open[max_group_depth];
  int depth = 0;
  for (;;) {
    uint64_t u64;
    uint32_t u32;
    std::string_view data;
    bool ok = false;
    switch (static_cast<WireType>(tag & 7)) {
      case WireType::varint: ok = varint(u64); break;
      case WireType::fixed64: ok = fixed64(u64); break;
      case WireType::bytes: ok = bytes(data); break;
      case WireType::fixed32: ok = fixed32(u32); break;
      case WireType::start_group:
        if (depth < max_group_depth) {
          open[depth++] = tag >> 3;
          ok = true;
        }
        break;
      case WireType::end_group: ok = depth > 0 && open[--depth] == tag >> 3; break;
    }
    if (!ok || depth == 0) {
      return ok;
    }
    if (!this->tag(tag)) {
      return false;
    }
  }
}

}  // namespace tetragon::event
