// SPDX-License-Identifier: Apache-2.0
#pragma once

// Redaction filters: what regular expressions capture in arguments and environment values becomes "*****". Applied
// once, when a process enters the cache, so that no consumer ever sees the secret.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::filter {

class RedactionFilters {
 public:
  RedactionFilters();  // changes nothing
  ~RedactionFilters();
  RedactionFilters(RedactionFilters&&) noexcept;
  RedactionFilters& operator=(RedactionFilters&&) noexcept;

  // From concatenated JSON objects; name is the option, for error texts.
  static Result<RedactionFilters> parse(std::string_view text, std::string_view name = "redaction-filters");

  bool empty() const { return filters_.empty(); }
  // Things that are legal and probably not meant, such as an expression without a capture group. For the log.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // All filters whose binary expressions match, in order, each with all its expressions. True when changed. Const use
  // from several threads is safe.
  bool redact(std::string_view binary, std::string& arguments) const;
  // One "NAME=VALUE" string: only the first expression that changes it applies.
  bool redact_environment(std::string_view binary, std::string& entry) const;

 private:
  struct Filter;

  std::vector<std::unique_ptr<Filter>> filters_;
  std::vector<std::string> warnings_;
};

}  // namespace tetragon::filter
