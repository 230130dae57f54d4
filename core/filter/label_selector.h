// SPDX-License-Identifier: Apache-2.0
#pragma once

// Kubernetes label selectors: "app=web,tier in (a, b),!legacy,version!=1,weight>3".

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/filter/event_view.h"
#include "core/util/result.h"

namespace tetragon::filter {

class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);

  // All requirements hold for the labels of process; the caller has checked that it has a pod.
  bool match(const ProcessView& process) const;

 private:
  enum class Op { exists, absent, in, not_in, greater, less };
  struct Requirement {
    Op op = Op::exists;
    std::string key;
    std::vector<std::string> values;
    std::int64_t number = 0;
  };
  friend class LabelParser;

  std::vector<Requirement> requirements_;
};

}  // namespace tetragon::filter
