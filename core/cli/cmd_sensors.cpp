// SPDX-License-Identifier: Apache-2.0
#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

Result<int> list(Context& context) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::ListSensorsResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("ListSensors", tetragon::ListSensorsRequest(), response));
  for (const auto& sensor : response.sensors()) {
    context.out << escaped(sensor.name()) << (sensor.enabled() ? " (enabled) " : " (not enabled) ")
                << escaped(sensor.collection()) << "\n";
  }
  return 0;
}

template <class Request, class Response>
Result<int> change(Context& context, std::string_view method, std::string_view done) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  Request request;
  request.set_name(context.arguments[0]);
  Response response;
  TETRAGON_TRY(Client(std::move(*options)).call(method, request, response));
  context.out << "sensor " << escaped(context.arguments[0]) << " " << done << "\n";
  return 0;
}

Command change_command(std::string name, std::string summary, std::function<Result<int>(Context&)> run) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .arguments = "NAME",
          .min_arguments = 1,
          .max_arguments = 1,
          .run = std::move(run)};
}

}  // namespace

Command sensors_command() {
  return {
      .name = "sensors",
      .summary = "deprecated: sensors by name; use tracingpolicy",
      .details = "Deprecated. The daemon loads and unloads sensors with their policies; see 'tetra tracingpolicy'.",
      .children = {{.name = "list", .summary = "list sensors", .run = list},
                   change_command("enable", "enable a sensor",
                                  [](Context& context) {
                                    return change<tetragon::EnableSensorRequest, tetragon::EnableSensorResponse>(
                                        context, "EnableSensor", "enabled");
                                  }),
                   change_command("disable", "disable a sensor",
                                  [](Context& context) {
                                    return change<tetragon::DisableSensorRequest, tetragon::DisableSensorResponse>(
                                        context, "DisableSensor", "disabled");
                                  }),
                   change_command("rm", "remove a sensor",
                                  [](Context& context) {
                                    return change<tetragon::RemoveSensorRequest, tetragon::RemoveSensorResponse>(
                                        context, "RemoveSensor", "removed");
                                  })},
  };
}

}  // namespace tetragon::cli
