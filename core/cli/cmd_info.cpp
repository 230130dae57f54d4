// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/event/json.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

template <class Wrapper>
bool plain_value(const google::protobuf::Any& any, std::string& out) {
  Wrapper wrapper;
  if (!any.Is<Wrapper>() || !any.UnpackTo(&wrapper)) {
    return false;
  }
  // The JSON form of a wrapper is its value; it goes in as text, so that any type fits.
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(wrapper, &text).ok()) {
    return false;
  }
  out += text;
  return true;
}

void append_value(const google::protobuf::Any& any, std::string& out) {
  namespace pb = google::protobuf;
  bool known = plain_value<pb::StringValue>(any, out) || plain_value<pb::BoolValue>(any, out) ||
               plain_value<pb::Int32Value>(any, out) || plain_value<pb::UInt32Value>(any, out) ||
               plain_value<pb::Int64Value>(any, out) || plain_value<pb::UInt64Value>(any, out) ||
               plain_value<pb::DoubleValue>(any, out) || plain_value<pb::FloatValue>(any, out) ||
               plain_value<pb::Struct>(any, out) || plain_value<pb::ListValue>(any, out) ||
               plain_value<pb::Value>(any, out);
  if (!known) {
    event::append_json_string(any.type_url(), out);
  }
}

std::string info_text(const tetragon::GetInfoResponse& info) {
  std::string out;
  auto member = [&](std::string_view name, std::string_view value) {
    event::append_json_string(name, out);
    out += ':';
    event::append_json_string(value, out);
  };
  out += '{';
  member("Name", info.name());
  out += ',';
  member("Version", info.version());
  out += ",\"Probes\":{";
  for (int i = 0; i < info.probes_size(); ++i) {
    out += i == 0 ? "" : ",";
    event::append_json_string(info.probes(i).name(), out);
    out += info.probes(i).enabled().value() ? ":true" : ":false";
  }
  out += "},\"Conf\":{";
  for (int i = 0; i < info.conf_size(); ++i) {
    out += i == 0 ? "" : ",";
    event::append_json_string(info.conf(i).key(), out);
    out += ':';
    append_value(info.conf(i).value(), out);
  }
  out += "},\"Build\":{";
  member("GoVersion", info.build().go_version());
  out += ',';
  member("Commit", info.build().commit());
  out += ',';
  member("Time", info.build().time());
  out += ',';
  member("Modified", info.build().modified());
  out += "}}\n";
  return out;
}

Result<int> info(Context& context) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::GetInfoResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("GetInfo", tetragon::GetInfoRequest(), response));
  context.out << info_text(response);
  return 0;
}

}  // namespace

Command info_command() {
  return {
      .name = "info",
      .summary = "configuration, kernel features and build of the daemon as JSON",
      .run = info,
  };
}

}  // namespace tetragon::cli
