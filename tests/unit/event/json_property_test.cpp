// SPDX-License-Identifier: Apache-2.0
// The JSON printer against libprotobuf's, on random messages.
#include <doctest/doctest.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/event/json.h"
#include "random_message.h"
#include "tetragon/eventlogservice.pb.h"
#include "tetragon/events.pb.h"
#include "tetragon/sensors.pb.h"

namespace pb = google::protobuf;
using namespace tetragon::event;

namespace {

void append_utf8(uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

// The only difference allowed: libprotobuf writes \uXXXX for some characters (<, >, 0x7f, separators, marks) that we
// write as they are. Escapes of printable characters are undone here; those of control characters stay.
std::string without_needless_escapes(const std::string& json) {
  const auto code_at = [&](size_t i) {
    return static_cast<uint32_t>(std::strtoul(json.substr(i + 2, 4).c_str(), nullptr, 16));
  };
  std::string out;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '\\') {
      out += json[i];
    } else if (json[i + 1] != 'u') {
      out += json[i];
      out += json[++i];
    } else {
      uint32_t code = code_at(i);
      if (code < 0x20) {
        out.append(json, i, 6);
      } else if (code >= 0xd800 && code < 0xdc00) {
        const uint32_t low = code_at(i + 6);
        append_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
        i += 6;
      } else {
        append_utf8(code, out);
      }
      i += 5;
    }
  }
  return out;
}

class Reference {
 public:
  std::string print(const pb::Message& message, const std::string& wire) {
    pb::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    options.always_print_primitive_fields = false;
    std::string json;
    const auto status = pb::util::BinaryToJsonString(
        resolver_.get(), "type.googleapis.com/" + message.GetDescriptor()->full_name(), wire, &json, options);
    REQUIRE_MESSAGE(status.ok(), status.ToString());
    return json;
  }

 private:
  std::unique_ptr<pb::util::TypeResolver> resolver_{
      pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", pb::DescriptorPool::generated_pool())};
};

void compare(const pb::Message& message, Reference& reference) {
  const std::string wire = testing::deterministic_wire(message);
  const MessageType* type = schema().message(message.GetDescriptor()->full_name());
  REQUIRE(type != nullptr);
  std::string json = "before";
  const auto result = append_json(*type, wire, json);
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message()));
  REQUIRE(json.starts_with("before{"));
  json.erase(0, 6);

  REQUIRE(without_needless_escapes(json) == without_needless_escapes(reference.print(message, wire)));
  REQUIRE(std::none_of(json.begin(), json.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));

  std::unique_ptr<pb::Message> back(message.New());
  const auto status = pb::util::JsonStringToMessage(json, back.get());
  REQUIRE_MESSAGE(status.ok(), (status.ToString() + " in " + json));
  REQUIRE(testing::deterministic_wire(*back) == wire);
}

}  // namespace

TEST_CASE("random events are printed as libprotobuf prints them") {
  Reference reference;
  testing::Random random(20240607);
  for (int i = 0; i < 600; ++i) {
    tetragon::GetEventsResponse event;
    testing::fill(event, random, static_cast<unsigned>(5 + random() % 60), 6);
    compare(event, reference);
  }
}

TEST_CASE("other messages of the contract are printed as libprotobuf prints them") {
  Reference reference;
  testing::Random random(7);
  for (int i = 0; i < 100; ++i) {
    tetragon::GetEventsRequest request;
    testing::fill(request, random, 50, 5);
    compare(request, reference);
    tetragon::ListTracingPoliciesResponse policies;
    testing::fill(policies, random, 60, 5);
    compare(policies, reference);
    tetragon::GetDebugResponse debug;
    testing::fill(debug, random, 40, 5);
    compare(debug, reference);
    tetragon::RuntimeHookRequest hook;
    testing::fill(hook, random, 70, 5);
    compare(hook, reference);
    tetragon::SetEventLogParamsRequest log;
    testing::fill(log, random, 50, 5);
    compare(log, reference);
  }
}

TEST_CASE("maps in any order are printed sorted") {
  testing::Random random(3);
  for (int i = 0; i < 100; ++i) {
    tetragon::GetEventsResponse event;
    for (uint64_t k = random() % 40; k > 0; --k) {
      (*event.mutable_node_labels())["k" + std::to_string(random() % 1000)] = testing::random_text(random);
    }
    std::string sorted;
    std::string shuffled;
    REQUIRE(append_json(schema().event(), testing::deterministic_wire(event), sorted));
    REQUIRE(append_json(schema().event(), event.SerializeAsString(), shuffled));
    CHECK(sorted == shuffled);
  }
}

TEST_CASE("fields in any order and more than once mean what a protobuf parser makes of them") {
  testing::Random random(11);
  for (int i = 0; i < 300; ++i) {
    tetragon::GetEventsResponse merged;
    std::string wire;
    for (uint64_t k = 2 + random() % 3; k > 0; --k) {
      tetragon::GetEventsResponse part;
      testing::fill(part, random, 20, 5);
      wire += part.SerializeAsString();  // concatenation is a merge
    }
    REQUIRE(merged.ParseFromString(wire));
    std::string json;
    const auto result = append_json(schema().event(), wire, json);
    REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message()));
    tetragon::GetEventsResponse back;
    REQUIRE(pb::util::JsonStringToMessage(json, &back).ok());
    REQUIRE(testing::deterministic_wire(back) == testing::deterministic_wire(merged));
  }
}
