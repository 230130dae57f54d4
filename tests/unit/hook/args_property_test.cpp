// SPDX-License-Identifier: Apache-2.0
// Random values of every type: the JSON of our wire form is what libprotobuf makes of it.
#include <doctest/doctest.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <random>

#include "tetragon/tetragon.pb.h"
#include "values.h"

using namespace tetragon;
using namespace tetragon::hook;
using namespace tetragon::hook::testing;
namespace pb = google::protobuf;

namespace {

pb::Struct tree(const std::string& json) {
  pb::Struct parsed;
  INFO(json);
  REQUIRE(pb::util::JsonStringToMessage(json, &parsed).ok());
  return parsed;
}

}  // namespace

TEST_CASE("random values of every type") {
  std::mt19937_64 random(20260101);
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  size_t accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto type = static_cast<ArgType>(1 + random() % (static_cast<uint64_t>(ArgType::plugin) - 1));
    std::string bytes(random() % 4 == 0 ? random() % 16 : random() % 300, '\0');
    const bool small = random() % 2 == 0;  // enumerations, families and sizes that exist
    for (char& c : bytes) c = static_cast<char>(small ? (random() % 4 == 0 ? random() % 20 : 0) : random());
    Value value = value_of(bytes, static_cast<uint32_t>(random() % 400), static_cast<uint8_t>(random() % 2));
    if (random() % 16 == 0) value = failed(-static_cast<int32_t>(random() % 40));
    const std::string label = random() % 2 == 0 ? "" : "l\xc3\xa4" + std::to_string(round);
    std::string wire = "kept";
    const bool good = append_argument(type, value, label, kContext, wire);
    CAPTURE(to_string(type));
    if (!good) {
      REQUIRE(wire == "kept");
      continue;
    }
    ++accepted;
    wire.erase(0, 4);
    KprobeArgument message;
    REQUIRE(message.ParseFromString(wire));
    REQUIRE(message.arg_case() != KprobeArgument::ARG_NOT_SET);
    REQUIRE(message.GetReflection()->GetUnknownFields(message).empty());
    std::string theirs;
    REQUIRE(pb::util::MessageToJsonString(message, &theirs, options).ok());
    const std::string ours = to_json("tetragon.KprobeArgument", wire);
    REQUIRE(pb::util::MessageDifferencer::Equals(tree(ours), tree(theirs)));
    REQUIRE(ours.find('\n') == std::string::npos);
  }
  CHECK(accepted > 2000);
}
