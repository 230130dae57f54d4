// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/prepared_elf.h"

#include <bpf/btf.h>
#include <elf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

namespace tetragon::bpf_runtime {

namespace {

struct FreeBtf {
  void operator()(::btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<::btf, FreeBtf>;

// .BTF.ext: a header, then tables of {section, count, records}. libbpf keeps these layouts to itself.
struct ExtHeader {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t header_size;
  std::uint32_t functions_offset, functions_size, lines_offset, lines_size;
  std::uint32_t relocations_offset, relocations_size;
};
struct ExtSection {
  std::uint32_t name, count;
};
struct Relocation {
  std::uint32_t instruction, type, access;
  std::uint32_t kind;
};
// enum bpf_core_relo_kind, of which older headers lack the last.
enum { kTypeIdLocal = 6, kTypeIdKernel = 7, kTypeExists = 8, kTypeSize = 9, kEnumValue = 11 };

constexpr std::uint32_t kCallRelocation = 10;  // R_BPF_64_32
// No helper has this number: where the kernel lacks a function, only the verifier's dead code may call it.
constexpr std::int32_t kAbsentFunction = 0x74677467;

std::uint32_t info_of(std::uint32_t kind, std::uint32_t vlen) {
  return kind << 24 | vlen;
}

}  // namespace

template <class T>
T* PreparedElf::at(std::size_t offset, std::size_t count) {
  if (offset > bytes_.size() || (bytes_.size() - offset) / sizeof(T) < count || offset % alignof(T) != 0) {
    return nullptr;
  }
  return reinterpret_cast<T*>(bytes_.data() + offset);
}

const PreparedElf::Section* PreparedElf::section(std::string_view name) const {
  const auto found =
      std::find_if(sections_.begin(), sections_.end(), [&](const Section& one) { return one.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

std::optional<PreparedElf> PreparedElf::read(std::span<const std::byte> elf) {
  PreparedElf prepared;
  prepared.bytes_.assign(elf.begin(), elf.end());
  if (!prepared.read_sections() || !prepared.read_types() || !prepared.read_symbols()) {
    return std::nullopt;
  }
  return prepared;
}

bool PreparedElf::read_sections() {
  const auto* header = at<Elf64_Ehdr>(0);
  if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_BPF || header->e_shentsize != sizeof(Elf64_Shdr)) {
    return false;
  }
  const std::size_t table = header->e_shoff;
  const auto* headers = at<Elf64_Shdr>(table, header->e_shnum);
  if (headers == nullptr || header->e_shstrndx >= header->e_shnum) return false;
  const Elf64_Shdr& names = headers[header->e_shstrndx];
  if (names.sh_size == 0 || at<char>(names.sh_offset, names.sh_size) == nullptr ||
      *at<char>(names.sh_offset + names.sh_size - 1) != 0) {
    return false;
  }
  for (std::size_t n = 0; n < header->e_shnum; ++n) {
    const Elf64_Shdr& one = headers[n];
    const bool has_bytes = one.sh_type != SHT_NOBITS && one.sh_type != SHT_NULL;
    if (one.sh_name >= names.sh_size || (has_bytes && at<char>(one.sh_offset, one.sh_size) == nullptr)) return false;
    sections_.push_back({at<char>(names.sh_offset + one.sh_name), one.sh_type, one.sh_info,
                         table + n * sizeof(Elf64_Shdr), one.sh_offset, has_bytes ? one.sh_size : 0});
    if (const std::string_view name = sections_.back().name; name.starts_with("tp_btf/")) {
      demand_.number.emplace(BTF_KIND_TYPEDEF, "btf_trace_" + std::string(name.substr(name.find('/') + 1)));
    }
  }
  return true;
}

// CO-RE: which types are looked for, and which numbers.
bool PreparedElf::read_types() {
  const Section* types_section = section(".BTF");
  const Section* ext = section(".BTF.ext");
  if (types_section == nullptr || ext == nullptr) return false;
  const Btf types(btf__new(at<char>(types_section->offset), static_cast<__u32>(types_section->size)));
  const auto* header = at<ExtHeader>(ext->offset);
  if (types == nullptr || header == nullptr || header->magic != BTF_MAGIC || header->header_size < sizeof(ExtHeader)) {
    return false;
  }
  const std::size_t start = ext->offset + header->header_size + header->relocations_offset;
  const std::size_t end = start + header->relocations_size;
  if (end > ext->offset + ext->size) return false;
  if (header->relocations_size == 0) return true;
  const auto* record_size = at<std::uint32_t>(start);
  if (record_size == nullptr || *record_size != sizeof(Relocation)) return false;
  // Records that are done are taken out; the rest moves up.
  std::size_t from = start + sizeof(std::uint32_t);
  std::size_t to = from;
  while (from < end) {
    auto* part = at<ExtSection>(from);
    if (part == nullptr || (end - from - sizeof(ExtSection)) / sizeof(Relocation) < part->count) return false;
    const ExtSection old = *part;
    const char* name = btf__name_by_offset(types.get(), old.name);
    const Section* code = name == nullptr ? nullptr : section(name);
    if (code == nullptr) return false;
    auto* left = at<ExtSection>(to);
    from += sizeof(ExtSection);
    std::size_t kept = to + sizeof(ExtSection);
    for (std::uint32_t n = 0; n < old.count; ++n, from += sizeof(Relocation)) {
      const Relocation one = *at<Relocation>(from);
      const btf_type* type = btf__type_by_id(types.get(), one.type);
      if (type == nullptr || one.kind > kEnumValue) return false;
      if (one.kind != kTypeIdLocal) {
        const char* full = btf__name_by_offset(types.get(), type->name_off);
        const std::string root(essential_name(full == nullptr ? "" : full));
        if (root.empty()) return false;
        // Whether a typedef exists depends on all that it leads to, pointers too.
        if ((one.kind == kTypeExists || one.kind == kTypeSize) && btf_is_typedef(type)) return false;
        if (one.kind == kTypeIdKernel) {
          const std::size_t instruction = code->offset + one.instruction;
          if (one.instruction >= code->size || !btf_is_composite(type) || at<bpf_insn>(instruction) == nullptr) {
            return false;
          }
          type_numbers_.push_back({instruction, btf_kind(type), root});
          demand_.number.emplace(btf_kind(type), root);
          continue;
        }
        demand_.roots.insert(root);
      }
      std::memmove(at<Relocation>(kept), &one, sizeof(one));
      kept += sizeof(Relocation);
    }
    const auto count = static_cast<std::uint32_t>((kept - to - sizeof(ExtSection)) / sizeof(Relocation));
    if (count != 0) {
      *left = {old.name, count};
      to = kept;
    }
  }
  at<ExtHeader>(ext->offset)->relocations_size =
      to == start + sizeof(std::uint32_t) ? 0 : static_cast<std::uint32_t>(to - start);
  return true;
}

// Functions of the kernel that programs call. An object that asks for variables or Kconfig needs libbpf for them.
bool PreparedElf::read_symbols() {
  const auto table =
      std::find_if(sections_.begin(), sections_.end(), [](const Section& one) { return one.type == SHT_SYMTAB; });
  if (table == sections_.end()) return false;
  const std::size_t link = at<Elf64_Shdr>(table->header)->sh_link;
  if (link >= sections_.size()) return false;
  const Section& names = sections_[link];
  const auto* symbols = at<Elf64_Sym>(table->offset, table->size / sizeof(Elf64_Sym));
  if (symbols == nullptr || names.size == 0 || *at<char>(names.offset + names.size - 1) != 0) return false;
  for (std::uint32_t n = 1; n < table->size / sizeof(Elf64_Sym); ++n) {
    const unsigned bind = ELF64_ST_BIND(symbols[n].st_info);
    if (symbols[n].st_shndx != SHN_UNDEF || bind == STB_LOCAL) continue;
    if (symbols[n].st_name >= names.size) return false;
    functions_.push_back({n, at<char>(names.offset + symbols[n].st_name), bind == STB_WEAK});
    demand_.number.emplace(BTF_KIND_FUNC, functions_.back().name);
  }
  return true;
}

bool PreparedElf::resolve(const KernelExcerpt& excerpt) {
  if (!excerpt.complete_for(demand_)) return false;
  for (const TypeNumber& one : type_numbers_) {
    const auto number = excerpt.number(one.kind, one.name);
    if (number.id == 0 || !number.unambiguous) return false;
    auto* instruction = at<bpf_insn>(one.instruction);
    const bool wide = instruction->code == (BPF_LD | BPF_IMM | BPF_DW);
    if (wide) {
      auto* pair = at<bpf_insn>(one.instruction, 2);
      if (pair == nullptr || pair->src_reg != 0) return false;
      pair[1].imm = 0;
    } else if (instruction->code != (BPF_ALU | BPF_MOV | BPF_K) && instruction->code != (BPF_ALU64 | BPF_MOV | BPF_K)) {
      return false;
    }
    instruction->imm = static_cast<std::int32_t>(number.id);
  }
  return functions_.empty() || (link_functions(excerpt) && hide_functions());
}

bool PreparedElf::link_functions(const KernelExcerpt& excerpt) {
  for (const Function& one : functions_) {
    const auto number = excerpt.number(BTF_KIND_FUNC, one.name);
    if (!number.unambiguous || (number.id == 0 && !one.weak)) return false;
  }
  for (const Section& relocations : sections_) {
    if (relocations.type != SHT_REL || relocations.info >= sections_.size()) continue;
    const Section& code = sections_[relocations.info];
    const std::size_t count = relocations.size / sizeof(Elf64_Rel);
    auto* entries = at<Elf64_Rel>(relocations.offset, count);
    if (entries == nullptr) return false;
    std::size_t kept = 0;
    for (std::size_t n = 0; n < count; ++n) {
      const auto function = std::find_if(functions_.begin(), functions_.end(), [&](const Function& one) {
        return one.symbol == ELF64_R_SYM(entries[n].r_info);
      });
      if (function == functions_.end()) {
        entries[kept++] = entries[n];
        continue;
      }
      auto* call = entries[n].r_offset >= code.size ? nullptr : at<bpf_insn>(code.offset + entries[n].r_offset);
      if (call == nullptr || ELF64_R_TYPE(entries[n].r_info) != kCallRelocation || call->code != (BPF_JMP | BPF_CALL)) {
        return false;
      }
      const auto id = excerpt.number(BTF_KIND_FUNC, function->name).id;
      call->dst_reg = 0;
      call->src_reg = id != 0 ? BPF_PSEUDO_KFUNC_CALL : 0;
      call->off = 0;
      call->imm = id != 0 ? static_cast<std::int32_t>(id) : kAbsentFunction;
    }
    at<Elf64_Shdr>(relocations.header)->sh_size = kept * sizeof(Elf64_Rel);
  }
  return true;
}

// Nothing calls them by name any more. libbpf reads the whole of the kernel's BTF for any symbol that is left, and the
// kernel refuses the functions in the object's types without libbpf's corrections.
bool PreparedElf::hide_functions() {
  const auto table =
      std::find_if(sections_.begin(), sections_.end(), [](const Section& one) { return one.type == SHT_SYMTAB; });
  auto* symbols = at<Elf64_Sym>(table->offset, table->size / sizeof(Elf64_Sym));
  for (const Function& one : functions_) {
    symbols[one.symbol].st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE);
  }
  const Section* section_of_types = section(".BTF");
  const Btf types(btf__new(at<char>(section_of_types->offset), static_cast<__u32>(section_of_types->size)));
  __u32 size = 0;
  const auto* raw = types == nullptr ? nullptr : static_cast<const char*>(btf__raw_data(types.get(), &size));
  if (raw == nullptr) return false;
  // Where the type lies in the file.
  const auto here = [&](const btf_type* type) {
    const auto* place = reinterpret_cast<const char*>(type);
    return place < raw || place >= raw + size
               ? nullptr
               : at<btf_type>(section_of_types->offset + static_cast<std::size_t>(place - raw));
  };
  std::set<std::uint32_t> ids;
  std::uint32_t number_type = 0;
  const std::uint32_t count = btf__type_cnt(types.get());
  for (std::uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    if (btf_is_int(type) && number_type == 0) number_type = id;
    const std::string_view name = btf__name_by_offset(types.get(), type->name_off);
    if (btf_is_func(type) && btf_vlen(type) == BTF_FUNC_EXTERN) {
      const bool known =
          std::any_of(functions_.begin(), functions_.end(), [&](const Function& one) { return one.name == name; });
      btf_type* changed = here(type);
      if (!known || changed == nullptr) return false;
      // A pointer to the function's type.
      changed->name_off = 0;
      changed->info = info_of(BTF_KIND_PTR, 0);
      ids.insert(id);
    }
  }
  for (std::uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    if (btf_kind(type) == BTF_KIND_DECL_TAG && ids.contains(type->type)) return false;
    if (!btf_is_datasec(type) || std::string_view(btf__name_by_offset(types.get(), type->name_off)) != ".ksyms") {
      continue;
    }
    btf_type* changed = here(type);
    if (changed == nullptr || number_type == 0) return false;
    // Entries of sections and members of structures are equally long.
    auto* members = reinterpret_cast<btf_member*>(changed + 1);
    for (int n = 0; n < btf_vlen(type); ++n) {
      if (!ids.contains(btf_var_secinfos(type)[n].type)) return false;
      members[n] = {0, number_type, 0};
    }
    changed->name_off = 0;
    changed->info = info_of(BTF_KIND_STRUCT, static_cast<std::uint32_t>(btf_vlen(type)));
    changed->size = btf__type_by_id(types.get(), number_type)->size;
  }
  static_assert(sizeof(btf_member) == sizeof(btf_var_secinfo));
  return true;
}

}  // namespace tetragon::bpf_runtime
