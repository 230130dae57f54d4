// SPDX-License-Identifier: Apache-2.0
#include "core/elf/symbols.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/util/strings.h"

namespace tetragon::elf {
namespace {

constexpr uint32_t kSymtab = 2, kDynsym = 11;                               // section types
constexpr uint8_t kNotype = 0, kObject = 1, kFunction = 2, kIndirect = 10;  // symbol types
constexpr uint8_t kLocal = 0, kGlobal = 1;                                  // bindings
constexpr uint16_t kVersionHidden = 0x8000, kVersionMask = 0x7fff;

struct Entry {
  std::string_view name, version;
  uint64_t address = 0, size = 0;
  uint8_t type = 0, binding = 0;
  bool defined = false;
  bool old_version = false;  // name@V, not the default name@@V
};

// A symbol table with everything it points to in memory.
class Table {
 public:
  static Result<Table> read(const ElfFile& file, const Section& section) {
    Table table;
    table.is_64_ = file.is_64();
    auto symbols = file.read(section);
    if (!symbols) return std::move(symbols).error().with_context("symbol table " + section.name);
    table.symbols_ = std::move(*symbols);
    if (section.link >= file.sections().size())
      return Error(Code::invalid, "symbol table " + section.name + " names no string table");
    auto names = file.read(file.sections()[section.link]);
    if (!names) return std::move(names).error().with_context("names of symbol table " + section.name);
    table.names_ = std::move(*names);
    if (section.type == kDynsym) table.read_versions(file);
    return table;
  }

  uint64_t count() const noexcept { return symbols_.size() / entry_size(); }

  Entry entry(uint64_t number) const noexcept {
    const uint64_t at = number * entry_size();
    Entry entry;
    entry.name = text_at(names_, number_at<uint32_t>(symbols_, at));
    const auto info = number_at<uint8_t>(symbols_, at + (is_64_ ? 4 : 12));
    entry.type = info & 15;
    entry.binding = info >> 4;
    entry.defined = number_at<uint16_t>(symbols_, at + (is_64_ ? 6 : 14)) != 0;
    entry.address = is_64_ ? number_at<uint64_t>(symbols_, at + 8) : number_at<uint32_t>(symbols_, at + 4);
    entry.size = is_64_ ? number_at<uint64_t>(symbols_, at + 16) : number_at<uint32_t>(symbols_, at + 8);
    // Linkers write the version into .symtab's names, and into a table of its own for .dynsym.
    if (const size_t mark = entry.name.find('@'); mark != std::string_view::npos && mark != 0) {
      entry.old_version = entry.name.substr(mark, 2) != "@@";
      entry.version = entry.name.substr(mark + (entry.old_version ? 1 : 2));
      entry.name = entry.name.substr(0, mark);
    } else if (!versions_.empty()) {
      const auto version = number_at<uint16_t>(versions_, number * 2);
      entry.old_version = (version & kVersionHidden) != 0;
      const size_t index = version & kVersionMask;
      if (index < version_names_.size()) entry.version = version_names_[index];
    }
    return entry;
  }

 private:
  uint64_t entry_size() const noexcept { return is_64_ ? 24 : 16; }

  // .gnu.version numbers the versions that .gnu.version_d names. What is wrong there only costs the names.
  void read_versions(const ElfFile& file) {
    const Section* numbers = file.find_section(".gnu.version");
    const Section* definitions = file.find_section(".gnu.version_d");
    if (numbers == nullptr || definitions == nullptr) return;
    auto versions = file.read(*numbers);
    auto table = file.read(*definitions);
    if (!versions || !table) return;
    versions_ = std::move(*versions);
    uint64_t at = 0;
    for (int i = 0; i < kVersionMask; ++i) {
      const size_t index = number_at<uint16_t>(*table, at + 4) & kVersionMask;
      const uint64_t name_at = at + number_at<uint32_t>(*table, at + 12);
      if (index >= version_names_.size()) version_names_.resize(index + 1);
      version_names_[index] = std::string(text_at(names_, number_at<uint32_t>(*table, name_at)).substr(0, 256));
      const auto next = number_at<uint32_t>(*table, at + 16);
      if (next == 0 || next >= table->size() - at) break;
      at += next;
    }
  }

