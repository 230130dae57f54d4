// SPDX-License-Identifier: Apache-2.0
#include "core/cli/policy_yaml.h"

#include <yaml-cpp/yaml.h>

namespace tetragon::cli {

Result<std::string> with_policy_mode(const std::string& yaml, const std::string& mode, const std::string& name) {
  try {
    YAML::Node policy = YAML::Load(yaml);
    if (!policy.IsMap() || !policy["spec"].IsMap()) {
      return Error(Code::invalid,
                   name + ": no 'spec' mapping, so this is not a tracing policy; the mode cannot be set");
    }
    YAML::Node options = policy["spec"]["options"];
    if (options.IsDefined() && !options.IsNull() && !options.IsSequence()) {
      return Error(Code::invalid, name + ":" + std::to_string(options.Mark().line + 1) +
                                      ": spec.options is not a list; the mode cannot be set");
    }
    bool replaced = false;
    for (YAML::Node option : options) {
      if (option.IsMap() && option["name"].IsScalar() && option["name"].Scalar() == "policy-mode") {
        option["value"] = mode;
        replaced = true;
      }
    }
    if (!replaced) {
      YAML::Node option;
      option["name"] = "policy-mode";
      option["value"] = mode;
      policy["spec"]["options"].push_back(option);
    }
    YAML::Emitter out;
    out << policy;
    return std::string(out.c_str()) + "\n";
  } catch (const YAML::Exception& problem) {
    return Error(Code::invalid, name + ":" + std::to_string(problem.mark.line + 1) + ":" +
                                    std::to_string(problem.mark.column + 1) + ": " + problem.msg);
  }
}

}  // namespace tetragon::cli
