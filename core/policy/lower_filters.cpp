// SPDX-License-Identifier: Apache-2.0
// matchArgs, matchData, matchReturnArgs: operators of the language to the engine's primitives and sets.
#include <algorithm>
#include <cstring>

#include "core/kernel/syscalls.h"
#include "core/policy/cel.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {

namespace {

std::string value_field(const std::string& field, size_t n) {
  return field + ".values[" + std::to_string(n) + "]";
}

bool below(uint64_t a, uint64_t b, bool is_signed) {
  return is_signed ? static_cast<int64_t>(a) < static_cast<int64_t>(b) : a < b;
}

}  // namespace

// The value that a filter looks at; NULL after an error.
HookValue* HookCompiler::filter_value(const ArgSelector& filter, const std::string& field, Part part) {
  std::vector<HookValue>& values = part == Part::data ? data_ : args_;
  HookValue* found = nullptr;
  if (part == Part::ret) {
    found = ret_ ? &*ret_ : nullptr;
  } else if (!filter.args.empty()) {
    found = *filter.args[0] < values.size() ? &values[*filter.args[0]] : nullptr;
  } else if (part == Part::data) {
    found = *filter.index < values.size() ? &values[*filter.index] : nullptr;
  } else {
    const auto it = std::find_if(values.begin(), values.end(),
                                 [&](const HookValue& one) { return *one.arg->index == *filter.index; });
    found = it == values.end() ? nullptr : &*it;
  }
  if (found == nullptr || found->slot < 0) {
    error(filter.place, field,
          found == nullptr ? "it names no argument of the hook" : "arguments of type nop have no value");
    return nullptr;
  }
  return found;
}

void HookCompiler::lower_filter(const ArgSelector& filter, const std::string& field, Part part, tg_filter& out) {
  HookValue* value = filter_value(filter, field, part);
  if (value == nullptr) {
    return;
  }
  tg_slot_config& slot = compiled_.config.slots[value->slot];
  out = {};
  out.slot = static_cast<uint8_t>(value->slot);
  if (part != Part::ret) {
    if ((slot.flags & TG_SLOT_AT_RETURN) != 0) {
      error(filter.place, field,
            "the decision is made at entry, but this argument is read at return (returnCopy); filter another one");
      return;
    }
    slot.flags |= TG_SLOT_FILTER;
  }

  // An operator of a plugin stands for one of ours.
  std::vector<std::string> values;
  std::string_view name = *filter.op;
  const Operator* op = find_operator(name);
  if (op == nullptr) {
    const Vocabulary::Operator* added = vocabulary_.find_operator(name);
    op = added == nullptr ? nullptr : find_operator(added->lower);
    if (op == nullptr) {
      error(filter.op.place, field + ".operator",
            "operator " + quoted(name) + " needs a plugin that is not installed; it is none of the built-in ones");
      return;
    }
    for (size_t n = 0; n < filter.values.size(); ++n) {
      auto lowered = added->parse(*filter.values[n]);
      if (!lowered.ok()) {
        error(filter.values[n].place, value_field(field, n), lowered.error().message());
        return;
      }
      values.insert(values.end(), lowered->begin(), lowered->end());
    }
  } else {
    for (const auto& one : filter.values) {
      values.push_back(*one);
    }
  }
  name = op->name;
  if ((op->groups & value->group) == 0) {
    error(filter.op.place, field + ".operator",
          std::string(name) + " does not compare the type " + value->type_name +
              ", which this argument turned out to have");
    return;
  }
  if (op->negated) {
    out.flags |= TG_FILTER_NOT;
  }

  switch (op->value) {
    case ValueKind::expression: lower_expression(filter, field, out); return;
    case ValueKind::text:
    case ValueKind::prefix:
    case ValueKind::postfix:
    case ValueKind::substring: lower_text(filter, field, name, values, *value, out); return;
    case ValueKind::address:
    case ValueKind::port:
    case ValueKind::protocol:
    case ValueKind::family:
    case ValueKind::state: lower_network(filter, field, name, values, out); return;
    case ValueKind::file_type:
      out.op = TG_OP_FILE_TYPE;
      for (const std::string& one : values) {
        auto bits = parse_file_type(one);
        if (bits.ok() && out.value_count < TG_HOOK_VALUES) {
          out.values[out.value_count++] = *bits;
        }
      }
      return;
    case ValueKind::none:
      if (name != "CapabilitiesGained") {
        lower_network(filter, field, name, values, out);
        return;
      }
      out.op = TG_OP_CAPS_GAINED;
      if (filter.args.size() == 2) {
        const std::vector<HookValue>& all = part == Part::data ? data_ : args_;
        const HookValue* old = *filter.args[1] < all.size() ? &all[*filter.args[1]] : nullptr;
        if (old == nullptr || old->slot < 0 || old->engine != TG_TYPE_CAP_SET) {
          error(filter.place, field + ".args", "the second one is no set of capabilities");
          return;
        }
        out.slot2 = static_cast<uint8_t>(old->slot);
        compiled_.config.slots[old->slot].flags |= TG_SLOT_FILTER;
      }
      return;
    case ValueKind::number:
      if (value->group != group_number && value->group != group_capabilities) {
        lower_text(filter, field, name, values, *value, out);
        return;
      }
      break;
    default: break;
  }
  lower_number(filter, field, name, values, *value, out);
}