  bool is_64_ = true;
  std::string symbols_, names_, versions_;
  std::vector<std::string> version_names_;
};

// Calls visit(entry) for every defined symbol of the file, .symtab first.
template <class Visit>
Result<void> for_each_symbol(const ElfFile& file, Visit&& visit) {
  for (const uint32_t type : {kSymtab, kDynsym}) {
    for (const Section& section : file.sections()) {
      if (section.type != type) continue;
      auto table = Table::read(file, section);
      if (!table) return std::move(table).error().with_context(quoted(file.name()));
      for (uint64_t i = 1; i < table->count(); ++i) {
        const Entry entry = table->entry(i);
        if (entry.defined && !entry.name.empty()) visit(entry);
      }
    }
  }
  return {};
}

bool is_code(const Entry& entry) noexcept {
  return entry.type == kFunction || entry.type == kIndirect || entry.type == kNotype;
}

struct Wanted {
  std::string_view name, version;
  uint64_t add = 0;
};

std::optional<uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Wanted> parse_wanted(std::string_view text) {
  Wanted wanted{.name = text, .version = {}};
  if (const size_t plus = text.rfind('+'); plus != std::string_view::npos && plus != 0) {
    const auto add = parse_number(text.substr(plus + 1));
    if (!add) {
      return Error(Code::invalid, "symbol " + quoted(text) + ": " + quoted(text.substr(plus + 1)) +
                                      " is not an offset; write NAME+16 or NAME+0x10");
    }
    wanted.add = *add;
    wanted.name = text.substr(0, plus);
  }
  if (const size_t mark = wanted.name.find('@'); mark != std::string_view::npos && mark != 0) {
    wanted.version = wanted.name.substr(wanted.name.substr(mark, 2) == "@@" ? mark + 2 : mark + 1);
    wanted.name = wanted.name.substr(0, mark);
  }
  if (wanted.name.empty()) return Error(Code::invalid, "the name of a symbol is empty");
  return wanted;
}

// Which of several symbols of a name is meant: the one other files would bind to.
int rank(const Entry& entry) noexcept {
  const int type = entry.type == kNotype ? 0 : 1;
  const int binding = entry.binding == kLocal ? 0 : entry.binding == kGlobal ? 2 : 1;
  // Some linkers leave the versions out of .symtab: what .dynsym says of them counts more.
  const int version = entry.old_version ? 0 : entry.version.empty() ? 1 : 2;
  return type * 16 + binding * 4 + version;
}

struct Best {
  std::optional<int> rank;
  uint64_t address = 0, size = 0;
  uint8_t type = 0;
  std::vector<uint64_t> others;  // addresses of the same rank

