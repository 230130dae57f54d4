// SPDX-License-Identifier: Apache-2.0
#include "core/event/json.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

#include "core/event/json_merge.h"
#include "core/event/json_out.h"
#include "core/event/wire.h"

namespace tetragon::event {
namespace {

constexpr int max_depth = 64;

// One value as read; numbers hold the bits of the wire.
struct Raw {
  uint64_t number = 0;
  std::string_view data;
};

bool read_raw(WireReader& reader, WireType type, Raw& ret_raw) {
  switch (type) {
    case WireType::varint: return reader.varint(ret_raw.number);
    case WireType::bytes: return reader.bytes(ret_raw.data);
    case WireType::fixed64: return reader.fixed64(ret_raw.number);
    case WireType::fixed32: {
      uint32_t number;
      if (!reader.fixed32(number)) {
        return false;
      }
      ret_raw.number = number;
      return true;
    }
    default: return false;
  }
}

bool is_zero(const FieldType& field, const Raw& raw) {
  switch (field.kind) {
    case Kind::string:
    case Kind::bytes: return raw.data.empty();
    case Kind::int32:
    case Kind::uint32:
    case Kind::sint32:
    case Kind::enumeration: return static_cast<uint32_t>(raw.number) == 0;
    default: return raw.number == 0;
  }
}

int32_t zigzag32(uint64_t n) {
  const auto v = static_cast<uint32_t>(n);
  return static_cast<int32_t>((v >> 1) ^ (~(v & 1) + 1));
}
int64_t zigzag64(uint64_t n) {
  return static_cast<int64_t>((n >> 1) ^ (~(n & 1) + 1));
}

class Printer {
 public:
  Printer(std::string& out, size_t expected) : out_(out, expected) {}

  bool object(const MessageType& type, std::string_view wire, int depth) {
    out_.need(JsonOut::room);
    out_.put('{');
    bool first = true;
    if (!members(type, wire, first, depth)) {
      return false;
    }
    out_.need(JsonOut::room);
    out_.put('}');
    return true;
  }

  bool members(const MessageType& type, std::string_view wire, bool& first, int depth, bool is_normal = false);

  JsonOut& out() { return out_; }
  Error error(const MessageType& type, std::string_view wire) const {
    std::string text = "event cannot be printed as JSON: " + type.name + ": " + fault_;
    if (fault_type_ != nullptr && fault_type_ != &type) {
      text += " in " + fault_type_->name;
    }
    // Inside a merged copy there is no position to tell.
    const auto begin = reinterpret_cast<uintptr_t>(wire.data());
    const auto at = reinterpret_cast<uintptr_t>(fault_at_);
    if (fault_at_ != nullptr && at >= begin && at <= begin + wire.size()) {
      text += " at byte " + std::to_string(at - begin) + " of " + std::to_string(wire.size());
    }
    return Error(fault_code_, text);
  }

 private:
  bool fail(const char* why, const MessageType* type, const char* at, Code code = Code::invalid) {
    fault_ = why;
    fault_type_ = type;
    fault_at_ = at;
    fault_code_ = code;
    return false;
  }
  bool malformed(const MessageType* type, const WireReader& reader) {
    return fail("malformed wire data", type, reader.position());
  }
  void key(const FieldType& field, bool& first) {
    out_.put_key(field.key, field.key_size, first ? 1 : 0);
    first = false;
  }

  bool value(const FieldType& field, const Raw& raw, int depth);
  bool list(const MessageType& type, const FieldType& field, uint32_t tag, WireReader& reader, bool& first, int depth);
  bool map(const MessageType& type, const FieldType& field, uint32_t tag, WireReader& reader, bool& first, int depth);
  bool map_key(const FieldType& field, const Raw& raw);
  bool wrapper(const FieldType& field, std::string_view wire, int depth);
  bool time_parts(const FieldType& field, std::string_view wire, int64_t& ret_seconds, int32_t& ret_nanos);
  bool field_mask(const FieldType& field, std::string_view wire);