// ---- numbers
// ----------------------------------------------------------------------------------------------------------

void HookCompiler::number_set(const std::vector<uint64_t>& numbers, tg_filter& out) {
  out.op = TG_OP_IN_SET;
  out.set = next_set_++;
  for (const uint64_t number : numbers) {
    compiled_.sets.numbers.emplace_back(out.set, number);
  }
}

// Pairs when they fit, else every number of them.
void HookCompiler::put_ranges(std::vector<Range> ranges, bool is_signed, uint8_t op, tg_filter& out) {
  std::sort(ranges.begin(), ranges.end(),
            [&](const Range& a, const Range& b) { return below(a.low, b.low, is_signed); });
  std::vector<Range> joined;
  for (const Range& range : ranges) {
    // Neighbours become one; the largest number has none above it.
    if (!joined.empty() && (!below(joined.back().high, range.low, is_signed) || joined.back().high + 1 == range.low)) {
      if (below(joined.back().high, range.high, is_signed)) {
        joined.back().high = range.high;
      }
    } else {
      joined.push_back(range);
    }
  }
  if (joined.size() * 2 <= TG_HOOK_VALUES) {
    out.op = op;
    for (const Range& range : joined) {
      out.values[out.value_count++] = range.low;
      out.values[out.value_count++] = range.high;
    }
    return;
  }
  std::vector<uint64_t> numbers;
  for (const Range& range : joined) {
    for (uint64_t number = range.low;; ++number) {
      numbers.push_back(number);
      if (number == range.high) {
        break;
      }
    }
  }
  number_set(numbers, out);
  if (op != TG_OP_RANGE) {
    out.op = op;  // ports look at their set themselves
  }
}

void HookCompiler::lower_set(const ArgSelector& filter, const std::string& field,
                             const std::vector<std::string>& values, NumberFormat format, tg_filter& out) {
  std::vector<Range> ranges;
  uint64_t total = 0;
  for (size_t n = 0; n < values.size(); ++n) {
    const Place place = n < filter.values.size() ? filter.values[n].place : filter.place;
    const std::string_view name = list_reference(values[n]);
    if (name.empty()) {
      auto range = parse_number_or_range(values[n], format);
      if (!range.ok()) {
        error(place, value_field(field, n), range.error().message());
        return;
      }
      total += std::min<uint64_t>(range->high - range->low, max_set_numbers) + 1;
      ranges.push_back(*range);
      continue;
    }
    const List* list = policy_.find_list(name);
    if (list == nullptr) {
      error(place, value_field(field, n), "the policy has no list " + quoted(name));
      return;
    }
    const auto add = [&](const kernel::Syscall& syscall) {
      uint64_t id = syscall.id();
      // Extended like the value it is compared with.
      if (format.width == 4 && format.is_signed) {
        id = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(id)));
      }
      ranges.push_back({id, id});
      ++total;
    };
    if (*list->type == ListType::generated_syscalls) {
      for (const kernel::Syscall& syscall : kernel::all_syscalls({})) {
        add(syscall);
      }
      continue;
    }
    for (const auto& value : list->values) {
      auto syscall = kernel::parse_syscall(*value);
      if (!syscall.ok()) {
        error(value.place, "spec.lists", syscall.error().message());
        return;
      }
      add(*syscall);
    }
  }
  if (total > max_set_numbers && ranges.size() * 2 > TG_HOOK_VALUES) {
    error(filter.place, field,
          "the ranges hold more than " + std::to_string(max_set_numbers) + " numbers; use InRange");
    return;
  }
  put_ranges(std::move(ranges), format.is_signed, TG_OP_RANGE, out);
}

