// SPDX-License-Identifier: Apache-2.0
#include "core/filter/label_selector.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace tetragon::filter {
namespace {

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The Kubernetes rule for names and values: up to 63 letters, digits, - _ . with a letter or digit at both ends.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return is_name(text);
  }
  const std::string_view prefix = text.substr(0, slash);
  const bool prefix_ok = !prefix.empty() && prefix.size() <= 253 && is_alnum(prefix.front()) &&
                         is_alnum(prefix.back()) && std::all_of(prefix.begin(), prefix.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
                         });
  return prefix_ok && is_name(text.substr(slash + 1));
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

class LabelParser {
 public:
  explicit LabelParser(std::string_view text) : text_(text) {}

  Result<LabelSelector> run() {
    LabelSelector selector;
    skip_space();
    while (at_ < text_.size()) {
      LabelSelector::Requirement requirement;
      TETRAGON_TRY(parse_requirement(requirement));
      selector.requirements_.push_back(std::move(requirement));
      skip_space();
      if (at_ == text_.size()) {
        break;
      }
      if (!take(",")) {
        return fail("expected ',' between requirements");
      }
      skip_space();
      if (at_ == text_.size()) {
        return fail("expected a requirement after ','");
      }
    }
    return selector;
  }

 private:
  using Op = LabelSelector::Op;

  Error fail(std::string_view why) const {
    return Error(Code::invalid, "label selector \"" + std::string(text_) + "\", column " + std::to_string(at_ + 1) +
                                    ": " + std::string(why));
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }

  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) {
      return false;
    }
    at_ += token.size();
    return true;
  }

  std::string_view word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) &&
           std::string_view(",()=!<>").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  Result<void> parse_value(std::vector<std::string>& values) {
    const std::string_view value = word();
    if (!value.empty() && !is_name(value)) {
      return fail("\"" + std::string(value) + "\" is not a label value");
    }
    values.emplace_back(value);
    return {};
  }

  Result<void> parse_list(std::vector<std::string>& values) {
    skip_space();
    if (!take("(")) {
      return fail("expected '(' and a list of values");
    }
    while (true) {
      TETRAGON_TRY(parse_value(values));
      skip_space();
      if (take(")")) {
        return {};
      }
      if (!take(",")) {
        return fail("expected ',' or ')' in the list of values");
      }
    }
  }

  Result<void> parse_requirement(LabelSelector::Requirement& requirement) {
    const bool absent = take("!");
    const std::string_view key = word();
    if (!is_key(key)) {
      return fail("\"" + std::string(key) + "\" is not a label key");
    }
    requirement.key = key;
    skip_space();
    if (absent) {
      requirement.op = Op::absent;
      return {};
    }
    if (take("!=")) {
      requirement.op = Op::not_in;
      return parse_value(requirement.values);
    }
    if (take("==") || take("=")) {
      requirement.op = Op::in;
      return parse_value(requirement.values);
    }
    if (const bool greater = take(">"); greater || take("<")) {
      requirement.op = greater ? Op::greater : Op::less;
      const std::string_view value = word();
      const auto number = to_number(value);
      if (!number) {
        return fail("\"" + std::string(value) + "\" is not an integer");
      }
      requirement.number = *number;
      return {};
    }
    if (at_ == text_.size() || text_[at_] == ',') {
      requirement.op = Op::exists;
      return {};
    }
    const std::string_view op = word();
    if (op == "in" || op == "notin") {
      requirement.op = op == "in" ? Op::in : Op::not_in;
      return parse_list(requirement.values);
    }
    return fail("expected one of = == != in notin < > or ','");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  return LabelParser(text).run();
}

bool LabelSelector::match(const ProcessView& process) const {
  for (const Requirement& requirement : requirements_) {
    std::optional<std::string_view> value;
    if (process.label != nullptr) {
      value = process.label(process.label_context, requirement.key);
    }
    const bool listed =
        value && std::find(requirement.values.begin(), requirement.values.end(), *value) != requirement.values.end();
    bool holds = false;
    switch (requirement.op) {
      case Op::exists: holds = value.has_value(); break;
      case Op::absent: holds = !value.has_value(); break;
      case Op::in: holds = listed; break;
      case Op::not_in: holds = !listed; break;
      case Op::greater:
      case Op::less: {
        const auto number = value ? to_number(*value) : std::nullopt;
        holds = number && (requirement.op == Op::greater ? *number > requirement.number : *number < requirement.number);
        break;
      }
    }
    if (!holds) {
      return false;
    }
  }
  return true;
}

}  // namespace tetragon::filter
