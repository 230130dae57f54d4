// SPDX-License-Identifier: Apache-2.0
#include "core/cli/client.h"

#include <doctest/doctest.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "core/cli/app.h"
#include "tetragon/sensors.grpc.pb.h"

using namespace tetragon::cli;

namespace {

class Sensors final : public tetragon::FineGuidanceSensors::Service {
 public:
  grpc::Status GetVersion(grpc::ServerContext*, const tetragon::GetVersionRequest*,
                          tetragon::GetVersionResponse* response) override {
    if (failures_before_answer-- > 0) {
      return {grpc::StatusCode::UNAVAILABLE, "warming up"};
    }
    response->set_version("v9");
    return grpc::Status::OK;
  }
  grpc::Status GetHealth(grpc::ServerContext*, const tetragon::GetHealthStatusRequest*,
                         tetragon::GetHealthStatusResponse* response) override {
    response->add_health_status()->set_details("running");
    return grpc::Status::OK;
  }
  grpc::Status GetInfo(grpc::ServerContext*, const tetragon::GetInfoRequest*,
                       tetragon::GetInfoResponse* response) override {
    response->set_name("tetragon");
    response->set_version("v9");
    auto& probe = *response->add_probes();
    probe.set_name("lsm");
    probe.mutable_enabled()->set_value(true);
    auto& conf = *response->add_conf();
    conf.set_key("rb-size");
    google::protobuf::Int64Value number;
    number.set_value(5);
    conf.mutable_value()->PackFrom(number);
    response->mutable_build()->set_commit("abc");
    return grpc::Status::OK;
  }
  grpc::Status GetEvents(grpc::ServerContext* context, const tetragon::GetEventsRequest* request,
                         grpc::ServerWriter<tetragon::GetEventsResponse>* writer) override {
    last_request = *request;
    for (int i = 0; i < events && !context->IsCancelled(); ++i) {
      tetragon::GetEventsResponse event;
      event.set_node_name("n" + std::to_string(i));
      event.mutable_process_exec()->mutable_process()->set_binary("/bin/x");
      if (!writer->Write(event)) {
        break;
      }
    }
    return stream_end;
  }
  grpc::Status DeleteTracingPolicy(grpc::ServerContext*, const tetragon::DeleteTracingPolicyRequest* request,
                                   tetragon::DeleteTracingPolicyResponse*) override {
    if (request->name() == "p" && request->namespace_() == "ns") {
      return grpc::Status::OK;
    }
    return {grpc::StatusCode::UNKNOWN, "no policy \x1b\"" + request->name() + "\""};
  }
  grpc::Status SetDebug(grpc::ServerContext*, const tetragon::SetDebugRequest* request,
                        tetragon::SetDebugResponse* response) override {
    response->set_flag(request->flag());
    response->set_level(request->level());
    return grpc::Status::OK;
  }

  std::atomic<int> failures_before_answer = 0;
  int events = 0;
  grpc::Status stream_end = grpc::Status::OK;
  tetragon::GetEventsRequest last_request;
};

// A server on a socket of its own.
class Daemon {
 public:
  Daemon() {
    char name[] = "/tmp/tetra-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    folder_ = name;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&sensors);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~Daemon() {
    server_->Shutdown(std::chrono::system_clock::now());
    std::filesystem::remove_all(folder_);
  }
  std::string address() const { return "unix://" + folder_ + "/t.sock"; }

  Sensors sensors;

