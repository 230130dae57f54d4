// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/policy_table.h"
#include "core/cli/policy_yaml.h"
#include "core/cli/text.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

const Option mode_option{"mode", 'm', "MODE", "", "enforce or monitor", false, {"enforce", "monitor"}};
const Option namespace_option{"namespace", 'n', "NAMESPACE", "", "namespace of the policy; none for a global one"};

template <class Request, class Response>
Result<Response> ask(Context& context, std::string_view method, const Request& request) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  Response response;
  TETRAGON_TRY(Client(std::move(*options)).call(method, request, response));
  return response;
}

Result<std::string> read_policy(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) {
    return errno_error("policy file " + escaped(path), errno != 0 ? errno : EIO);
  }
  return text.str();
}

// The file, with --mode applied.
Result<std::string> policy_of(const Context& context) {
  auto yaml = read_policy(context.arguments[0]);
  if (!yaml || !context.options.given("mode")) {
    return yaml;
  }
  return with_policy_mode(*yaml, context.options.value("mode"), escaped(context.arguments[0]));
}

std::string quoted(const std::string& name) {
  return "\"" + escaped(name) + "\"";
}

Result<int> add(Context& context) {
  auto yaml = policy_of(context);
  if (!yaml) {
    return std::move(yaml).error();
  }
  tetragon::AddTracingPolicyRequest request;
  request.set_yaml(std::move(*yaml));
  auto done =
      ask<tetragon::AddTracingPolicyRequest, tetragon::AddTracingPolicyResponse>(context, "AddTracingPolicy", request);
  if (!done) {
    return std::move(done).error().with_context("tracing policy " + quoted(context.arguments[0]) + " was not added");
  }
  context.out << "tracing policy " << quoted(context.arguments[0]) << " added\n";
  return 0;
}

Result<int> modify(Context& context) {
  auto yaml = policy_of(context);
  if (!yaml) {
    return std::move(yaml).error();
  }
  context.out << *yaml;
  return 0;
}

Result<int> remove(Context& context) {
  tetragon::DeleteTracingPolicyRequest request;
  request.set_name(context.arguments[0]);
  request.set_namespace_(context.options.value("namespace"));
  auto done = ask<tetragon::DeleteTracingPolicyRequest, tetragon::DeleteTracingPolicyResponse>(
      context, "DeleteTracingPolicy", request);
  if (!done) {
    return std::move(done).error().with_context("tracing policy " + quoted(context.arguments[0]) + " was not deleted");
  }
  context.out << "tracing policy " << quoted(context.arguments[0]) << " deleted\n";
  return 0;
}

Result<int> configure(Context& context, tetragon::ConfigureTracingPolicyRequest request, const std::string& done_text) {
  request.set_name(context.arguments[0]);
  request.set_namespace_(context.options.value("namespace"));
  auto done = ask<tetragon::ConfigureTracingPolicyRequest, tetragon::ConfigureTracingPolicyResponse>(
      context, "ConfigureTracingPolicy", request);
  if (!done) {
    return std::move(done).error().with_context("tracing policy " + quoted(context.arguments[0]) + " was not changed");
  }
  context.out << "tracing policy " << quoted(context.arguments[0]) << " " << done_text << "\n";
  return 0;
}

Result<int> set_enabled(Context& context, bool enable) {
  tetragon::ConfigureTracingPolicyRequest request;
  request.set_enable(enable);
  return configure(context, std::move(request), enable ? "enabled" : "disabled");
}

Result<int> set_mode(Context& context) {
  const std::string& mode = context.arguments[1];
  tetragon::ConfigureTracingPolicyRequest request;
  if (mode == "enforce") {
    request.set_mode(tetragon::TP_MODE_ENFORCE);
  } else if (mode == "monitor") {
    request.set_mode(tetragon::TP_MODE_MONITOR);
  } else {
    return Error(Code::invalid, "'" + escaped(mode) + "' is not a mode; use enforce or monitor");
  }
  return configure(context, std::move(request), "set to mode \"" + mode + "\"");
}

Result<int> list(Context& context) {
  auto policies = ask<tetragon::ListTracingPoliciesRequest, tetragon::ListTracingPoliciesResponse>(
      context, "ListTracingPolicies", {});
  if (!policies) {
    return std::move(policies).error();
  }
  if (context.options.value("output") == "json") {
    google::protobuf::util::JsonPrintOptions printing;
    printing.preserve_proto_field_names = true;
    std::string text;
    if (auto status = google::protobuf::util::MessageToJsonString(*policies, &text, printing); !status.ok()) {
      return Error(Code::invalid, "printing the policies as JSON: " + std::string(status.message()));
    }
    context.out << text << "\n";
    return 0;
  }
  context.out << policy_table(*policies);
  context.out.flush();
  // The table has no place for reasons, and a policy that failed needs one.
  for (const auto& policy : policies->policies()) {
    if (!policy.error().empty()) {
      context.err << "policy " << quoted(policy.name()) << ": " << escaped(policy.error()) << "\n";
    }
  }
  return 0;
}

Command named(std::string name, std::string summary, std::vector<Option> options,
              std::function<Result<int>(Context&)> run, std::string argument = "NAME") {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .arguments = std::move(argument),
          .min_arguments = 1,
          .max_arguments = 1,
          .options = std::move(options),
          .run = std::move(run)};
}

}  // namespace

Command tracingpolicy_command() {
  return {
      .name = "tracingpolicy",
      .aliases = {"tp"},
      .summary = "list, add, remove and change tracing policies",
      .children = {{.name = "list",
                    .summary = "list the policies of the daemon",
                    .options = {{"output", 'o', "FORMAT", "text", "text or json", false, {"text", "json"}}},
                    .run = list},
                   named("add", "load a policy file into the daemon", {mode_option}, add, "FILE"),
                   named("delete", "remove a policy", {namespace_option}, remove),
                   named("enable", "enable a policy", {namespace_option},
                         [](Context& c) { return set_enabled(c, true); }),
                   named("disable", "disable a policy", {namespace_option},
                         [](Context& c) { return set_enabled(c, false); }),
                   {.name = "set-mode",
                    .summary = "let a policy enforce, or only monitor",
                    .arguments = "NAME enforce|monitor",
                    .min_arguments = 2,
                    .max_arguments = 2,
                    .argument_words = {"enforce", "monitor"},
                    .options = {namespace_option},
                    .run = set_mode},
                   named("modify", "print a policy file with another mode", {mode_option}, modify, "FILE"),
                   generate_command(),
                   policy_validate_command(),
                   policy_schema_command()},
  };
}

}  // namespace tetragon::cli
