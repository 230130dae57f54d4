// SPDX-License-Identifier: Apache-2.0
#include "core/filter/json_objects.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "core/event/json_objects.h"

namespace tetragon::filter {

Result<void> parse_json_objects(std::string_view text, std::string_view name, std::string_view kind,
                                const std::function<google::protobuf::Message*()>& next) {
  auto objects = tetragon::event::split_json_objects(text);
  if (!objects) {
    return std::move(objects).error().with_context(name);
  }
  int index = 0;
  for (const std::string_view object : *objects) {
    ++index;
    const auto line = 1 + std::count(text.data(), object.data(), '\n');
    const auto where = [&] {
      return std::string(name) + ": " + std::string(kind) + " " + std::to_string(index) + " (line " +
             std::to_string(line) + ")";
    };
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = false;
    try {
      const auto status = google::protobuf::util::JsonStringToMessage(
          google::protobuf::StringPiece(object.data(), object.size()), next(), options);
      if (!status.ok()) {
        return Error(Code::invalid, where() + ": " + std::string(status.message()));
      }
    } catch (const std::exception& error) {
      return Error(Code::invalid, where() + ": " + error.what());
    }
  }
  return {};
}

}  // namespace tetragon::filter
