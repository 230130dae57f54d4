// SPDX-License-Identifier: Apache-2.0
#pragma once

// A served API with a bus behind it, in a folder of its own.

#include <doctest/doctest.h>
#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/control/grpc_server.h"
#include "tests/unit/pipeline/records.h"
#include "tests/unit/policy/fake_host.h"
#include "tests/unit/sink/batches.h"
#include "tetragon/sensors.grpc.pb.h"

namespace tetragon::control::testing {

inline constexpr auto kPatience = std::chrono::seconds(60);  // a test that waits this long has failed

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/control_test.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  size_t entries() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::string path_;
};

using Stub = std::unique_ptr<FineGuidanceSensors::Stub>;

// A connection of its own: gRPC would share one between channels to the same address.
inline Stub connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return FineGuidanceSensors::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

struct Served {
  Folder folder;
  bus::Bus bus;
  event::Writer writer{"node", "cluster"};
  pipeline::Pipeline pipeline{process::TrackerOptions{}, bus};
  policy::testing::FakeKernel kernel;
  policy::Manager policies{kernel.host()};
  Api api{bus, writer, pipeline, policies};
  std::unique_ptr<GrpcServer> server;
  std::string address = "unix://" + (folder / "api.sock");

  explicit Served(uint64_t queue = 10000) {
    api.event_queue_size = queue;
    api.probes = [] { return std::vector<ProbeResult>{{"ring_buffer", true}, {"lsm", false}}; };
    api.sensors = [] { return std::vector<SensorInfo>{{"tetragon.process", true, "plugins"}}; };
    api.settings = [] { return std::vector<std::pair<std::string, std::string>>{{"log-level", "info"}}; };
    pipeline::testing::add_decoders(pipeline);
    auto started = GrpcServer::start(address, api);
    REQUIRE_MESSAGE(started.ok(), (started.ok() ? std::string() : started.error().message()));
    server = std::move(*started);
  }
  ~Served() { bus.close(); }
  Stub stub() const { return connect(address); }
};

// One GetEvents call.
struct Call {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<GetEventsResponse>> reader;

  explicit Call(FineGuidanceSensors::Stub& stub, const GetEventsRequest& request = {}) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    reader = stub.GetEvents(&context, request);
    // The server has subscribed when its initial metadata is here.
    reader->WaitForInitialMetadata();
  }
  GetEventsResponse read() {
    GetEventsResponse event;
    REQUIRE(reader->Read(&event));
    return event;
  }
  // Reads to the end.
  grpc::Status finish() {
    GetEventsResponse event;
    while (reader->Read(&event)) continue;
    return reader->Finish();
  }
};

inline uint32_t pid_of(const GetEventsResponse& event) {
  return event.process_exec().process().pid().value();
}

}  // namespace tetragon::control::testing
