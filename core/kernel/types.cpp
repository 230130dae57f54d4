// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/types.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/util/strings.h"

namespace tetragon::kernel {

// libbpf finds names by walking all types: far too slow for lists of thousands. Names hash to numbers of types here,
// four bytes per slot.
struct Types::Index {
  std::vector<uint32_t> slots;  // power of two; 0: empty
  size_t mask = 0;

  void add(uint32_t id, std::string_view name) {
    size_t at = std::hash<std::string_view>()(name) & mask;
    while (slots[at] != 0) {
      at = (at + 1) & mask;
    }
    slots[at] = id;
  }
};

namespace {

bool indexed(const btf_type* type) {
  switch (btf_kind(type)) {
    case BTF_KIND_FUNC:
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_INT:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_FLOAT: return type->name_off != 0;
    default: return false;
  }
}

uint32_t strip(const ::btf* types, uint32_t id) {
  // A broken file could go round in circles.
  for (int depth = 0; depth < 64; ++depth) {
    const btf_type* type = btf__type_by_id(types, id);
    if (type == nullptr || !(btf_is_mod(type) || btf_is_typedef(type))) {
      return id;
    }
    id = type->type;
  }
  return 0;
}

}  // namespace

Types::Types() : index_(std::make_unique<Index>()) {}
Types::Types(Types&& other) noexcept
    : btf_(std::exchange(other.btf_, nullptr)), base_(other.base_), index_(std::move(other.index_)) {}
Types& Types::operator=(Types&& other) noexcept {
  std::swap(btf_, other.btf_);
  std::swap(base_, other.base_);
  std::swap(index_, other.index_);
  return *this;
}
Types::~Types() {
  btf__free(btf_);
}

Result<Types> Types::load(const std::string& path) {
  Types types;
  types.btf_ = btf__parse(path.c_str(), nullptr);
  if (types.btf_ == nullptr) {
    return errno_error("read type information (BTF) of " + quoted(path), errno);
  }
  const uint32_t count = btf__type_cnt(types.btf_);
  uint32_t names = 0;
  for (uint32_t id = 1; id < count; ++id) {
    names += indexed(btf__type_by_id(types.btf_, id)) ? 1 : 0;
  }
  size_t size = 16;
  while (size < size_t{names} * 2) {
    size *= 2;
  }
  types.index_->slots.assign(size, 0);
  types.index_->mask = size - 1;
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.btf_, id);
    if (indexed(type)) {
      types.index_->add(id, btf__name_by_offset(types.btf_, type->name_off));
    }
  }
  return types;
}

Result<Types> Types::load_split(const std::string& path, const Types& base) {
  Types types;
  types.base_ = &base;
  types.btf_ = btf__parse_split(path.c_str(), base.btf_);
  if (types.btf_ == nullptr) {
    return errno_error("read type information (BTF) of " + quoted(path), errno);
  }
  const uint32_t first = btf__type_cnt(base.btf_);
  const uint32_t count = btf__type_cnt(types.btf_);
  size_t size = 16;
  while (size < size_t{count - first} * 2) {
    size *= 2;
  }
  types.index_->slots.assign(size, 0);
  types.index_->mask = size - 1;
  for (uint32_t id = first; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.btf_, id);
    if (indexed(type)) {
      types.index_->add(id, btf__name_by_offset(types.btf_, type->name_off));
    }
  }
  return types;
}