void HookCompiler::lower_number(const ArgSelector& filter, const std::string& field, std::string_view op,
                                const std::vector<std::string>& values, const HookValue& value, tg_filter& out) {
  NumberFormat format = value.number_format();
  if (value.is_signed) {
    out.flags |= TG_FILTER_SIGNED;
  }
  if (value.engine == TG_TYPE_RANGES) {
    // The slot holds copied bytes; its number is read on its own.
    tg_slot_config* number = nullptr;
    if (compiled_.config.slot_count < TG_HOOK_ARGS) {
      out.slot = static_cast<uint8_t>(compiled_.config.slot_count);
      number = &compiled_.config.slots[compiled_.config.slot_count++];
    }
    if (number == nullptr) {
      error(filter.place, field,
            "comparing a value of type " + value.type_name + " takes one more slot of the " +
                std::to_string(TG_HOOK_ARGS) + " that args and data have together");
      return;
    }
    const tg_slot_config& bytes = compiled_.config.slots[value.slot];
    *number = {};
    number->load = bytes.load;
    number->type = TG_TYPE_NUMBER;
    number->flags = TG_SLOT_FILTER | TG_SLOT_HIDDEN;
    if (number->load.step_count >= TG_HOOK_STEPS) {
      error(filter.place, field, "too many pointers to follow");
      return;
    }
    const auto offset = static_cast<int32_t>(bytes.ranges[0].offset);
    if ((number->load.flags & TG_LOAD_ADDRESS) != 0 && number->load.step_count != 0) {
      number->load.steps[number->load.step_count - 1] += offset;
      number->load.flags &= static_cast<uint8_t>(~TG_LOAD_ADDRESS);
    } else {
      number->load.steps[number->load.step_count++] = offset;
    }
    const uint32_t size = bytes.ranges[0].size;
    number->load.width = static_cast<uint8_t>(size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1);
    number->load.flags |= value.is_signed ? TG_LOAD_SIGNED : 0;
    compiled_.info.slots[out.slot].hidden = true;
  }

  if (op == "InMap" || op == "NotInMap") {
    format.decimal_only = true;
    lower_set(filter, field, values, format, out);
    return;
  }
  std::vector<uint64_t> numbers;
  std::vector<Range> ranges;
  for (size_t n = 0; n < values.size(); ++n) {
    const Place place = n < filter.values.size() ? filter.values[n].place : filter.place;
    if (op == "InRange" || op == "NotInRange") {
      auto range = parse_range(values[n], format);
      if (!range.ok()) {
        error(place, value_field(field, n), range.error().message());
        return;
      }
      ranges.push_back(*range);
      continue;
    }
    format.bits = op == "Mask";
    Result<uint64_t> number = 0;
    if (value.group == group_capabilities) {
      number = parse_capability_mask(values[n]);
    } else {
      number = parse_number(values[n], format);
      if (!number.ok() && value.type == hook::ArgType::capability) {
        if (auto capability = parse_capability(values[n]); capability.ok()) {
          number = uint64_t{*capability};
        }
      }
    }
    if (!number.ok()) {
      error(place, value_field(field, n), number.error().message());
      return;
    }
    numbers.push_back(*number);
  }
  if (op == "InRange" || op == "NotInRange") {
    put_ranges(std::move(ranges), value.is_signed, TG_OP_RANGE, out);
    return;
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.size() > TG_HOOK_VALUES) {
    if (op != "Equal" && op != "NotEqual") {
      error(filter.place, field, std::string(op) + " takes at most " + std::to_string(TG_HOOK_VALUES) + " values");
      return;
    }
    number_set(numbers, out);
    return;
  }
  out.op = op == "GT" ? TG_OP_GREATER : op == "LT" ? TG_OP_LESS : op == "Mask" ? TG_OP_MASK : TG_OP_EQUAL;
  out.value_count = static_cast<uint8_t>(numbers.size());
  std::copy(numbers.begin(), numbers.end(), out.values);
}

