// SPDX-License-Identifier: Apache-2.0
#include "core/event/json_merge.h"

#include <algorithm>
#include <vector>

#include "core/event/wire.h"

namespace tetragon::event {

std::optional<std::string> merged_fields(const MessageType& type, std::string_view wire) {
  struct Record {
    const FieldType* field;
    std::string_view raw;      // with the tag
    std::string_view payload;  // of length-delimited ones
  };
  std::vector<Record> records;
  WireReader reader(wire);
  while (!reader.at_end()) {
    const char* begin = reader.position();
    uint32_t tag;
    if (!reader.tag(tag)) {
      return std::nullopt;
    }
    Record record{type.by_number(tag >> 3), {}, {}};
    const auto wire_type = static_cast<WireType>(tag & 7);
    if (!(wire_type == WireType::bytes ? reader.bytes(record.payload) : reader.skip(tag))) {
      return std::nullopt;
    }
    if (record.field == nullptr || !record.field->accepts(wire_type)) {
      continue;
    }
    record.raw = std::string_view(begin, static_cast<size_t>(reader.position() - begin));
    records.push_back(record);
  }
  // Setting one member of a oneof drops what the others held.
  for (const uint64_t members : type.oneofs) {
    const FieldType* active = nullptr;
    for (size_t i = records.size(); i-- > 0;) {
      if ((members >> records[i].field->index & 1) == 0) {
        continue;
      }
      if (active == nullptr) {
        active = records[i].field;
      } else if (records[i].field != active) {
        // Everything up to here is gone, also older values of the active member.
        for (size_t k = 0; k <= i; ++k) {
          if ((members >> records[k].field->index & 1) != 0) {
            records[k].raw = {};
          }
        }
        std::erase_if(records, [](const Record& r) { return r.raw.empty(); });
        break;
      }
    }
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const Record& a, const Record& b) { return a.field->number < b.field->number; });

  std::string out;
  WireWriter writer(out);
  for (size_t i = 0; i < records.size();) {
    const FieldType& field = *records[i].field;
    size_t end = i + 1;
    while (end < records.size() && records[end].field == &field) {
      ++end;
    }
    if (field.repeated) {
      for (size_t k = i; k < end; ++k) {
        writer.raw(records[k].raw);
      }
    } else if (field.message != nullptr) {
      const size_t begun = writer.begin(field.number);
      for (size_t k = i; k < end; ++k) {
        writer.raw(records[k].payload);  // concatenation of encodings is the encoding of the merged message
      }
      writer.end(begun);
    } else {
      writer.raw(records[end - 1].raw);
    }
    i = end;
  }
  return out;
}

}  // namespace tetragon::event
