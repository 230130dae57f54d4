// SPDX-License-Identifier: Apache-2.0
#include "random_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

namespace tetragon::event::testing {

namespace pb = google::protobuf;

namespace {

uint64_t below(Random& random, uint64_t limit) {
  return random() % limit;
}

// Small values, extremes and anything.
uint64_t random_number(Random& random) {
  switch (below(random, 6)) {
    case 0: return 0;
    case 1: return below(random, 300);
    case 2: return std::numeric_limits<uint64_t>::max() - below(random, 3);
    case 3: return uint64_t{1} << below(random, 64);
    case 4: return (uint64_t{1} << 31) - 1 + below(random, 3);
    default: return random();
  }
}

std::string random_bytes(Random& random) {
  std::string out(below(random, 3) == 0 ? below(random, 400) : below(random, 12), '\0');
  for (char& c : out) {
    c = static_cast<char>(random());
  }
  return out;
}

void set_value(pb::Message& message, const pb::FieldDescriptor* field, Random& random, unsigned density, int depth) {
  const pb::Reflection& r = *message.GetReflection();
  const bool add = field->is_repeated();
  const uint64_t n = random_number(random);
  using F = pb::FieldDescriptor;
#define SET(Type, value) add ? r.Add##Type(&message, field, value) : r.Set##Type(&message, field, value)
  switch (field->cpp_type()) {
    case F::CPPTYPE_INT32: SET(Int32, static_cast<int32_t>(n)); break;
    case F::CPPTYPE_INT64: SET(Int64, static_cast<int64_t>(n)); break;
    case F::CPPTYPE_UINT32: SET(UInt32, static_cast<uint32_t>(n)); break;
    case F::CPPTYPE_UINT64: SET(UInt64, n); break;
    case F::CPPTYPE_BOOL: SET(Bool, (n & 1) != 0); break;
    case F::CPPTYPE_FLOAT: SET(Float, 0.5F); break;
    case F::CPPTYPE_DOUBLE: SET(Double, 0.5); break;
    case F::CPPTYPE_STRING:
      SET(String, field->type() == F::TYPE_BYTES ? random_bytes(random) : random_text(random));
      break;
    case F::CPPTYPE_ENUM: {
      const pb::EnumDescriptor& type = *field->enum_type();
      const bool known = below(random, 4) != 0;
      SET(EnumValue,
          known ? type.value(static_cast<int>(below(random, static_cast<uint64_t>(type.value_count()))))->number()
                : static_cast<int32_t>(n));
      break;
    }
    case F::CPPTYPE_MESSAGE: {
      pb::Message* sub = add ? r.AddMessage(&message, field) : r.MutableMessage(&message, field);
      fill(*sub, random, density, depth - 1);
      break;
    }
  }
#undef SET
}

void fill_time(pb::Message& message, Random& random) {
  const pb::Reflection& r = *message.GetReflection();
  const bool is_timestamp = message.GetDescriptor()->well_known_type() == pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP;
  constexpr int64_t first = -62135596800;
  constexpr int64_t last = 253402300799;
  int64_t seconds = 0;
  switch (below(random, 6)) {
    case 0: seconds = is_timestamp ? first : -315'576'000'000; break;
    case 1: seconds = is_timestamp ? last : 315'576'000'000; break;
    case 2: seconds = static_cast<int64_t>(below(random, 2'000'000'000)); break;
    case 3: seconds = -static_cast<int64_t>(below(random, 2'000'000'000)); break;
    case 4: seconds = 0; break;
    default: seconds = first + static_cast<int64_t>(below(random, static_cast<uint64_t>(last - first))); break;
  }
  static constexpr int32_t some_nanos[] = {0, 1, 999'999'999, 500'000'000, 1000, 1'000'000, 123'456'000, 120'000'000};
  int32_t nanos = some_nanos[below(random, 8)];
  if (!is_timestamp && seconds < 0) {
    nanos = -nanos;
  }
  r.SetInt64(&message, message.GetDescriptor()->FindFieldByName("seconds"), seconds);
  r.SetInt32(&message, message.GetDescriptor()->FindFieldByName("nanos"), nanos);
}

}  // namespace

std::string random_text(Random& random) {
  static const char* const pieces[] = {"a",
                                       "/usr/bin/",
                                       "\"",
                                       "\\",
                                       "\n",
                                       "\t",
                                       "\x01",
                                       "\x1f",
                                       "\x7f",
                                       "<&>'",
                                       "\xc3\xa9",
                                       "\xc2\xa0",
                                       "\xe2\x80\xa8",
                                       "\xe2\x80\xa9",
                                       "\xef\xbf\xbd",
                                       "\xef\xbb\xbf",
                                       "=",
                                       "\b\f\r",
                                       "\xf0\x9f\x98\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "0123456789abcdef",
                                       " ",
                                       "\xc2\x85"};
  std::string out;
  const uint64_t count = below(random, 8) == 0 ? below(random, 60) : below(random, 6);
  for (uint64_t i = 0; i < count; ++i) {
    out += pieces[below(random, std::size(pieces))];
  }
  if (below(random, 20) == 0) {
    out += '\0';
  }
  return out;
}

void fill(pb::Message& message, Random& random, unsigned density, int depth) {
  const pb::Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP:
    case pb::Descriptor::WELLKNOWNTYPE_DURATION: fill_time(message, random); return;
    case pb::Descriptor::WELLKNOWNTYPE_FIELDMASK:
      for (uint64_t i = below(random, 4); i > 0; --i) {
        message.GetReflection()->AddString(&message, type.field(0), below(random, 2) == 0 ? "process.exec_id" : "args");
      }
      return;
    case pb::Descriptor::WELLKNOWNTYPE_ANY: return;
    default: break;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor* field = type.field(i);
    const bool too_deep = depth <= 0 && field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
    if (too_deep || below(random, 100) >= density) {
      continue;
    }
    const uint64_t count = field->is_repeated() ? below(random, 4) : 1;
    for (uint64_t k = 0; k < count; ++k) {
      set_value(message, field, random, density, depth);
    }
  }
}

std::string deterministic_wire(const pb::Message& message) {
  std::string out;
  {
    pb::io::StringOutputStream stream(&out);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

}  // namespace tetragon::event::testing