void HookCompiler::lower_expression(const ArgSelector& filter, const std::string& field, tg_filter& out) {
  if (filter.values.empty()) {
    return;
  }
  std::vector<CelArgument> arguments;
  const auto add = [&](const HookValue& value) {
    arguments.push_back({static_cast<uint8_t>(std::max(value.slot, 0)),
                         value.slot >= 0 && value.group == group_number && value.engine != TG_TYPE_RANGES,
                         value.is_signed});
  };
  const bool data = field.find(".matchData[") != std::string::npos;
  const std::vector<HookValue>& all = data ? data_ : args_;
  if (field.find(".matchReturnArgs[") != std::string::npos) {
    add(*ret_);
  } else if (!filter.args.empty()) {
    for (const auto& position : filter.args) {
      if (*position < all.size()) {
        add(all[*position]);
      }
    }
  } else {
    for (const HookValue& value : all) {
      add(value);
    }
  }
  auto program = compile_cel(*filter.values[0], arguments);
  if (!program.ok()) {
    error(filter.values[0].place, value_field(field, 0), program.error().message());
    return;
  }
  if (next_cel_ + program->steps.size() > TG_HOOK_CEL) {
    error(filter.values[0].place, value_field(field, 0),
          "the expressions of this hook need more than " + std::to_string(TG_HOOK_CEL) + " steps together");
    return;
  }
  out.op = TG_OP_CEL;
  out.set = next_cel_ + 1;
  for (const tg_cel_step& step : program->steps) {
    if (step.op == TG_CEL_SLOT && step.arg != TG_HOOK_RETURN_SLOT) {
      compiled_.config.slots[step.arg].flags |= TG_SLOT_FILTER;
    }
    compiled_.config.cel[next_cel_++] = step;
  }
}

// ---- text
// -------------------------------------------------------------------------------------------------------------

