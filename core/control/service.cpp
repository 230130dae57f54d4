// SPDX-License-Identifier: Apache-2.0
#include "core/control/service.h"

#include <google/protobuf/wrappers.pb.h>

#include <string>

#include "core/util/build_info.h"
#include "core/util/log.h"

namespace tetragon::control {
namespace {

grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const grpc::Status& status = grpc::Status::OK) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// Plain errors are UNKNOWN with a text, as Tetragon's handlers answer.
grpc::Status refused(const std::string& text) {
  return {grpc::StatusCode::UNKNOWN, text};
}

void dump_processes(pipeline::Pipeline& pipeline, const DumpProcessCacheReqArgs& request,
                    DumpProcessCacheResArgs& ret_processes) {
  pipeline.visit_processes([&](process::Entry& entry, const process::ProcessRef& process) {
    if (request.skip_zero_refcnt() && entry.refs == 0) return;
    // Processes that run are in the kernel's map; what is left are the ones that ended.
    if (request.exclude_execve_map_processes() && entry.alive) return;
    auto* item = ret_processes.add_processes();
    item->mutable_process()->ParseFromString(std::string(process->wire()));
    item->mutable_process()->mutable_tid()->set_value(process->tid());
    item->mutable_process()->set_refcnt(entry.refs);
    item->mutable_refcnt()->set_value(entry.refs);
    item->set_color(entry.refs != 0 ? "inUse" : "deletePending");
  });
}

}  // namespace

Service::Reactor* Service::GetHealth(Context* context, const GetHealthStatusRequest*,
                                     GetHealthStatusResponse* response) {
  auto* status = response->add_health_status();
  status->set_event(HEALTH_STATUS_TYPE_STATUS);
  status->set_status(HEALTH_STATUS_RUNNING);
  status->set_details("running");
  return answer(context);
}

Service::Reactor* Service::ListSensors(Context* context, const ListSensorsRequest*, ListSensorsResponse* response) {
  for (const SensorInfo& sensor : api_.sensors()) {
    auto* item = response->add_sensors();
    item->set_name(sensor.name);
    item->set_enabled(sensor.enabled);
    item->set_collection(sensor.collection);
  }
  return answer(context);
}

Service::Reactor* Service::GetVersion(Context* context, const GetVersionRequest*, GetVersionResponse* response) {
  response->set_version(build_info().version);
  return answer(context);
}

Service::Reactor* Service::GetInfo(Context* context, const GetInfoRequest*, GetInfoResponse* response) {
  const BuildInfo build = build_info();
  response->set_version(build.version);
  response->set_name("tetragon");
  for (const ProbeResult& probe : api_.probes()) {
    auto* item = response->add_probes();
    item->set_name(probe.name);
    item->mutable_enabled()->set_value(probe.enabled);
  }
  google::protobuf::StringValue text;
  for (const auto& [name, value] : api_.settings()) {
    auto* item = response->add_conf();
    item->set_key(name);
    text.set_value(value);
    item->mutable_value()->PackFrom(text);
  }
  response->mutable_build()->set_go_version(build.compiler);
  response->mutable_build()->set_commit(build.commit);
  response->mutable_build()->set_time(build.date);
  response->mutable_build()->set_modified(build.tree_state == "dirty" ? "true" : "false");
  return answer(context);
}

Service::Reactor* Service::GetDebug(Context* context, const GetDebugRequest* request, GetDebugResponse* response) {
  response->set_flag(request->flag());
  switch (request->flag()) {
    case CONFIG_FLAG_LOG_LEVEL:
      response->set_level(static_cast<LogLevel>(log::level()));  // the numbers agree, see log.h
      return answer(context);
    case CONFIG_FLAG_DUMP_PROCESS_CACHE:
      dump_processes(api_.pipeline, request->dump(), *response->mutable_processes());
      return answer(context);
    default: return answer(context, refused("GetDebug: unknown flag " + std::to_string(request->flag())));
  }
}

Service::Reactor* Service::SetDebug(Context* context, const SetDebugRequest* request, SetDebugResponse* response) {
  if (request->flag() != CONFIG_FLAG_LOG_LEVEL) {
    return answer(context, refused("SetDebug: only the log level can be set, not " + ConfigFlag_Name(request->flag())));
  }
  if (request->arg_case() != SetDebugRequest::kLevel || !LogLevel_IsValid(request->level())) {
    return answer(context, refused("SetDebug: a log level from PANIC (0) to TRACE (6) is needed"));
  }
  const auto level = static_cast<log::Level>(request->level());
  log::set_level(level);
  log::info("log level changed", {{"level", log::to_string(level)}, {"by", context->peer()}});
  response->set_flag(request->flag());
  response->set_level(request->level());
  return answer(context);
}

}  // namespace tetragon::control
