// SPDX-License-Identifier: Apache-2.0
// The calls about tracing policies, as a client sees them.
#include "tests/unit/control/api_fixture.h"

namespace tetragon::control {
namespace {

using policy::testing::policy_yaml;
using testing::Served;
using testing::Stub;

grpc::Status add(FineGuidanceSensors::Stub& stub, const std::string& yaml) {
  grpc::ClientContext context;
  AddTracingPolicyRequest request;
  request.set_yaml(yaml);
  AddTracingPolicyResponse response;
  return stub.AddTracingPolicy(&context, request, &response);
}

grpc::Status configure(FineGuidanceSensors::Stub& stub, const std::string& name, std::optional<bool> enable,
                       std::optional<TracingPolicyMode> mode) {
  grpc::ClientContext context;
  ConfigureTracingPolicyRequest request;
  request.set_name(name);
  if (enable) request.set_enable(*enable);
  if (mode) request.set_mode(*mode);
  ConfigureTracingPolicyResponse response;
  return stub.ConfigureTracingPolicy(&context, request, &response);
}

TracingPolicyStatus only(FineGuidanceSensors::Stub& stub) {
  grpc::ClientContext context;
  ListTracingPoliciesResponse response;
  REQUIRE(stub.ListTracingPolicies(&context, {}, &response).ok());
  REQUIRE(response.policies_size() == 1);
  return response.policies(0);
}

TEST_CASE("a policy comes, is listed, changed and goes over the API") {
  Served served;
  const Stub stub = served.stub();
  REQUIRE(add(*stub, policy_yaml("one", {"some_function"})).ok());
  served.kernel.events = 3;
  TracingPolicyStatus status = only(*stub);
  CHECK(status.name() == "one");
  CHECK(status.state() == TP_STATE_ENABLED);
  CHECK(status.enabled());
  CHECK(status.mode() == TP_MODE_MONITOR_ONLY);
  CHECK(status.info() == "kprobes[0] some_function: backend=fake: a test");
  CHECK(status.kernel_memory_bytes() == 1000);
  CHECK(status.stats().action_counters().post() == 3);
  REQUIRE(status.sensors_size() == 1);
  CHECK(status.sensors(0) == "generic_kprobe");

  REQUIRE(configure(*stub, "one", false, std::nullopt).ok());
  status = only(*stub);
  CHECK(status.state() == TP_STATE_DISABLED);
  CHECK(status.mode() == TP_MODE_UNKNOWN);
  CHECK(!status.has_stats());
  CHECK(served.kernel.attached.empty());
  REQUIRE(configure(*stub, "one", true, TP_MODE_MONITOR).ok());
  CHECK(served.kernel.attached.size() == 1);

  grpc::ClientContext context;
  DeleteTracingPolicyRequest request;
  request.set_name("one");
  DeleteTracingPolicyResponse response;
  REQUIRE(stub->DeleteTracingPolicy(&context, request, &response).ok());
  CHECK(served.kernel.attached.empty());
}

TEST_CASE("a policy that cannot be loaded is refused with the reason and listed with it") {
  Served served;
  const Stub stub = served.stub();
  const grpc::Status added = add(*stub, policy_yaml("one", {"no_such_function"}));
  CHECK(added.error_code() == grpc::StatusCode::UNKNOWN);
  CHECK(added.error_message().find("the kernel has no no_such_function") != std::string::npos);
  const TracingPolicyStatus status = only(*stub);
  CHECK(status.state() == TP_STATE_LOAD_ERROR);
  CHECK(status.error().find("the kernel has no no_such_function") != std::string::npos);
}

TEST_CASE("modes that cannot be set, and the old calls") {
  Served served;
  const Stub stub = served.stub();
  REQUIRE(add(*stub, policy_yaml("one", {"f"})).ok());
  CHECK(configure(*stub, "one", std::nullopt, TP_MODE_MONITOR_ONLY).error_code() == grpc::StatusCode::UNKNOWN);
  CHECK(configure(*stub, "one", std::nullopt, TP_MODE_ENFORCE).error_message().find("monitor_only") !=
        std::string::npos);
  CHECK(configure(*stub, "none", true, std::nullopt).error_message().find("no tracing policy") != std::string::npos);

  DisableTracingPolicyRequest request;
  request.set_name("one");
  DisableTracingPolicyResponse response;
  {
    grpc::ClientContext context;
    const grpc::Status refused = stub->DisableTracingPolicy(&context, request, &response);
    CHECK(refused.error_message().find("enable-deprecated-tracingpolicy-grpc") != std::string::npos);
  }
  served.api.deprecated_policy_calls = true;
  grpc::ClientContext context;
  CHECK(stub->DisableTracingPolicy(&context, request, &response).ok());
  CHECK(only(*stub).state() == TP_STATE_DISABLED);
}

}  // namespace
}  // namespace tetragon::control