  JsonOut out_;
  const char* fault_ = "";
  const MessageType* fault_type_ = nullptr;
  const char* fault_at_ = nullptr;
  Code fault_code_ = Code::invalid;
};

bool Printer::members(const MessageType& type, std::string_view wire, bool& first, int depth, bool is_normal) {
  if (!type.printable) [[unlikely]] {
    return fail("a message of this type has no JSON form here", &type, wire.data(), Code::unsupported);
  }
  if (depth >= max_depth) [[unlikely]] {
    return fail("nested too deeply", &type, wire.data());
  }
  const size_t out_start = out_.size();
  const bool first_at_start = first;
  WireReader reader(wire);
  uint64_t seen = 0;
  while (!reader.at_end()) {
    uint32_t tag;
    if (!reader.tag(tag)) {
      return malformed(&type, reader);
    }
    const FieldType* field = type.by_number(tag >> 3);
    const auto wire_type = static_cast<WireType>(tag & 7);
    if (field == nullptr || !field->accepts(wire_type)) [[unlikely]] {
      if (!reader.skip(tag)) {
        return malformed(&type, reader);
      }
      continue;
    }
    if ((seen & field->conflicts) != 0) [[unlikely]] {
      if (is_normal) {
        return fail("conflicting fields", &type, reader.position(), Code::internal);
      }
      out_.truncate(out_start);
      first = first_at_start;
      const std::optional<std::string> copy = merged_fields(type, wire);
      if (!copy) {
        return malformed(&type, reader);
      }
      return members(type, *copy, first, depth, /* is_normal= */ true);
    }
    seen |= uint64_t{1} << field->index;
    if (field->repeated) {
      if (!(field->kind == Kind::map ? map(type, *field, tag, reader, first, depth)
                                     : list(type, *field, tag, reader, first, depth))) {
        return false;
      }
      continue;
    }
    Raw raw;
    if (!(wire_type == WireType::bytes ? reader.bytes(raw.data) : read_raw(reader, wire_type, raw))) {
      return malformed(&type, reader);
    }
    if (!field->presence && is_zero(*field, raw)) {
      continue;
    }
    key(*field, first);
    if (!value(*field, raw, depth)) {
      return false;
    }
  }
  return true;
}

// Prints one value after its key; need(JsonOut::room) has been called.
bool Printer::value(const FieldType& field, const Raw& raw, int depth) {
  const uint64_t n = raw.number;
  switch (field.kind) {
    case Kind::boolean: out_.put_short(n != 0 ? "true" : "false"); return true;
    case Kind::int32:
    case Kind::sfixed32: out_.put_number(static_cast<int32_t>(n)); return true;
    case Kind::sint32: out_.put_number(zigzag32(n)); return true;
    case Kind::uint32:
    case Kind::fixed32: out_.put_number(static_cast<uint32_t>(n)); return true;
    case Kind::int64:
    case Kind::sfixed64: out_.put_quoted_number(static_cast<int64_t>(n)); return true;
    case Kind::sint64: out_.put_quoted_number(zigzag64(n)); return true;
    case Kind::uint64:
    case Kind::fixed64: out_.put_quoted_number(n); return true;
    case Kind::float32: out_.put_float(std::bit_cast<float>(static_cast<uint32_t>(n))); return true;
    case Kind::float64: out_.put_double(std::bit_cast<double>(n)); return true;
    case Kind::enumeration: {
      const auto number = static_cast<int32_t>(n);
      const std::string_view name = field.enumeration->quoted_name(number);
      if (name.empty()) {
        out_.put_number(number);
      } else {
        out_.put_text(name);
      }
      return true;
    }
    case Kind::string: out_.put_string(raw.data); return true;
    case Kind::bytes: out_.put_base64(raw.data); return true;
    case Kind::message: return object(*field.message, raw.data, depth + 1);
    case Kind::wrapper: return wrapper(field, raw.data, depth);
    case Kind::timestamp:
    case Kind::duration: {
      int64_t seconds = 0;
      int32_t nanos = 0;
      if (!time_parts(field, raw.data, seconds, nanos)) {
        return false;
      }
      if (!(field.kind == Kind::timestamp ? out_.put_timestamp(seconds, nanos) : out_.put_duration(seconds, nanos))) {
        return fail("value out of range", field.message, raw.data.data());
      }
      return true;
    }
    case Kind::field_mask: return field_mask(field, raw.data);
    case Kind::map: break;
  }
  return fail("unexpected kind of field", field.message, raw.data.data(), Code::internal);
}

// All values of the field that stand together, packed or not; the tag of the first has been read.
bool Printer::list(const MessageType& type, const FieldType& field, uint32_t tag, WireReader& reader, bool& first,
                   int depth) {
  bool any = false;
  const auto element = [&](const Raw& raw) {
    if (any) {
      out_.need(JsonOut::room + 1);
      out_.put(',');
    } else {
      key(field, first);
      out_.put('[');
      any = true;
    }
    return value(field, raw, depth);
  };
  for (;;) {
    const auto wire_type = static_cast<WireType>(tag & 7);
    Raw raw;
    if (!field.accepts(wire_type)) {
      if (!reader.skip(tag)) {
        return malformed(&type, reader);
      }
    } else if (wire_type == field.wire_type) {
      if (!read_raw(reader, wire_type, raw)) {
        return malformed(&type, reader);
      }
      if (!element(raw)) {
        return false;
      }
    } else {
      if (!reader.bytes(raw.data)) {
        return malformed(&type, reader);
      }
      WireReader packed(raw.data);
      while (!packed.at_end()) {
        if (!read_raw(packed, field.wire_type, raw)) {
          return malformed(&type, packed);
        }
        if (!element(raw)) {
          return false;
        }
      }
    }
    const WireReader before = reader;
    if (reader.at_end()) {
      break;
    }
    if (!reader.tag(tag)) {
      return malformed(&type, reader);
    }
    if (tag >> 3 != field.number) {
      reader = before;
      break;
    }
  }
  if (any) {
    out_.need(JsonOut::room);
    out_.put(']');
  }
  return true;
}

bool Printer::map_key(const FieldType& field, const Raw& raw) {
  if (field.kind == Kind::string) {
    out_.put_string(raw.data);
    return true;
  }
  out_.need(JsonOut::room);
  const bool is_quoted = field.kind == Kind::int64 || field.kind == Kind::uint64 || field.kind == Kind::sint64 ||
                         field.kind == Kind::fixed64 || field.kind == Kind::sfixed64;
  if (!is_quoted) {
    out_.put('"');
  }
  if (!value(field, raw, 0)) {
    return false;
  }
  if (!is_quoted) {
    out_.put('"');
  }
  return true;
}

bool key_less(const FieldType& field, const Raw& a, const Raw& b) {
  switch (field.kind) {
    case Kind::string: return a.data < b.data;
    case Kind::int32:
    case Kind::sfixed32: return static_cast<int32_t>(a.number) < static_cast<int32_t>(b.number);
    case Kind::sint32: return zigzag32(a.number) < zigzag32(b.number);
    case Kind::sint64: return zigzag64(a.number) < zigzag64(b.number);
    case Kind::int64:
    case Kind::sfixed64: return static_cast<int64_t>(a.number) < static_cast<int64_t>(b.number);
    default: return a.number < b.number;
  }
}

// All entries that stand together, sorted by key; of equal keys the last one wins.
bool Printer::map(const MessageType& type, const FieldType& field, uint32_t tag, WireReader& reader, bool& first,
                  int depth) {
  const FieldType* key_field = field.message->by_number(1);
  const FieldType* value_field = field.message->by_number(2);
  struct Entry {
    Raw key;
    Raw value;
  };
  std::vector<Entry> entries;
  // Entries are written sorted, so mostly they can be printed as they come; the list is for the other case.
  Entry previous;
  bool any = false;
  bool is_sorted = true;
  const bool first_at_start = first;
  const size_t out_start = out_.size();
  const WireReader begin = reader;
  const uint32_t begin_tag = tag;
  const auto print = [&](const Entry& entry) {
    if (any) {
      out_.need(JsonOut::room);
      out_.put(',');
    } else {
      key(field, first);
      out_.put('{');
      any = true;
    }
    if (!map_key(*key_field, entry.key)) {
      return false;
    }
    out_.need(JsonOut::room + 1);
    out_.put(':');
    return value(*value_field, entry.value, depth);
  };
  for (;;) {
    if (static_cast<WireType>(tag & 7) == WireType::bytes) {
      Raw wire;
      if (!reader.bytes(wire.data)) {
        return malformed(&type, reader);
      }
      Entry entry;
      WireReader fields(wire.data);
      while (!fields.at_end()) {
        uint32_t entry_tag;
        if (!fields.tag(entry_tag)) {
          return malformed(field.message, fields);
        }
        const auto wire_type = static_cast<WireType>(entry_tag & 7);
        const uint32_t number = entry_tag >> 3;
        bool ok;
        if (number == 1 && wire_type == key_field->wire_type) {
          ok = read_raw(fields, wire_type, entry.key);
        } else if (number == 2 && wire_type == value_field->wire_type) {
          ok = read_raw(fields, wire_type, entry.value);
        } else {
          ok = fields.skip(entry_tag);
        }
        if (!ok) {
          return malformed(field.message, fields);
        }
      }
      if (!is_sorted) {
        entries.push_back(entry);
      } else if (any && !key_less(*key_field, previous.key, entry.key)) {
        // Begin again, this time collecting.
        out_.truncate(out_start);
        first = first_at_start;
        any = false;
        is_sorted = false;
        reader = begin;
        tag = begin_tag;
        continue;
      } else {
        if (!print(entry)) {
          return false;
        }
        previous = entry;
      }
    } else if (!reader.skip(tag)) {
      return malformed(&type, reader);
    }
    const WireReader before = reader;
    if (reader.at_end()) {
      break;
    }
    if (!reader.tag(tag)) {
      return malformed(&type, reader);
    }
    if (tag >> 3 != field.number) {
      reader = before;
      break;
    }
  }
  if (!is_sorted) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const Entry& a, const Entry& b) { return key_less(*key_field, a.key, b.key); });
    for (size_t i = 0; i < entries.size(); ++i) {
      const bool is_last = i + 1 == entries.size() || key_less(*key_field, entries[i].key, entries[i + 1].key);
      if (is_last && !print(entries[i])) {
        return false;
      }
    }
  }
  if (any) {
    out_.need(JsonOut::room);
    out_.put('}');
  }
  return true;
}

