// SPDX-License-Identifier: Apache-2.0
// The calls about tracing policies. Plain errors are UNKNOWN with a text, as Tetragon's handlers answer.
#include "core/control/service.h"
#include "core/policy/manager.h"
#include "core/util/log.h"

namespace tetragon::control {
namespace {

grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const Result<void>& result) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(result.ok() ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNKNOWN, result.error().message()));
  return reactor;
}

TracingPolicyState to_proto(policy::State state) {
  switch (state) {
    case policy::State::enabled: return TP_STATE_ENABLED;
    case policy::State::disabled: return TP_STATE_DISABLED;
    case policy::State::load_error: return TP_STATE_LOAD_ERROR;
  }
  return TP_STATE_UNKNOWN;
}

TracingPolicyMode to_proto(policy::Mode mode) {
  switch (mode) {
    case policy::Mode::enforce: return TP_MODE_ENFORCE;
    case policy::Mode::monitor: return TP_MODE_MONITOR;
    case policy::Mode::monitor_only: return TP_MODE_MONITOR_ONLY;
    case policy::Mode::unknown: break;
  }
  return TP_MODE_UNKNOWN;
}

// "kprobes[0] security_file_open: backend=fentry: …", a line a hook: which way each was taken, and why.
std::string info_text(const policy::PolicyStatus& status) {
  std::string text;
  for (const policy::HookStatus& hook : status.hooks) {
    text += (text.empty() ? "" : "\n") + hook.description + ":";
    for (const auto& [key, value] : hook.said) text += " " + key + "=" + value;
  }
  const auto add = [&](std::string_view what, uint64_t count) {
    if (count != 0) text += (text.empty() ? "" : "\n") + std::string(what) + ": " + std::to_string(count);
  };
  // The API has no fields for words that it does not know.
  add("plugins' own actions done", status.actions.done[TG_ACTION_UNKNOWN]);
  add("plugins' own actions left out in monitor mode", status.actions.monitored[TG_ACTION_UNKNOWN]);
  uint64_t failed = 0;
  for (const uint64_t one : status.actions.failed) failed += one;
  add("actions that failed", failed);
  add("actions kept from pid 1 and from the daemon", status.actions.spared);
  add("actions lost: a program of the chain was missing", status.actions.broken);
  add("actions lost: no work space", status.actions.unclaimed);
  add("events held back by a rateLimit", status.actions.limited);
  for (const std::string& note : status.notes) text += (text.empty() ? "" : "\n") + note;
  return text;
}

void fill_counters(const policy::PolicyStatus& status, TracingPolicyActionCounters& to) {
  const tg_action_counts& from = status.actions;
  to.set_post(status.posts);
  to.set_signal(from.done[TG_ACTION_SIGKILL] + from.done[TG_ACTION_SIGNAL]);
  to.set_monitor_signal(from.monitored[TG_ACTION_SIGKILL] + from.monitored[TG_ACTION_SIGNAL]);
  to.set_override(from.done[TG_ACTION_OVERRIDE]);
  to.set_monitor_override(from.monitored[TG_ACTION_OVERRIDE]);
  to.set_notify_enforcer(from.done[TG_ACTION_NOTIFYENFORCER]);
  to.set_monitor_notify_enforcer(from.monitored[TG_ACTION_NOTIFYENFORCER]);
  to.set_set(from.done[TG_ACTION_SET]);
  to.set_monitor_set(from.monitored[TG_ACTION_SET]);
}

// Nothing but one of the two modes can be asked for.
Result<policy::Mode> mode_of(TracingPolicyMode mode) {
  if (mode == TP_MODE_ENFORCE) return policy::Mode::enforce;
  if (mode == TP_MODE_MONITOR) return policy::Mode::monitor;
  return Error(Code::invalid,
               "mode " + std::to_string(mode) + " cannot be set, only TP_MODE_ENFORCE and TP_MODE_MONITOR");
}

}  // namespace

Service::Reactor* Service::AddTracingPolicy(Context* context, const AddTracingPolicyRequest* request,
                                            AddTracingPolicyResponse*) {
  return answer(context, policies().add(request->yaml(), /* file= */ {}));
}

Service::Reactor* Service::DeleteTracingPolicy(Context* context, const DeleteTracingPolicyRequest* request,
                                               DeleteTracingPolicyResponse*) {
  return answer(context, policies().remove(request->name(), request->namespace_()));
}

Service::Reactor* Service::ListTracingPolicies(Context* context, const ListTracingPoliciesRequest*,
                                               ListTracingPoliciesResponse* response) {
  for (const policy::PolicyStatus& status : policies().list()) {
    auto* item = response->add_policies();
    item->set_id(status.id);
    item->set_name(status.name);
    item->set_namespace_(status.namespace_);
    item->set_info(info_text(status));
    for (const std::string& sensor : status.sensors) item->add_sensors(sensor);
    item->set_enabled(status.state == policy::State::enabled);
    item->set_error(status.error);
    item->set_state(to_proto(status.state));
    item->set_kernel_memory_bytes(status.kernel_memory);
    item->set_mode(to_proto(status.mode));
    if (status.state == policy::State::enabled) {
      fill_counters(status, *item->mutable_stats()->mutable_action_counters());
    }
  }
  return answer(context, {});
}

Service::Reactor* Service::ConfigureTracingPolicy(Context* context, const ConfigureTracingPolicyRequest* request,
                                                  ConfigureTracingPolicyResponse*) {
  if (request->has_mode()) {
    const auto mode = mode_of(request->mode());
    if (!mode.ok()) return answer(context, mode.error());
    if (auto set = policies().set_mode(request->name(), request->namespace_(), *mode); !set.ok()) {
      return answer(context, set);
    }
  }
  if (request->has_enable()) {
    return answer(context, policies().enable(request->name(), request->namespace_(), request->enable()));
  }
  return answer(context, {});
}

Service::Reactor* Service::EnableTracingPolicy(Context* context, const EnableTracingPolicyRequest* request,
                                               EnableTracingPolicyResponse*) {
  return answer(context, old_enable(request->name(), request->namespace_(), true));
}

Service::Reactor* Service::DisableTracingPolicy(Context* context, const DisableTracingPolicyRequest* request,
                                                DisableTracingPolicyResponse*) {
  return answer(context, old_enable(request->name(), request->namespace_(), false));
}

Result<void> Service::old_enable(const std::string& name, const std::string& namespace_, bool on) {
  if (!api_.deprecated_policy_calls) {
    return Error(Code::unsupported, std::string(on ? "EnableTracingPolicy" : "DisableTracingPolicy") +
                                        " is deprecated: use ConfigureTracingPolicy, or start the daemon with "
                                        "--enable-deprecated-tracingpolicy-grpc");
  }
  return policies().enable(name, namespace_, on);
}

}  // namespace tetragon::control
