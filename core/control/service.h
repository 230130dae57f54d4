// SPDX-License-Identifier: Apache-2.0
#pragma once

// The calls of tetragon.FineGuidanceSensors that this version answers; the rest is UNIMPLEMENTED.

#include "core/control/api.h"
#include "core/control/event_stream.h"
#include "tetragon/sensors.grpc.pb.h"

namespace tetragon::control {

// GetEvents works on raw bytes: events are encoded already. All calls use the callback API, so no thread waits for one.
using Sensors = FineGuidanceSensors;
using ServiceBase = Sensors::WithRawCallbackMethod_GetEvents<Sensors::WithCallbackMethod_GetHealth<
    Sensors::WithCallbackMethod_AddTracingPolicy<Sensors::WithCallbackMethod_DeleteTracingPolicy<
        Sensors::WithCallbackMethod_ListTracingPolicies<Sensors::WithCallbackMethod_ConfigureTracingPolicy<
            Sensors::WithCallbackMethod_EnableTracingPolicy<Sensors::WithCallbackMethod_DisableTracingPolicy<
                Sensors::WithCallbackMethod_ListSensors<Sensors::WithCallbackMethod_EnableSensor<
                    Sensors::WithCallbackMethod_DisableSensor<Sensors::WithCallbackMethod_RemoveSensor<
                        Sensors::WithCallbackMethod_GetVersion<Sensors::WithCallbackMethod_GetInfo<
                            Sensors::WithCallbackMethod_RuntimeHook<Sensors::WithCallbackMethod_GetDebug<
                                Sensors::WithCallbackMethod_SetDebug<Sensors::Service>>>>>>>>>>>>>>>>>;

class Service final : public ServiceBase {
 public:
  explicit Service(const Api& api) : api_(api) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  grpc::ServerWriteReactor<grpc::ByteBuffer>* GetEvents(Context* context, const grpc::ByteBuffer* request) override {
    return start_event_stream(api_, feeder_, context, *request);
  }
  Reactor* GetHealth(Context* context, const GetHealthStatusRequest* request,
                     GetHealthStatusResponse* response) override;
  Reactor* ListSensors(Context* context, const ListSensorsRequest* request, ListSensorsResponse* response) override;
  Reactor* GetVersion(Context* context, const GetVersionRequest* request, GetVersionResponse* response) override;
  Reactor* GetInfo(Context* context, const GetInfoRequest* request, GetInfoResponse* response) override;
  Reactor* GetDebug(Context* context, const GetDebugRequest* request, GetDebugResponse* response) override;
  Reactor* SetDebug(Context* context, const SetDebugRequest* request, SetDebugResponse* response) override;

  Reactor* AddTracingPolicy(Context* context, const AddTracingPolicyRequest* request,
                            AddTracingPolicyResponse* response) override;
  Reactor* DeleteTracingPolicy(Context* context, const DeleteTracingPolicyRequest* request,
                               DeleteTracingPolicyResponse* response) override;
  Reactor* ListTracingPolicies(Context* context, const ListTracingPoliciesRequest* request,
                               ListTracingPoliciesResponse* response) override;
  Reactor* ConfigureTracingPolicy(Context* context, const ConfigureTracingPolicyRequest* request,
                                  ConfigureTracingPolicyResponse* response) override;
  Reactor* EnableTracingPolicy(Context* context, const EnableTracingPolicyRequest* request,
                               EnableTracingPolicyResponse* response) override;
  Reactor* DisableTracingPolicy(Context* context, const DisableTracingPolicyRequest* request,
                                DisableTracingPolicyResponse* response) override;
  Result<void> old_enable(const std::string& name, const std::string& namespace_, bool on);
  policy::Manager& policies() const { return api_.policies; }

  const Api& api_;
  Feeder feeder_;
};

}  // namespace tetragon::control
