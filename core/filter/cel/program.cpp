// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/program.h"

#include <utility>

#include "core/filter/cel/evaluator.h"
#include "core/filter/cel/parser.h"
#include "tetragon/events.pb.h"

namespace tetragon::filter::cel {
namespace {

Result<bool> run(const Parsed& parsed, const tetragon::GetEventsResponse* event, std::uint64_t steps) {
  Evaluator evaluator(event, parsed.slots, steps);
  const Value value = evaluator.run(*parsed.root);
  if (value.is_error()) {
    return Error(Code::invalid, std::string(value.text()));
  }
  if (!value.is(Kind::boolean)) {
    return Error(Code::invalid, "the expression gives " + std::string(kind_name(value.kind())) + ", not a bool");
  }
  return value.as_bool();
}

}  // namespace

Program::Program(std::unique_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {
  const auto value = run(*parsed_, nullptr, default_steps);
  without_event_ = value && *value;
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

Result<Program> Program::compile(std::string_view source) {
  auto parsed = parse(source);
  if (!parsed) {
    return std::move(parsed).error();
  }
  return Program(std::make_unique<const Parsed>(std::move(parsed).value()));
}

Result<bool> Program::evaluate(const tetragon::GetEventsResponse& event, std::uint64_t steps) const {
  return run(*parsed_, &event, steps);
}

bool Program::names_event(int type) const {
  return parsed_->variables.count(type) != 0;
}

}  // namespace tetragon::filter::cel
