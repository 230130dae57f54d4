// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the parser knows about types before evaluation, so that a misspelt field is an error when a filter is added and
// not an event that never comes.

#include <optional>
#include <string>
#include <string_view>

#include "core/filter/cel/ast.h"

namespace tetragon::filter::cel {

StaticType type_of(const google::protobuf::FieldDescriptor& field, bool element);
// Element of a list, key of a map: what a macro iterates over.
StaticType iterated(const StaticType& range);
// What [] gives.
StaticType indexed(const StaticType& range);
// For error texts: "bool", "tetragon.Process".
std::string type_text(const StaticType& type);

// The member of the event message with this name, nullptr when there is none.
const google::protobuf::FieldDescriptor* find_variable(std::string_view name);
// "did you mean" part for a misspelt variable or field; empty when nothing is near.
std::string suggest_variable(std::string_view name);
std::string suggest_field(const google::protobuf::Descriptor& message, std::string_view name);

// The value of a qualified name that is a type ("int", "google.protobuf.Duration") or an enum constant
// ("tetragon.KprobeAction.KPROBE_ACTION_POST", with or without the package).
std::optional<Value> find_constant(const std::string& name);

// Result type of an arithmetic or ordering operator on known types; nullopt when there is no such overload.
std::optional<Kind> binary_result(Op op, Kind left, Kind right);

}  // namespace tetragon::filter::cel