bool Printer::wrapper(const FieldType& field, std::string_view wire, int depth) {
  const FieldType* inner = field.message->by_number(1);
  Raw raw;
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag;
    if (!reader.tag(tag)) {
      return malformed(field.message, reader);
    }
    const bool ok = tag == wire_tag(1, inner->wire_type) ? read_raw(reader, inner->wire_type, raw) : reader.skip(tag);
    if (!ok) {
      return malformed(field.message, reader);
    }
  }
  return value(*inner, raw, depth);
}

bool Printer::time_parts(const FieldType& field, std::string_view wire, int64_t& ret_seconds, int32_t& ret_nanos) {
  uint64_t seconds = 0;
  uint64_t nanos = 0;
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag;
    if (!reader.tag(tag)) {
      return malformed(field.message, reader);
    }
    bool ok;
    if (tag == wire_tag(1, WireType::varint)) {
      ok = reader.varint(seconds);
    } else if (tag == wire_tag(2, WireType::varint)) {
      ok = reader.varint(nanos);
    } else {
      ok = reader.skip(tag);
    }
    if (!ok) {
      return malformed(field.message, reader);
    }
  }
  ret_seconds = static_cast<int64_t>(seconds);
  ret_nanos = static_cast<int32_t>(nanos);
  return true;
}

