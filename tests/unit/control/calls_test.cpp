// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/generic/generic_stub.h>

#include <string>

#include "api_fixture.h"
#include "core/control/service.h"
#include "core/util/build_info.h"
#include "core/util/log.h"

using namespace tetragon;
using namespace tetragon::control::testing;

namespace {

// One unary call; the status, and the answer in ret_response.
template <class Request, class Response>
grpc::Status call(FineGuidanceSensors::Stub& stub,
                  grpc::Status (FineGuidanceSensors::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response& ret_response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  return (stub.*method)(&context, request, &ret_response);
}

template <class Request, class Response>
grpc::StatusCode code_of(FineGuidanceSensors::Stub& stub,
                         grpc::Status (FineGuidanceSensors::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                           Response*)) {
  Response response;
  return call(stub, method, Request(), response).error_code();
}

using Client = FineGuidanceSensors::Stub;

}  // namespace

TEST_CASE("version, health and sensors") {
  Served served;
  const Stub stub = served.stub();
  GetVersionResponse version;
  REQUIRE(call(*stub, &Client::GetVersion, {}, version).ok());
  CHECK(version.version() == build_info().version);

  GetHealthStatusResponse health;
  REQUIRE(call(*stub, &Client::GetHealth, {}, health).ok());
  REQUIRE(health.health_status_size() == 1);
  CHECK(health.health_status(0).event() == HEALTH_STATUS_TYPE_STATUS);
  CHECK(health.health_status(0).status() == HEALTH_STATUS_RUNNING);
  CHECK(health.health_status(0).details() == "running");

  ListSensorsResponse sensors;
  REQUIRE(call(*stub, &Client::ListSensors, {}, sensors).ok());
  REQUIRE(sensors.sensors_size() == 1);
  CHECK(sensors.sensors(0).name() == "tetragon.process");
  CHECK(sensors.sensors(0).enabled());
  CHECK(sensors.sensors(0).collection() == "plugins");
}

TEST_CASE("information: probes, settings, build") {
  Served served;
  GetInfoResponse info;
  REQUIRE(call(*served.stub(), &Client::GetInfo, {}, info).ok());
  CHECK(info.version() == build_info().version);
  CHECK(info.name() == "tetragon");
  REQUIRE(info.probes_size() == 2);
  CHECK(info.probes(0).name() == "ring_buffer");
  CHECK(info.probes(0).enabled().value());
  REQUIRE(info.probes(1).has_enabled());
  CHECK_FALSE(info.probes(1).enabled().value());
  REQUIRE(info.conf_size() == 1);
  CHECK(info.conf(0).key() == "log-level");
  google::protobuf::StringValue value;
  REQUIRE(info.conf(0).value().UnpackTo(&value));
  CHECK(value.value() == "info");
  CHECK(info.build().commit() == build_info().commit);
}

TEST_CASE("log level: asked for, set, refused") {
  Served served;
  const Stub stub = served.stub();
  const log::Level before = log::level();
  GetDebugRequest get;
  get.set_flag(CONFIG_FLAG_LOG_LEVEL);
  SetDebugRequest set;
  set.set_flag(CONFIG_FLAG_LOG_LEVEL);
  for (const LogLevel level : {LOG_LEVEL_ERROR, LOG_LEVEL_WARN}) {
    set.set_level(level);
    SetDebugResponse done;
    REQUIRE(call(*stub, &Client::SetDebug, set, done).ok());
    CHECK(done.flag() == CONFIG_FLAG_LOG_LEVEL);
    CHECK(done.level() == level);
    CHECK(static_cast<int>(log::level()) == static_cast<int>(level));
    GetDebugResponse got;
    REQUIRE(call(*stub, &Client::GetDebug, get, got).ok());
    CHECK(got.level() == level);
  }

  SetDebugResponse done;
  set.set_level(static_cast<LogLevel>(99));
  CHECK(call(*stub, &Client::SetDebug, set, done).error_code() == grpc::StatusCode::UNKNOWN);
  set.clear_arg();
  const grpc::Status missing = call(*stub, &Client::SetDebug, set, done);
  CHECK(missing.error_message().find("TRACE") != std::string::npos);
  set.set_flag(CONFIG_FLAG_DUMP_PROCESS_CACHE);
  CHECK_FALSE(call(*stub, &Client::SetDebug, set, done).ok());
  CHECK(static_cast<int>(log::level()) == static_cast<int>(LOG_LEVEL_WARN));
  log::set_level(before);

  get.set_flag(static_cast<ConfigFlag>(77));
  GetDebugResponse got;
  CHECK(call(*stub, &Client::GetDebug, get, got).error_message().find("77") != std::string::npos);
}

TEST_CASE("the process cache can be looked at") {
  Served served;
  const Stub stub = served.stub();
  auto exec = pipeline::testing::record(pipeline::testing::kExec, 0);
  {
    pipeline::Pipeline::Drain drain(served.pipeline);
    drain.record(&exec, sizeof(exec));
    exec.pid = 9;
    exec.start_ns = 99;
    drain.record(&exec, sizeof(exec));
  }
  GetDebugRequest request;
  request.set_flag(CONFIG_FLAG_DUMP_PROCESS_CACHE);
  GetDebugResponse response;
  REQUIRE(call(*stub, &Client::GetDebug, request, response).ok());
  REQUIRE(response.processes().processes_size() == 2);
  const auto& all = response.processes().processes();
  const auto& child = all[0].process().pid().value() == 9 ? all[0] : all[1];
  CHECK(child.process().binary() == "/bin/x");
  CHECK(child.process().tid().value() == 9);
  CHECK(child.refcnt().value() == 1);
  CHECK(child.color() == "inUse");

  request.mutable_dump()->set_exclude_execve_map_processes(true);
  REQUIRE(call(*stub, &Client::GetDebug, request, response).ok());
  CHECK(response.processes().processes().empty());  // all of them run
}

TEST_CASE("what this version does not do is unimplemented") {
  Served served;
  const Stub stub = served.stub();
  constexpr auto unimplemented = grpc::StatusCode::UNIMPLEMENTED;
  CHECK(code_of(*stub, &Client::EnableSensor) == unimplemented);
  CHECK(code_of(*stub, &Client::DisableSensor) == unimplemented);
  CHECK(code_of(*stub, &Client::RemoveSensor) == unimplemented);
  CHECK(code_of(*stub, &Client::RuntimeHook) == unimplemented);
}

namespace {

// grpc.health.v1 by hand: the package has no header for clients.
grpc::Status health(const std::string& address, const std::string& service, std::string& ret_answer) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const std::string message =
      service.empty() ? "" : "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::CompletionQueue queue;
  grpc::ByteBuffer answer;
  grpc::Status status;
  const auto pending = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  pending->StartCall();
  pending->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  ret_answer.clear();
  if (status.ok() && answer.Dump(&slices).ok()) {
    for (const auto& part : slices) ret_answer.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return status;
}

}  // namespace

TEST_CASE("the health service is on its own listener only") {
  Served served;
  const std::string address = "unix://" + (served.folder / "health.sock");
  std::string answer;
  {
    auto server = control::HealthServer::start(address);
    REQUIRE(server.ok());
    REQUIRE(health(address, "liveness", answer).ok());
    CHECK(answer == "\x08\x01");  // SERVING
    CHECK(health(address, "something", answer).error_code() == grpc::StatusCode::NOT_FOUND);
  }
  CHECK(health(served.address, "liveness", answer).error_code() == grpc::StatusCode::UNIMPLEMENTED);
  // A server that starts later has none either.
  auto other = control::GrpcServer::start("unix://" + (served.folder / "other.sock"), served.api);
  REQUIRE(other.ok());
  CHECK(health((*other)->address(), "liveness", answer).error_code() == grpc::StatusCode::UNIMPLEMENTED);
}