 private:
  std::string folder_;
  std::unique_ptr<grpc::Server> server_;
};

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run_with(const Daemon& daemon, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--server-address", daemon.address()});
  Output out(-1);
  Output err(-1);
  int code = run(arguments, out, err, -1);
  return {code, out.text(), err.text()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("plain calls") {
  Daemon daemon;
  Outcome outcome = run_with(daemon, {"version", "-s"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.ends_with("Server version: v9\n"));
  CHECK(run_with(daemon, {"status"}).out == "Health Status: running\n");
  CHECK(run_with(daemon, {"info"}).out ==
        R"({"Name":"tetragon","Version":"v9","Probes":{"lsm":true},"Conf":{"rb-size":"5"},)"
        R"("Build":{"GoVersion":"","Commit":"abc","Time":"","Modified":""}})"
        "\n");
  CHECK(run_with(daemon, {"log", "set", "Warning"}).out == "Log level set to: LOG_LEVEL_WARN\n");
  CHECK(run_with(daemon, {"tp", "delete", "p", "-n", "ns"}).out == "tracing policy \"p\" deleted\n");
}

TEST_CASE("what the daemon refuses is an error with its text") {
  Daemon daemon;
  Outcome outcome = run_with(daemon, {"tp", "delete", "q"});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err == "Error: tracing policy \"q\" was not deleted: no policy \\x1b\"q\"\n");
  outcome = run_with(daemon, {"tp", "list"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "does not offer ListTracingPolicies"));
  outcome = run_with(daemon, {"sensors", "list"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "does not offer ListSensors"));
}

TEST_CASE("a daemon that is not there") {
  std::vector<std::string> where{"--server-address", "unix:///tmp/tetra-no-such.sock", "--retries", "0"};
  auto run_without = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), where.begin(), where.end());
    Output out(-1);
    Output err(-1);
    int code = run(arguments, out, err, -1);
    return Outcome{code, out.text(), err.text()};
  };
  Outcome outcome = run_without({"version", "-s"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "Error: cannot reach the daemon at unix:///tmp/tetra-no-such.sock (--server-address)"));
  CHECK(contains(outcome.err, "there is no socket"));
  outcome = run_without({"getevents"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "there is no socket"));
  outcome = run_without({"status"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("status error: cannot reach the daemon"));
}

TEST_CASE("retries wait and then succeed, within the time limit") {
  Daemon daemon;
  daemon.sensors.failures_before_answer = 1;
  CHECK(run_with(daemon, {"version", "-s", "--retries", "0"}).code == 1);
  daemon.sensors.failures_before_answer = 1;
  CHECK(run_with(daemon, {"version", "-s", "--timeout", "500ms"}).code == 1);  // no room for the wait of 1s
  daemon.sensors.failures_before_answer = 1;
  CHECK(run_with(daemon, {"version", "-s", "--retries", "1"}).code == 0);
}

TEST_CASE("the event stream") {
  Daemon daemon;
  daemon.sensors.events = 500;
  Outcome outcome = run_with(daemon, {"getevents", "--process", "x", "-f", "process", "-F", "process.pid", "--host"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "ended the stream"));
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 500);
  CHECK(outcome.out.starts_with(R"({"process_exec":{"process":{"binary":"/bin/x"}},"node_name":"n0"})"
                                "\n"));
  CHECK(contains(outcome.out, R"("node_name":"n499"})"));
  const auto& request = daemon.sensors.last_request;
  REQUIRE(request.allow_list_size() == 1);
  CHECK(request.allow_list(0).binary_regex(0) == "x");
  CHECK(request.allow_list(0).namespace_(0).empty());
  REQUIRE(request.field_filters_size() == 2);
  CHECK(request.field_filters(0).action() == tetragon::INCLUDE);
  CHECK(request.field_filters(1).action() == tetragon::EXCLUDE);
  CHECK(request.field_filters(1).fields().paths(0) == "process.pid");

  daemon.sensors.events = 1;
  CHECK(run_with(daemon, {"getevents", "-o", "compact"}).out == "🚀 process n0 /bin/x \n");
  CHECK(daemon.sensors.last_request.allow_list_size() == 1);  // sent even when nothing is asked for
  daemon.sensors.stream_end = {grpc::StatusCode::UNKNOWN, "bad filter"};
  CHECK(run_with(daemon, {"getevents"}).err == "Error: bad filter\n");
}

TEST_CASE("a stream ends when its reader wants no more") {
  Daemon daemon;
  daemon.sensors.events = 100000;
  ClientOptions options;
  options.address = {daemon.address(), "test"};
  Client client(options);
  int seen = 0;
  auto result = client.stream(
      "GetEvents", tetragon::GetEventsRequest(), [&](std::string_view) { return ++seen < 3; }, [] {});
  CHECK(result.ok());
  CHECK(seen == 3);
}

TEST_CASE("messages larger than allowed") {
  Daemon daemon;
  daemon.sensors.events = 1;
  Outcome outcome = run_with(daemon, {"getevents", "--max-recv-size", "5"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "--max-recv-size"));
}
