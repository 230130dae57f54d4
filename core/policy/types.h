// SPDX-License-Identifier: Apache-2.0
#pragma once

// The words of the policy language: argument types, operators, actions, options. Validation, the JSON schema and the
// compiler read these tables; nothing else knows the lists.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/hook/arg_type.h"
#include "core/policy/model.h"
#include "core/util/result.h"

namespace tetragon::policy {

// What a type compares like: decides which operators it takes. Bits, so that an operator can name several.
enum Group : uint32_t {
  group_none = 0,
  group_number = 1,
  group_capabilities = 2,  // sets of capabilities
  group_text = 4,
  group_path = 8,
  group_network = 16,  // sock, socket, skb
  group_sockaddr = 32,
  group_sockaddr_un = 64,
};

constexpr uint32_t section_bit(Section section) noexcept {
  return 1U << static_cast<uint32_t>(section);
}
constexpr uint32_t in_kprobes = section_bit(Section::kprobes), in_fentries = section_bit(Section::fentries),
                   in_tracepoints = section_bit(Section::tracepoints), in_uprobes = section_bit(Section::uprobes),
                   in_usdts = section_bit(Section::usdts), in_lsmhooks = section_bit(Section::lsmhooks), in_all = 63;

struct ArgumentType {
  hook::ArgType type;
  tg_type engine;
  uint8_t width = 0;  // numbers: bytes
  bool is_signed = false;
  Group group = group_none;
  uint32_t sections = in_all;
  std::string_view help = {};
};

std::span<const ArgumentType> argument_types() noexcept;
// By any spelling; null for types that are not ours.
const ArgumentType* find_argument_type(std::string_view name) noexcept;

enum class ValueKind {
  none,
  number,
  range,  // min:max
  set,    // decimal numbers, a:b, list:NAME
  text,
  prefix,  // text, at most 256 bytes
  postfix,
  substring,
  address,
  port,
  protocol,
  family,
  state,
  file_type,
  expression,
};

struct Operator {
  std::string_view name;
  std::vector<std::string_view> other;  // further spellings
  uint32_t groups;                      // Group bits of matchArgs; 0: only elsewhere (In, NotIn)
  ValueKind value;
  uint32_t at_most = 0;  // values; 0: any number
  bool negated = false;
  std::string_view help = {};
};

std::span<const Operator> operators() noexcept;
// By any spelling, without regard to case; null when there is none.
const Operator* find_operator(std::string_view name) noexcept;

enum ActionField : uint32_t {
  field_error = 1,
  field_sig = 2,
  field_fd = 4,
  field_name = 8,
  field_url = 16,
  field_fqdn = 32,
  field_sock = 64,
  field_rate = 128,
  field_stack = 256,
  field_ima = 512,
  field_regs = 1024,
  field_index = 2048,
  field_value = 4096,
};

struct ActionType {
  std::string_view name;
  std::string_view other;  // older spelling
  uint32_t fields;         // ActionField bits that it reads
  uint32_t required;       // of these
  uint32_t sections;
  bool enforces;
  std::string_view help;
};

std::span<const ActionType> actions() noexcept;
const ActionType* find_action(std::string_view name) noexcept;

struct OptionType {
  std::string_view name;
  std::vector<std::string_view> values;  // empty: a bool
  std::string_view help;
};
std::span<const OptionType> option_types() noexcept;

// What plugins add to the language.
struct Vocabulary {
  struct Type {
    std::string name;
    Group group = group_none;  // group_number or group_text, or none
    bool is_signed = false;
  };
  struct Operator {
    std::string name;
    Group group = group_none;
    std::string lower;  // the built-in operator that stands for it
    // One value of the policy, as values of `lower`.
    std::function<Result<std::vector<std::string>>(std::string_view)> parse;
  };
  std::vector<Type> types;
  std::vector<Operator> operators;
  std::vector<std::string> sections;  // served by a plugin: spec.<name>
  struct Action {
    std::string name;
    bool kernel = false;    // else the daemon does it
    bool enforces = false;  // not in monitor mode
    bool verdict = false;   // may answer in the place of what is hooked
  };
  std::vector<Action> actions;

  const Type* find_type(std::string_view name) const noexcept;
  const Operator* find_operator(std::string_view name) const noexcept;
  bool has_section(std::string_view name) const noexcept;
  const Action* find_action(std::string_view name) const noexcept;
};

// The group of a type, built in or of a plugin; group_none when unknown.
Group group_of(std::string_view type, const Vocabulary& vocabulary) noexcept;
// "Equal, NotEqual, ..." that the group takes.
std::vector<std::string_view> operators_of(Group group, const Vocabulary& vocabulary);

}  // namespace tetragon::policy
