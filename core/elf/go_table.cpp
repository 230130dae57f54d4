// SPDX-License-Identifier: Apache-2.0
// The function table of Go's runtime (pclntab), which no strip removes: src/runtime/symtab.go,
// cmd/link/internal/ld/pcln.go.
#include <algorithm>

#include "core/elf/symbols.h"
#include "core/util/strings.h"

namespace tetragon::elf {
namespace {

constexpr uint32_t kMagic2 = 0xfffffffb, kMagic16 = 0xfffffffa, kMagic18 = 0xfffffff0, kMagic20 = 0xfffffff1;
constexpr uint64_t kMaxFunctions = 4 << 20;
constexpr uint64_t kMaxNames = uint64_t{512} << 20;

// magic, two zeros, smallest instruction, size of a pointer
bool is_header(std::string_view bytes) {
  const auto magic = number_at<uint32_t>(bytes, 0);
  if (magic != kMagic2 && magic != kMagic16 && magic != kMagic18 && magic != kMagic20) return false;
  if (bytes.size() < 8 || bytes[4] != 0 || bytes[5] != 0) return false;
  const int quantum = bytes[6], pointer = bytes[7];
  return (quantum == 1 || quantum == 2 || quantum == 4) && (pointer == 4 || pointer == 8);
}

// Where the table lies when the section table is gone: in a segment that is not executable, at its alignment.
uint64_t find_header(std::string_view bytes) {
  for (uint64_t at = 0; at + 8 <= bytes.size(); at += 16) {
    if (is_header(bytes.substr(at, 8))) return at;
  }
  return bytes.size();
}

Result<std::string> read_table(const ElfFile& file) {
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    if (const Section* section = file.find_section(name)) {
      auto bytes = file.read(*section);
      if (bytes && is_header(*bytes)) return bytes;
    }
  }
  if (file.sections().empty()) {
    for (const Segment& segment : file.segments()) {
      if (segment.executable) continue;
      auto bytes = file.read(segment.offset, segment.file_size);
      if (!bytes) continue;
      if (const uint64_t at = find_header(*bytes); at != bytes->size()) return bytes->substr(at);
    }
  }
  return Error(Code::not_found, quoted(file.name()) + " has no table of Go functions");
}

struct Layout {
  uint64_t count = 0, text = 0;   // functions; what entries are relative to
  uint64_t names = 0, table = 0;  // places in the bytes
  uint64_t field = 0;             // bytes of a number in the table of functions
  uint64_t entry_size = 0;        // of the code's address at the begin of a function's record
};

Result<Layout> read_layout(std::string_view bytes, uint64_t text) {
  if (!is_header(bytes)) return Error(Code::invalid, "not a table of Go functions that is known here (Go 1.2 to 1.25)");
  const uint64_t pointer = static_cast<uint8_t>(bytes[7]);
  const auto word = [&](uint64_t number) {
    const uint64_t at = 8 + number * pointer;
    return pointer == 8 ? number_at<uint64_t>(bytes, at) : number_at<uint32_t>(bytes, at);
  };
  Layout layout;
  layout.count = word(0);
  switch (number_at<uint32_t>(bytes, 0)) {
    case kMagic2:
      layout.table = 8 + pointer;
      layout.field = layout.entry_size = pointer;
      break;
    case kMagic16:
      layout.names = word(2);
      layout.table = word(6);
      layout.field = layout.entry_size = pointer;
      break;
    default:
      // Position-independent programs have 0 here until they run, and so has every program since Go 1.26.
      layout.text = word(2) != 0 ? word(2) : text;
      layout.names = word(3);
      layout.table = word(7);
      layout.field = layout.entry_size = 4;
      break;
  }
  if (layout.count > kMaxFunctions)
    return Error(Code::limit, "the table of Go functions claims " + std::to_string(layout.count));
  if (layout.table > bytes.size() || layout.names > bytes.size() ||
      (layout.count * 2 + 1) * layout.field > bytes.size() - layout.table) {
    return Error(Code::invalid, "the table of Go functions is cut");
  }
  return layout;
}

}  // namespace

Result<std::vector<Symbol>> parse_go_table(std::string_view bytes, uint64_t text) {
  auto layout = read_layout(bytes, text);
  if (!layout) return std::move(layout).error();
  const auto field = [&](uint64_t at) {
    return layout->field == 8 ? number_at<uint64_t>(bytes, at) : number_at<uint32_t>(bytes, at);
  };
  // Records are relative to the table of functions, in Go 1.2's format to the begin of everything.
  const uint64_t base = layout->names == 0 ? 0 : layout->table;
  std::vector<Symbol> functions;
  uint64_t name_bytes = 0;
  for (uint64_t i = 0; i < layout->count; ++i) {
    const uint64_t at = layout->table + i * 2 * layout->field;
    const uint64_t start = field(at), end = field(at + 2 * layout->field);
    const uint64_t record = base + field(at + layout->field);
    if (record >= bytes.size()) continue;
    const auto name_at = number_at<uint32_t>(bytes, record + layout->entry_size);
    const std::string_view name = text_at(bytes, layout->names + name_at).substr(0, 4096);
    if (name.empty() || end < start) continue;
    name_bytes += name.size();
    if (name_bytes > kMaxNames) return Error(Code::limit, "the names of the Go functions are larger than 512 MiB");
    functions.push_back({std::string(name), layout->text + start, 0, end - start});
  }
  return functions;
}

Result<std::vector<Symbol>> list_go_functions(const ElfFile& file) {
  auto bytes = read_table(file);
  if (!bytes) return std::move(bytes).error();
  uint64_t text = 0;
  if (const Section* section = file.find_section(".text")) {
    text = section->address;
  } else {
    for (const Segment& segment : file.segments()) {
      if (segment.executable) text = segment.address;
    }
  }
  auto functions = parse_go_table(*bytes, text);
  if (!functions) return std::move(functions).error().with_context(quoted(file.name()));
  std::erase_if(*functions, [&](Symbol& function) {
    auto offset = file.code_offset(function.address);
    if (offset) function.offset = *offset;
    return !offset;
  });
  return functions;
}

}  // namespace tetragon::elf
