// SPDX-License-Identifier: Apache-2.0
#include "core/filter/redaction.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "core/filter/json_objects.h"
#include "core/filter/patterns.h"
#include "core/util/strings.h"
#include "tetragon/events.pb.h"

namespace tetragon::filter {
namespace {

constexpr std::string_view replacement = "*****";

// Replaces what the groups of each match captured. A group inside a replaced one is gone already.
bool hide_groups(const re2::RE2& regex, std::string& text) {
  const int groups = regex.NumberOfCapturingGroups();
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(groups) + 1);
  const re2::StringPiece whole(text);
  std::string out;
  std::size_t copied = 0;  // text before this offset is in out
  std::size_t at = 0;
  bool changed = false;
  while (at <= text.size() && regex.Match(whole, at, text.size(), re2::RE2::UNANCHORED, found.data(), groups + 1)) {
    for (int i = 1; i <= groups; ++i) {
      const re2::StringPiece& group = found[static_cast<std::size_t>(i)];
      if (group.data() == nullptr) {
        continue;
      }
      const auto begin = static_cast<std::size_t>(group.data() - text.data());
      if (begin < copied || (begin == copied && changed && group.empty())) {
        continue;
      }
      out.append(text, copied, begin - copied);
      out += replacement;
      copied = begin + group.size();
      changed = true;
    }
    const auto end = static_cast<std::size_t>(found[0].data() - text.data()) + found[0].size();
    at = end;
    if (found[0].empty()) {
      // Past the whole character, so that the next search does not start in the middle of one.
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) {
        ++at;
      }
    }
  }
  if (!changed) {
    return false;
  }
  out.append(text, copied);
  text = std::move(out);
  return true;
}

bool repair(std::string& text) {
  if (is_utf8(text)) {
    return false;
  }
  text = to_utf8(text);
  return true;
}

}  // namespace

struct RedactionFilters::Filter {
  Patterns binaries;
  bool all_binaries = false;
  std::vector<std::unique_ptr<re2::RE2>> redact;

  bool applies(std::string_view binary) const { return all_binaries || binaries.match(binary); }
};

RedactionFilters::RedactionFilters() = default;
RedactionFilters::~RedactionFilters() = default;
RedactionFilters::RedactionFilters(RedactionFilters&&) noexcept = default;
RedactionFilters& RedactionFilters::operator=(RedactionFilters&&) noexcept = default;

Result<RedactionFilters> RedactionFilters::parse(std::string_view text, std::string_view name) {
  google::protobuf::RepeatedPtrField<tetragon::RedactionFilter> messages;
  TETRAGON_TRY(parse_json_objects(text, name, "redaction filter", [&] { return messages.Add(); }));
  RedactionFilters result;
  for (int i = 0; i < messages.size(); ++i) {
    const tetragon::RedactionFilter& message = messages.Get(i);
    const std::string where = std::string(name) + ": redaction filter " + std::to_string(i + 1);
    auto filter = std::make_unique<Filter>();
    if (message.redact().empty()) {
      return Error(Code::invalid, where + ": redact is empty, so the filter would hide nothing");
    }
    for (int r = 0; r < message.redact_size(); ++r) {
      const std::string field = where + ", redact[" + std::to_string(r) + "]";
      auto regex = compile_regex(message.redact(r), /*captures=*/true);
      if (!regex) {
        return std::move(regex).error().with_context(field);
      }
      if ((*regex)->NumberOfCapturingGroups() == 0) {
        result.warnings_.push_back(field + ": \"" + message.redact(r) + "\" has no capture group, so it hides nothing");
        continue;
      }
      filter->redact.push_back(std::move(regex).value());
    }
    // The deprecated member named binaries too; a match without them is taken as all binaries, hiding rather too much.
    std::vector<std::string> binaries(message.binary_regex().begin(), message.binary_regex().end());
    bool all = message.binary_regex().empty() && message.match().empty();
    for (const tetragon::Filter& match : message.match()) {
      all = all || match.binary_regex().empty();
      binaries.insert(binaries.end(), match.binary_regex().begin(), match.binary_regex().end());
    }
    if (!message.match().empty()) {
      result.warnings_.push_back(where + ": match is deprecated and only its binary_regex is used; write binary_regex");
    }
    filter->all_binaries = all;
    for (const std::string& binary : binaries) {
      if (auto added = filter->binaries.add(binary); !added) {
        return std::move(added).error().with_context(where + ", binary_regex");
      }
    }
    if (auto finished = filter->binaries.finish(); !finished) {
      return std::move(finished).error().with_context(where + ", binary_regex");
    }
    result.filters_.push_back(std::move(filter));
  }
  return result;
}

bool RedactionFilters::redact(std::string_view binary, std::string& arguments) const {
  if (filters_.empty()) {
    return false;
  }
  // An invalid byte ends every RE2 match; a secret must not escape behind one. Export replaces them all the same.
  bool changed = repair(arguments);
  for (const auto& filter : filters_) {
    if (!filter->applies(binary)) {
      continue;
    }
    for (const auto& regex : filter->redact) {
      changed |= hide_groups(*regex, arguments);
    }
  }
  return changed;
}

bool RedactionFilters::redact_environment(std::string_view binary, std::string& entry) const {
  if (filters_.empty()) {
    return false;
  }
  const bool repaired = repair(entry);
  for (const auto& filter : filters_) {
    if (!filter->applies(binary)) {
      continue;
    }
    for (const auto& regex : filter->redact) {
      if (hide_groups(*regex, entry)) {
        return true;
      }
    }
  }
  return repaired;
}

}  // namespace tetragon::filter
