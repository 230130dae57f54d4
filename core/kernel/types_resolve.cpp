// SPDX-License-Identifier: Apache-2.0
// Paths like "f_path.dentry" or "a.b[3].c" through types.
#include <bpf/btf.h>

#include <charconv>
#include <limits>

#include "core/kernel/types.h"
#include "core/util/strings.h"

namespace tetragon::kernel {

namespace {

struct Found {
  uint32_t type = 0;
  uint64_t bit_offset = 0;
  uint32_t bit_size = 0;  // of a bit field
};

// Members of unnamed structures and unions count as the outer one's.
std::optional<Found> find_member(const ::btf* types, uint32_t id, std::string_view name, int depth) {
  const btf_type* type = btf__type_by_id(types, id);
  if (type == nullptr || !btf_is_composite(type) || depth > 16) {
    return std::nullopt;
  }
  for (int n = 0; n < btf_vlen(type); ++n) {
    const btf_member& member = btf_members(type)[n];
    const std::string_view text = btf__name_by_offset(types, member.name_off);
    const uint32_t offset = btf_member_bit_offset(type, n);
    if (text == name) {
      return Found{member.type, offset, btf_member_bitfield_size(type, n)};
    }
    if (text.empty()) {
      const int resolved = btf__resolve_type(types, member.type);
      if (resolved <= 0) {
        continue;
      }
      if (auto inner = find_member(types, static_cast<uint32_t>(resolved), name, depth + 1)) {
        inner->bit_offset += offset;
        return inner;
      }
    }
  }
  return std::nullopt;
}

void collect_names(const ::btf* types, uint32_t id, int depth, std::vector<std::string_view>& ret_names) {
  const btf_type* type = btf__type_by_id(types, id);
  if (type == nullptr || !btf_is_composite(type) || depth > 16) {
    return;
  }
  for (int n = 0; n < btf_vlen(type); ++n) {
    const btf_member& member = btf_members(type)[n];
    const std::string_view text = btf__name_by_offset(types, member.name_off);
    if (!text.empty()) {
      ret_names.push_back(text);
      continue;
    }
    const int resolved = btf__resolve_type(types, member.type);
    if (resolved > 0) {
      collect_names(types, static_cast<uint32_t>(resolved), depth + 1, ret_names);
    }
  }
}

// One element of the path: a name, or the number of an array's element.
struct Element {
  std::string_view name;
  std::optional<uint32_t> index;
};

Result<std::vector<Element>> parse_path(std::string_view path) {
  std::vector<Element> elements;
  const auto wrong = [&](std::string_view why) {
    return Error(Code::invalid, "path " + quoted(path) + ": " + std::string(why) + "; write it like a.b[3].c");
  };
  size_t at = 0;
  bool want_name = true;
  while (at < path.size()) {
    if (path[at] == '[') {
      const size_t end = path.find(']', at);
      if (end == std::string_view::npos) {
        return wrong("'[' without ']'");
      }
      const std::string_view digits = path.substr(at + 1, end - at - 1);
      uint32_t number = 0;
      const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (problem != std::errc() || stop != digits.data() + digits.size()) {
        return wrong("an index is a number, not " + quoted(digits));
      }
      elements.push_back({{}, number});
      at = end + 1;
      want_name = false;
      continue;
    }
    if (path[at] == '.') {
      if (want_name && !elements.empty()) {
        return wrong("empty element");
      }
      ++at;
      want_name = true;
      continue;
    }
    if (!want_name) {
      return wrong("'.' is missing behind ']'");
    }
    const size_t end = std::min(path.find_first_of(".[", at), path.size());
    elements.push_back({trim(path.substr(at, end - at)), std::nullopt});
    if (elements.back().name.empty()) {
      return wrong("empty element");
    }
    at = end;
    want_name = false;
  }
  if (elements.empty() || want_name) {
    return wrong(elements.empty() ? "it is empty" : "it ends with '.'");
  }
  return elements;
}

}  // namespace

Result<Access> Types::resolve(uint32_t start, std::string_view path, bool in_place) const {
  auto elements = parse_path(path);
  if (!elements.ok()) {
    return std::move(elements).error();
  }
  Access access;
  // `type` is the one at (current pointer + bits); a pointer as a value must be followed first.
  uint32_t type = start;
  uint64_t bits = 0;
  uint32_t bit_size = 0;
  bool is_value = !in_place;  // the start itself: nothing has to be read to have it
  std::string so_far;
  const auto fail = [&](Code code, std::string why) {
    return Error(code, "path " + quoted(path) + ": " + std::move(why));
  };
  const auto follow = [&]() -> Result<void> {
    const Type pointer = describe(type);
    if (pointer.kind != TypeKind::pointer) {
      return fail(Code::invalid, (so_far.empty() ? "the start" : quoted(so_far)) + std::string(" is of type ") +
                                     quoted(spelling(type)) + ", which has no members");
    }
    if (!is_value) {
      if (access.steps.size() + 1 >= kMaxSteps) {
        return fail(Code::limit, "more than " + std::to_string(kMaxSteps) + " pointers to follow");
      }
      access.steps.push_back(static_cast<int32_t>(bits / 8));
    }
    is_value = false;
    bits = 0;
    bit_size = 0;
    type = btf__type_by_id(btf_, pointer.id)->type;
    // Compilers only declare structures behind pointers when another place has them whole.
    const Type to = describe(type);
    if (const btf_type* declared = btf__type_by_id(btf_, to.id);
        to.id != 0 && declared != nullptr && btf_is_fwd(declared)) {
      const uint32_t whole = find((btf_kflag(declared) ? "union " : "struct ") + std::string(to.name));
      type = whole != 0 ? whole : type;
    }
    return {};
  };

  for (const Element& element : *elements) {
    if (element.index) {
      Type here = describe(type);
      uint32_t element_type = 0;
      if (here.kind == TypeKind::array) {
        const auto* array = btf_array(btf__type_by_id(btf_, here.id));
        // Arrays of 0 and 1 elements at the end of a structure stand for any number.
        if (array->nelems > 1 && *element.index >= array->nelems) {
          return fail(Code::invalid, quoted(so_far) + " has " + std::to_string(array->nelems) + " elements, no [" +
                                         std::to_string(*element.index) + "]");
        }
        element_type = array->type;
      } else if (here.kind == TypeKind::pointer) {
        TETRAGON_TRY(follow());
        element_type = type;
      } else {
        return fail(Code::invalid, (so_far.empty() ? "the start" : quoted(so_far)) + std::string(" is of type ") +
                                       quoted(spelling(type)) + ", not an array");
      }
      const long long size = btf__resolve_size(btf_, element_type);
      if (size <= 0) {
        return fail(Code::invalid, "elements of " + quoted(so_far) + " have no known size");
      }
      bits += uint64_t{*element.index} * static_cast<uint64_t>(size) * 8;
      type = element_type;
      so_far += "[" + std::to_string(*element.index) + "]";
    } else {
      if (describe(type).kind == TypeKind::pointer || is_value) {
        TETRAGON_TRY(follow());
      }
      const Type here = describe(type);
      const auto found = here.kind == TypeKind::structure ? find_member(btf_, here.id, element.name, 0) : std::nullopt;
      if (!found) {
        std::vector<std::string_view> names;
        collect_names(btf_, here.id, 0, names);
        if (here.kind != TypeKind::structure || names.empty()) {
          return fail(Code::invalid, (so_far.empty() ? "the start" : quoted(so_far)) + std::string(" is of type ") +
                                         quoted(spelling(type)) + ", which has no members here");
        }
        const std::string_view near = closest_match(element.name, names);
        return fail(Code::not_found, quoted(spelling(type)) + " has no member " + quoted(element.name) +
                                         (near.empty() ? std::string() : "; did you mean " + quoted(near) + "?"));
      }
      bits += found->bit_offset;
      bit_size = found->bit_size;
      type = found->type;
      so_far += (so_far.empty() ? "" : ".") + std::string(element.name);
    }
    if (bits / 8 > std::numeric_limits<int32_t>::max()) {
      return fail(Code::limit, quoted(so_far) + " is too far away");
    }
  }

  access.type = type;
  const Type last = describe(type);
  switch (last.kind) {
    case TypeKind::integer:
    case TypeKind::enumeration:
    case TypeKind::floating:
    case TypeKind::pointer:
      access.width = static_cast<uint8_t>(last.size);
      access.is_signed = last.is_signed;
      break;
    case TypeKind::structure:
    case TypeKind::array: access.address = true; break;
    default:
      return fail(Code::invalid, quoted(so_far) + " is of type " + quoted(spelling(type)) + ", which cannot be read");
  }
  if (!access.address && access.width != 1 && access.width != 2 && access.width != 4 && access.width != 8) {
    access.address = true;  // __int128
    access.width = 0;
  }
  uint64_t bytes = bits / 8;
  if (bit_size != 0) {
    // The word that the compiler would read; a wider one when the field crosses its border.
    uint64_t width = access.width;
    while (width < 8 && (bits / (8 * width)) != ((bits + bit_size - 1) / (8 * width))) {
      width *= 2;
    }
    bytes = bits / (8 * width) * width;
    if (bits - bytes * 8 + bit_size > width * 8) {
      bytes = bits / 8;  // crosses even 8 bytes: begin where it begins
      width = 8;
    }
    if (bits - bytes * 8 + bit_size > 64) {
      return fail(Code::unsupported, quoted(so_far) + " is a bit field over more than 8 bytes");
    }
    access.width = static_cast<uint8_t>(width);
    access.bit_offset = static_cast<uint8_t>(bits - bytes * 8);
    access.bit_size = static_cast<uint8_t>(bit_size);
  }
  access.steps.push_back(static_cast<int32_t>(bytes));
  return access;
}

}  // namespace tetragon::kernel
