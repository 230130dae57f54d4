// SPDX-License-Identifier: Apache-2.0
#pragma once

// Questions about types, answered by BTF: of the kernel, of one of its modules, or of a program's file.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

struct btf;

namespace tetragon::kernel {

enum class TypeKind { unknown, void_, integer, enumeration, floating, pointer, structure, array, function };

// A type without its typedefs and qualifiers.
struct Type {
  uint32_t id = 0;
  TypeKind kind = TypeKind::unknown;
  uint32_t size = 0;
  bool is_signed = false;
  bool is_char = false;   // an integer of one byte that stands for text
  std::string_view name;  // of a structure, union, enumeration or integer; may be empty
};

struct Parameter {
  std::string_view name;
  uint32_t type = 0;
};
struct Prototype {
  std::vector<Parameter> parameters;
  uint32_t return_type = 0;  // 0: void
};

struct Member {
  std::string_view name;
  uint32_t type = 0;
  uint32_t offset = 0;  // bytes
};

// The way from a value to a member; see tg_load in bpf/shared/hook.h.
struct Access {
  std::vector<int32_t> steps;
  uint32_t type = 0;  // of what is found, with its typedefs
  uint8_t width = 0;  // of a number or pointer; 0: the object is too large, `address` is set
  bool is_signed = false;
  bool address = false;                  // the last step gives the address of the object
  uint8_t bit_offset = 0, bit_size = 0;  // of a bit field inside `width` bytes
};

inline constexpr size_t kMaxSteps = 10;

class Types {
 public:
  // A file of BTF, or an ELF file that has it.
  static Result<Types> load(const std::string& path);
  // BTF of a module; base must live at least as long.
  static Result<Types> load_split(const std::string& path, const Types& base);
  Types(Types&&) noexcept;
  Types& operator=(Types&&) noexcept;
  ~Types();

  std::optional<Prototype> function(std::string_view name) const;
  bool has_function(std::string_view name) const;
  // Arguments of TP_PROTO: without the one that the kernel adds in front.
  std::optional<Prototype> tracepoint(std::string_view name) const;
  // "file", "struct file", "union bpf_attr", or a typedef; 0: not there.
  uint32_t find(std::string_view name) const;
  void for_each_function(const std::function<void(std::string_view)>& visit) const;
  // The function that a typing mistake most likely meant; empty: none is near.
  std::string closest_function(std::string_view name) const;
  std::string closest_tracepoint(std::string_view name) const;

  Type describe(uint32_t id) const;
  Type pointee(uint32_t id) const;  // of a pointer; unknown when it is none
  Type element(uint32_t id) const;  // of an array; ret count
  uint32_t element_count(uint32_t id) const;
  std::vector<Member> members(uint32_t id) const;
  // As C writes it: "const struct file *".
  std::string spelling(uint32_t id) const;

  // "f_path.dentry", "a.b[3].c", also "[2].x" from a pointer: from a value of this type. Pointers on the way are
  // followed; the start must be a pointer unless in_place says that its address is at hand. An error names the element
  // that does not fit and what there is.
  Result<Access> resolve(uint32_t start, std::string_view path, bool in_place = false) const;

 private:
  struct Index;
  Types();
  std::vector<uint32_t> candidates(std::string_view name) const;
  std::string closest(std::string_view name, uint32_t kind, std::string_view prefix) const;

  ::btf* btf_ = nullptr;
  const Types* base_ = nullptr;
  std::unique_ptr<Index> index_;
};

}  // namespace tetragon::kernel