void HookCompiler::lower_text(const ArgSelector& filter, const std::string& field, std::string_view op,
                              const std::vector<std::string>& values, const HookValue& value, tg_filter& out) {
  std::vector<std::string> texts;
  for (const std::string& one : values) {
    const std::string text(text_value(one, value.type_name));
    texts.push_back(text);
    // Abstract names begin with a NUL, which nobody can write; a name in the file system may also begin with '@'.
    if (value.engine == TG_TYPE_SOCKADDR_UN && text.starts_with('@') && !op.ends_with("Postfix")) {
      texts.push_back(std::string(1, '\0') + text.substr(1));
    }
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  if (texts.empty()) {
    return;
  }
  const auto [shortest, longest] =
      std::minmax_element(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  out.min_size = static_cast<uint16_t>(shortest->size());
  out.max_size = static_cast<uint16_t>(longest->size());

  if (op == "SubString" || op == "SubStringIgnCase") {
    out.op = op == "SubString" ? TG_OP_TEXT_SUBSTRING : TG_OP_TEXT_SUBSTRING_NOCASE;
    out.set = static_cast<uint32_t>(compiled_.sets.substrings.size()) + 1;
    if (longest->size() >= TG_SUBSTRING_MAX || texts.size() > TG_SUBSTRINGS_OF_FILTER) {
      error(filter.place, field, "at most 100 texts of less than 100 bytes can be searched");
      return;
    }
    out.value_count = static_cast<uint8_t>(texts.size());
    compiled_.sets.substrings.insert(compiled_.sets.substrings.end(), texts.begin(), texts.end());
    return;
  }
  out.set = next_set_++;
  if (op == "Equal" || op == "NotEqual") {
    out.op = TG_OP_TEXT_EQUAL;
    if (longest->size() > 4096) {
      error(filter.place, field, "a text of more than 4096 bytes cannot be compared");
      return;
    }
    for (std::string& text : texts) {
      compiled_.sets.texts.emplace_back(out.set, std::move(text));
    }
    return;
  }
  if (op == "Postfix" || op == "NotPostfix") {
    out.op = TG_OP_TEXT_POSTFIX;
    if (longest->size() > TG_POSTFIX_MAX) {
      error(filter.place, field, "a postfix has at most " + std::to_string(TG_POSTFIX_MAX) + " bytes");
      return;
    }
    for (std::string& text : texts) {
      compiled_.sets.postfixes.emplace_back(out.set, std::move(text));
    }
    return;
  }
  out.op = TG_OP_TEXT_PREFIX;
  if (longest->size() > 256) {
    error(filter.place, field, "a prefix has at most 256 bytes");
    return;
  }
  for (std::string& text : texts) {
    if (text.size() <= TG_PREFIX_MAX) {
      compiled_.sets.prefixes.emplace_back(out.set, std::move(text));
      continue;
    }
    const uint64_t size = text.size();
    if (std::find(out.values, out.values + out.value_count, size) == out.values + out.value_count) {
      out.values[out.value_count++] = size;
    }
    compiled_.sets.texts.emplace_back(out.set, std::move(text));
  }
}

// ---- network
// ----------------------------------------------------------------------------------------------------------

void HookCompiler::lower_network(const ArgSelector& filter, const std::string& field, std::string_view op,
                                 const std::vector<std::string>& values, tg_filter& out) {
  std::string_view kind = op;
  if (kind.starts_with("Not")) {
    kind.remove_prefix(3);
  }
  if (kind == "SPortPriv" || kind == "DPortPriv") {
    put_ranges({{0, 1023}}, /*is_signed=*/false, kind == "SPortPriv" ? TG_OP_SPORT : TG_OP_DPORT, out);
    return;
  }
  std::vector<Range> ports;
  if (kind == "SAddr" || kind == "DAddr") {
    out.op = kind == "SAddr" ? TG_OP_SADDR : TG_OP_DADDR;
    out.set = next_set_++;
  }
  for (size_t n = 0; n < values.size(); ++n) {
    const Place place = n < filter.values.size() ? filter.values[n].place : filter.place;
    const auto fail = [&](const Error& problem) { error(place, value_field(field, n), problem.message()); };
    if (kind == "SAddr" || kind == "DAddr") {
      auto network = parse_network(values[n]);
      if (!network.ok()) {
        fail(network.error());
        return;
      }
      HookSets::Address address;
      address.set = out.set;
      address.bits = network->bits;
      // Bits behind the prefix would make a key of their own.
      for (unsigned bit = 0; bit < network->bits; ++bit) {
        address.bytes[bit / 8] |= static_cast<uint8_t>(network->address[bit / 8] & (0x80U >> (bit % 8)));
      }
      out.values[0] |= network->v6 ? TG_ADDRESSES_V6 : TG_ADDRESSES_V4;
      (network->v6 ? compiled_.sets.addresses6 : compiled_.sets.addresses4).push_back(address);
    } else if (kind == "SPort" || kind == "DPort") {
      auto range = parse_port(values[n]);
      if (!range.ok()) {
        fail(range.error());
        return;
      }
      ports.push_back(*range);
    } else {
      auto number = kind == "Protocol" ? parse_protocol(values[n])
                    : kind == "Family" ? parse_family(values[n])
                                       : parse_state(values[n]);
      if (!number.ok()) {
        fail(number.error());
        return;
      }
      out.op = kind == "Protocol" ? TG_OP_PROTOCOL : kind == "Family" ? TG_OP_FAMILY : TG_OP_STATE;
      if (out.value_count == TG_HOOK_VALUES) {
        error(filter.place, field, std::string(op) + " takes at most " + std::to_string(TG_HOOK_VALUES) + " values");
        return;
      }
      out.values[out.value_count++] = *number;
    }
  }
  if (!ports.empty()) {
    put_ranges(std::move(ports), /*is_signed=*/false, kind == "SPort" ? TG_OP_SPORT : TG_OP_DPORT, out);
  }
}

}  // namespace tetragon::policy