// "a.b_c" and "d" become "a.bC,d", as protobuf prints masks.
bool Printer::field_mask(const FieldType& field, std::string_view wire) {
  std::string text;
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag;
    std::string_view path;
    if (!reader.tag(tag)) {
      return malformed(field.message, reader);
    }
    if (tag != wire_tag(1, WireType::bytes)) {
      if (!reader.skip(tag)) {
        return malformed(field.message, reader);
      }
      continue;
    }
    if (!reader.bytes(path)) {
      return malformed(field.message, reader);
    }
    if (!text.empty()) {
      text += ',';
    }
    bool upper = false;
    for (const char c : path) {
      if (c == '_') {
        upper = true;
        continue;
      }
      text += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      upper = false;
    }
  }
  out_.put_string(text);
  return true;
}

// A guess that fits most events: short wire grows by names and punctuation.
size_t expected_size(std::string_view wire) {
  return wire.size() * 2 + 256;
}

}  // namespace

Result<void> append_json(const MessageType& type, std::string_view wire, std::string& out) {
  Printer printer(out, expected_size(wire));
  if (!printer.object(type, wire, 0)) {
    printer.out().rollback();
    return printer.error(type, wire);
  }
  printer.out().finish();
  return {};
}

Result<bool> append_json_members(const MessageType& type, std::string_view wire, std::string& out, bool first) {
  Printer printer(out, expected_size(wire));
  if (!printer.members(type, wire, first, 0)) {
    printer.out().rollback();
    return printer.error(type, wire);
  }
  printer.out().finish();
  return first;
}

void append_json_string(std::string_view text, std::string& out) {
  JsonOut json(out, text.size() + JsonOut::room);
  json.put_string(text);
  json.finish();
}

void append_json_time(int64_t unix_ns, std::string& out) {
  constexpr int64_t second = 1'000'000'000;
  int64_t seconds = unix_ns / second;
  auto nanos = static_cast<int32_t>(unix_ns % second);
  if (nanos < 0) {
    nanos += second;
    --seconds;
  }
  JsonOut json(out, JsonOut::room);
  json.put_timestamp(seconds, nanos);  // every int64 of nanoseconds is in range
  json.finish();
}

}  // namespace tetragon::event
