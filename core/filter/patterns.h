// SPDX-License-Identifier: Apache-2.0
#pragma once

// The regular expressions of one filter list: matches when any of them is found in the text.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace re2 {
class RE2;
}

namespace tetragon::filter {

class Patterns {
 public:
  Patterns();
  ~Patterns();
  Patterns(Patterns&&) noexcept;
  Patterns& operator=(Patterns&&) noexcept;

  // Adds one expression. The error says why it is not one.
  Result<void> add(const std::string& regex);
  // Call once after the last add(): joins what was added.
  Result<void> finish();

  bool empty() const { return plain_.empty() && regexes_.empty() && sources_.empty(); }
  bool match(std::string_view text) const;

 private:
  // "^/usr/bin/cat$" and its like need no automaton; comparing bytes is five times faster.
  struct Plain {
    std::string text;
    bool at_start = false;
    bool at_end = false;
  };

  static bool as_plain(std::string_view regex, Plain& ret_plain);

  std::vector<Plain> plain_;
  std::vector<std::string> sources_;
  std::vector<std::unique_ptr<re2::RE2>> regexes_;
};

// Compiles one expression with the options all filters use.
Result<std::unique_ptr<re2::RE2>> compile_regex(const std::string& regex, bool captures);

}  // namespace tetragon::filter