// Numbers of the types with this name; those of a module first, then the kernel's.
std::vector<uint32_t> Types::candidates(std::string_view name) const {
  std::vector<uint32_t> found;
  size_t at = std::hash<std::string_view>()(name) & index_->mask;
  while (index_->slots[at] != 0) {
    const btf_type* type = btf__type_by_id(btf_, index_->slots[at]);
    if (name == btf__name_by_offset(btf_, type->name_off)) {
      found.push_back(index_->slots[at]);
    }
    at = (at + 1) & index_->mask;
  }
  if (base_ != nullptr) {
    const auto more = base_->candidates(name);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

std::optional<Prototype> Types::function(std::string_view name) const {
  for (const uint32_t id : candidates(name)) {
    const btf_type* function = btf__type_by_id(btf_, id);
    if (!btf_is_func(function)) {
      continue;
    }
    const btf_type* proto = btf__type_by_id(btf_, function->type);
    if (proto == nullptr || !btf_is_func_proto(proto)) {
      continue;
    }
    Prototype prototype;
    prototype.return_type = proto->type;
    for (int n = 0; n < btf_vlen(proto); ++n) {
      const btf_param& param = btf_params(proto)[n];
      prototype.parameters.push_back({btf__name_by_offset(btf_, param.name_off), param.type});
    }
    return prototype;
  }
  return std::nullopt;
}

bool Types::has_function(std::string_view name) const {
  const auto found = candidates(name);
  return std::any_of(found.begin(), found.end(), [&](uint32_t id) { return btf_is_func(btf__type_by_id(btf_, id)); });
}

std::optional<Prototype> Types::tracepoint(std::string_view name) const {
  for (const uint32_t id : candidates("btf_trace_" + std::string(name))) {
    if (!btf_is_typedef(btf__type_by_id(btf_, id))) {
      continue;
    }
    const btf_type* pointer = btf__type_by_id(btf_, strip(btf_, id));
    const btf_type* proto = pointer != nullptr && btf_is_ptr(pointer) ? btf__type_by_id(btf_, pointer->type) : nullptr;
    if (proto == nullptr || !btf_is_func_proto(proto) || btf_vlen(proto) == 0) {
      continue;
    }
    Prototype prototype;
    for (int n = 1; n < btf_vlen(proto); ++n) {
      const btf_param& param = btf_params(proto)[n];
      prototype.parameters.push_back({btf__name_by_offset(btf_, param.name_off), param.type});
    }
    // The typedef's prototype has no names; the function that the kernel generates beside it has them.
    if (const auto named = function("__bpf_trace_" + std::string(name))) {
      for (size_t n = 0; n < prototype.parameters.size() && n + 1 < named->parameters.size(); ++n) {
        prototype.parameters[n].name = named->parameters[n + 1].name;
      }
    }
    return prototype;
  }
  return std::nullopt;
}

uint32_t Types::find(std::string_view name) const {
  bool want_union = false;
  bool want_struct = false;
  std::string_view rest = trim(name);
  if (rest.starts_with("struct ")) {
    want_struct = true;
    rest = trim(rest.substr(7));
  } else if (rest.starts_with("union ")) {
    want_union = true;
    rest = trim(rest.substr(6));
  }
  uint32_t other = 0;
  for (const uint32_t id : candidates(rest)) {
    const btf_type* type = btf__type_by_id(btf_, id);
    if (btf_is_struct(type) && !want_union) {
      return id;
    }
    if (btf_is_union(type) && !want_struct) {
      return id;
    }
    if (!want_struct && !want_union && !btf_is_func(type) && other == 0) {
      other = id;
    }
  }
  return other;
}

void Types::for_each_function(const std::function<void(std::string_view)>& visit) const {
  const uint32_t count = btf__type_cnt(btf_);
  for (uint32_t id = base_ == nullptr ? 1 : btf__type_cnt(base_->btf_); id < count; ++id) {
    const btf_type* type = btf__type_by_id(btf_, id);
    if (btf_is_func(type)) {
      visit(btf__name_by_offset(btf_, type->name_off));
    }
  }
}

std::string Types::closest(std::string_view name, uint32_t kind, std::string_view prefix) const {
  // Distances to all of 60000 names take 100 ms: only those of about the same length and the same first letter.
  std::vector<std::string_view> near;
  const size_t slack = std::max<size_t>(1, name.size() / 4);
  const uint32_t count = btf__type_cnt(btf_);
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(btf_, id);
    if (btf_kind(type) != kind) {
      continue;
    }
    std::string_view text = btf__name_by_offset(btf_, type->name_off);
    if (!text.starts_with(prefix)) {
      continue;
    }
    text.remove_prefix(prefix.size());
    if (text.size() + slack >= name.size() && text.size() <= name.size() + slack && !text.empty() && !name.empty() &&
        text[0] == name[0]) {
      near.push_back(text);
    }
  }
  return std::string(closest_match(name, near));
}

std::string Types::closest_function(std::string_view name) const {
  return closest(name, BTF_KIND_FUNC, "");
}
std::string Types::closest_tracepoint(std::string_view name) const {
  return closest(name, BTF_KIND_TYPEDEF, "btf_trace_");
}

Type Types::describe(uint32_t id) const {
  Type found;
  found.id = strip(btf_, id);
  if (found.id == 0) {
    found.kind = TypeKind::void_;
    return found;
  }
  const btf_type* type = btf__type_by_id(btf_, found.id);
  if (type == nullptr) {
    return found;
  }
  found.name = btf__name_by_offset(btf_, type->name_off);
  switch (btf_kind(type)) {
    case BTF_KIND_INT:
      found.kind = TypeKind::integer;
      found.size = type->size;
      found.is_signed = (btf_int_encoding(type) & BTF_INT_SIGNED) != 0;
      found.is_char = type->size == 1 && found.name.find("char") != std::string_view::npos &&
                      found.name.find("unsigned") == std::string_view::npos;
      break;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      found.kind = TypeKind::enumeration;
      found.size = type->size;
      found.is_signed = btf_kflag(type);
      // Until 6.0 (61dbd5982964) nothing but the values says it.
      for (int n = 0; btf_kind(type) == BTF_KIND_ENUM && n < btf_vlen(type) && !found.is_signed; ++n) {
        found.is_signed = btf_enum(type)[n].val < 0;
      }
      break;
    case BTF_KIND_FLOAT:
      found.kind = TypeKind::floating;
      found.size = type->size;
      break;
    case BTF_KIND_PTR:
      found.kind = TypeKind::pointer;
      found.size = 8;
      break;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      found.kind = TypeKind::structure;
      found.size = type->size;
      break;
    case BTF_KIND_FWD: found.kind = TypeKind::structure; break;
    case BTF_KIND_ARRAY: {
      found.kind = TypeKind::array;
      const long long size = btf__resolve_size(btf_, found.id);
      found.size = size > 0 ? static_cast<uint32_t>(size) : 0;
      break;
    }
    case BTF_KIND_FUNC_PROTO: found.kind = TypeKind::function; break;
    default: break;
  }
  return found;
}

Type Types::pointee(uint32_t id) const {
  const uint32_t stripped = strip(btf_, id);
  const btf_type* type = stripped == 0 ? nullptr : btf__type_by_id(btf_, stripped);
  return type != nullptr && btf_is_ptr(type) ? describe(type->type) : Type();
}

Type Types::element(uint32_t id) const {
  const uint32_t stripped = strip(btf_, id);
  const btf_type* type = stripped == 0 ? nullptr : btf__type_by_id(btf_, stripped);
  return type != nullptr && btf_is_array(type) ? describe(btf_array(type)->type) : Type();
}

uint32_t Types::element_count(uint32_t id) const {
  const uint32_t stripped = strip(btf_, id);
  const btf_type* type = stripped == 0 ? nullptr : btf__type_by_id(btf_, stripped);
  return type != nullptr && btf_is_array(type) ? btf_array(type)->nelems : 0;
}

std::vector<Member> Types::members(uint32_t id) const {
  std::vector<Member> all;
  const uint32_t stripped = strip(btf_, id);
  const btf_type* type = stripped == 0 ? nullptr : btf__type_by_id(btf_, stripped);
  if (type == nullptr || !btf_is_composite(type)) {
    return all;
  }
  for (int n = 0; n < btf_vlen(type); ++n) {
    const btf_member& member = btf_members(type)[n];
    all.push_back({btf__name_by_offset(btf_, member.name_off), member.type, btf_member_bit_offset(type, n) / 8});
  }
  return all;
}

std::string Types::spelling(uint32_t id) const {
  std::string suffix;
  std::string prefix;
  for (int depth = 0; depth < 64; ++depth) {
    if (id == 0) {
      return prefix + "void" + suffix;
    }
    const btf_type* type = btf__type_by_id(btf_, id);
    if (type == nullptr) {
      return "?";
    }
    const std::string name = btf__name_by_offset(btf_, type->name_off);
    switch (btf_kind(type)) {
      case BTF_KIND_PTR: suffix.insert(0, suffix.starts_with("*") || suffix.starts_with("[") ? "*" : " *"); break;
      case BTF_KIND_CONST: prefix += suffix.empty() || suffix[0] != ' ' ? "const " : "const "; break;
      case BTF_KIND_VOLATILE: prefix += "volatile "; break;
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG: break;
      case BTF_KIND_ARRAY:
        suffix += "[" + std::to_string(btf_array(type)->nelems) + "]";
        id = btf_array(type)->type;
        continue;
      case BTF_KIND_STRUCT: return prefix + "struct " + (name.empty() ? "{…}" : name) + suffix;
      case BTF_KIND_UNION: return prefix + "union " + (name.empty() ? "{…}" : name) + suffix;
      case BTF_KIND_FWD: return prefix + (btf_kflag(type) ? "union " : "struct ") + name + suffix;
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64: return prefix + (name.empty() ? "enum {…}" : "enum " + name) + suffix;
      case BTF_KIND_FUNC_PROTO: return prefix + "function" + suffix;
      default: return prefix + name + suffix;
    }
    id = type->type;
  }
  return "?";
}

}  // namespace tetragon::kernel