  void add(const Entry& entry) {
    const int mine = elf::rank(entry);
    if (!rank || mine > *rank) {
      rank = mine;
      address = entry.address;
      size = entry.size;
      type = entry.type;
      others.clear();
    } else if (mine == *rank && entry.address != address &&
               std::find(others.begin(), others.end(), entry.address) == others.end()) {
      others.push_back(entry.address);
    }
  }
};

Error ambiguous(const ElfFile& file, std::string_view name, const Best& best) {
  std::string where = hex(best.address);
  constexpr size_t kShown = 4;
  for (size_t i = 0; i < best.others.size() && i < kShown; ++i) where += ", " + hex(best.others[i]);
  if (best.others.size() > kShown) where += ", …";
  return {Code::invalid, std::to_string(best.others.size() + 1) + " functions of " + quoted(file.name()) +
                             " are named " + quoted(name) + "; say which by its address (addrs): " + where};
}

Result<Symbol> place(const ElfFile& file, const Wanted& wanted, uint64_t address, uint64_t size) {
  if (size != 0 && wanted.add >= size) {
    return Error(Code::invalid, "symbol " + quoted(wanted.name) + " of " + quoted(file.name()) + " has " +
                                    std::to_string(size) + " bytes; offset " + std::to_string(wanted.add) +
                                    " is beyond its end");
  }
  auto offset = file.code_offset(address + wanted.add);
  if (!offset) return std::move(offset).error().with_context("symbol " + quoted(wanted.name));
  return Symbol{std::string(wanted.name), address + wanted.add, *offset, size};
}

}  // namespace

Result<Symbol> find_function(const ElfFile& file, std::string_view text) {
  auto wanted = parse_wanted(text);
  if (!wanted) return std::move(wanted).error();
  Best best;
  // The words of .symtab's own name may hold a '+' or '@' too (assembler): the whole text is tried as well.
  Best whole;
  TETRAGON_TRY(for_each_symbol(file, [&](const Entry& entry) {
    if (!is_code(entry)) return;
    if (entry.name == wanted->name && (wanted->version.empty() || wanted->version == entry.version)) best.add(entry);
    if (wanted->add != 0 && entry.name == text) whole.add(entry);
  }));
  if (!best.rank && whole.rank) {
    best = whole;
    wanted = Wanted{.name = text, .version = {}};
  }
  if (best.rank) {
    if (best.type == kIndirect) {
      return Error(Code::unsupported,
                   "symbol " + quoted(wanted->name) + " of " + quoted(file.name()) +
                       " is an indirect function (IFUNC): there is only the code that chooses, once, which function "
                       "will run; name that function, or give its address (addrs)");
    }
    if (!best.others.empty()) return ambiguous(file, wanted->name, best);
    return place(file, *wanted, best.address, best.size);
  }
  auto functions = list_go_functions(file);
  if (functions) {
    for (const Symbol& function : *functions) {
      if (function.name == wanted->name) return place(file, *wanted, function.address, function.size);
    }
  } else if (functions.error().code() != Code::not_found) {
    return std::move(functions).error();
  }
  const bool has_table = std::any_of(file.sections().begin(), file.sections().end(),
                                     [](const Section& section) { return section.type == kSymtab; });
  return Error(Code::not_found, quoted(file.name()) + " has no function " + quoted(text) +
                                    (has_table || functions ? ""
                                                            : " among those it exports, and it is stripped of the "
                                                              "others' names; use offsets or addrs"));
}

Result<uint64_t> find_address(const ElfFile& file, std::string_view name) {
  Best best;
  TETRAGON_TRY(for_each_symbol(file, [&](const Entry& entry) {
    if (entry.name == name && (is_code(entry) || entry.type == kObject)) best.add(entry);
  }));
  if (!best.rank) return Error(Code::not_found, quoted(file.name()) + " has no symbol " + quoted(name));
  if (!best.others.empty()) {
    return Error(Code::invalid, quoted(file.name()) + " has several symbols named " + quoted(name));
  }
  return best.address;
}

Result<void> check_return_probe(const ElfFile& file, uint64_t offset) {
  auto address = file.code_address(offset);
  if (!address) return std::move(address).error();
  std::string inside;
  bool begin = false;
  TETRAGON_TRY(for_each_symbol(file, [&](const Entry& entry) {
    if (entry.type != kFunction) return;
    if (entry.address == *address) begin = true;
    if (*address > entry.address && *address - entry.address < entry.size) inside = entry.name;
  }));
  if (!begin && !inside.empty()) {
    return Error(Code::invalid, "offset " + hex(offset) + " of " + quoted(file.name()) + " is inside of function " +
                                    quoted(inside) + "; the return can be hooked only from its begin");
  }
  auto functions = list_go_functions(file);
  if (!functions) return {};
  for (const Symbol& function : *functions) {
    if (*address < function.address || *address - function.address >= function.size) continue;
    return Error(Code::unsupported,
                 quoted(function.name) + " of " + quoted(file.name()) +
                     " is a Go function: Go moves its stacks, and a program whose return is hooked crashes");
  }
  return {};
}

Result<void> for_each_function(const ElfFile& file, uint64_t max_bytes, const VisitFunction& visit) {
  uint64_t bytes = 0;
  for (const Section& section : file.sections()) {
    if (section.type != kSymtab && section.type != kDynsym) continue;
    bytes += std::min(section.size, max_bytes + 1);
    if (section.link < file.sections().size()) bytes += std::min(file.sections()[section.link].size, max_bytes + 1);
    if (bytes > max_bytes) {
      return Error(Code::limit, quoted(file.name()) + " has more than " + std::to_string(max_bytes) +
                                    " bytes of symbols, so many are not read for stack traces");
    }
  }
  bool found = false;
  TETRAGON_TRY(for_each_symbol(file, [&](const Entry& entry) {
    if (entry.type != kFunction || entry.address == 0) return;
    const auto offset = file.code_offset(entry.address);
    if (!offset) return;
    found = true;
    visit(entry.name, *offset, entry.size, rank(entry));
  }));
  if (found) return {};
  auto functions = list_go_functions(file);
  if (!functions) return functions.error().code() == Code::not_found ? Result<void>() : std::move(functions).error();
  for (const Symbol& function : *functions) visit(function.name, function.offset, function.size, 0);
  return {};
}

Result<std::vector<Symbol>> list_functions(const ElfFile& file) {
  std::vector<Symbol> found;
  TETRAGON_TRY(for_each_symbol(file, [&](const Entry& entry) {
    if (entry.type != kFunction || entry.address == 0) return;
    if (auto offset = file.code_offset(entry.address))
      found.push_back({std::string(entry.name), entry.address, *offset, entry.size});
  }));
  if (found.empty()) {
    auto functions = list_go_functions(file);
    if (functions) return functions;
    if (functions.error().code() != Code::not_found) return functions;
  }
  std::sort(found.begin(), found.end(), [](const Symbol& a, const Symbol& b) {
    return a.name != b.name ? a.name < b.name : a.address < b.address;
  });
  std::vector<Symbol> functions;
  for (size_t i = 0; i < found.size();) {
    size_t next = i + 1;
    bool shared = false;
    for (; next < found.size() && found[next].name == found[i].name; ++next)
      shared = shared || found[next].address != found[i].address;
    if (!shared) functions.push_back(std::move(found[i]));
    i = next;
  }
  std::sort(functions.begin(), functions.end(), [](const Symbol& a, const Symbol& b) {
    return a.address != b.address ? a.address < b.address : a.name < b.name;
  });
  return functions;
}

}  // namespace tetragon::elf
