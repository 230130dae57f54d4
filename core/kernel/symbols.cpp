// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/symbols.h"

#include <algorithm>
#include <functional>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::kernel {

Result<Symbols> Symbols::load(const std::string& path) {
  auto text = read_file(path, size_t{64} << 20);
  if (!text.ok()) {
    return std::move(text).error();
  }
  return parse(std::move(*text));
}

// "ffffffff81000000 T name\t[module]"
Symbols Symbols::parse(std::string text) {
  Symbols symbols;
  const std::string_view all = text;
  size_t at = 0;
  while (at < all.size()) {
    const size_t end = std::min(all.find('\n', at), all.size());
    const std::string_view line = all.substr(at, end - at);
    at = end + 1;
    const size_t kind = line.find(' ');
    if (kind == std::string_view::npos || kind + 3 >= line.size()) {
      continue;
    }
    // Weak functions (w, W) can be hooked like others.
    const char letter = line[kind + 1];
    if (letter != 't' && letter != 'T' && letter != 'w' && letter != 'W') {
      continue;
    }
    std::string_view name = line.substr(kind + 3);
    std::string_view module;
    if (const size_t tab = name.find('\t'); tab != std::string_view::npos) {
      module = trim(name.substr(tab + 1));
      name = name.substr(0, tab);
      if (module.size() > 2 && module.front() == '[') {
        module = module.substr(1, module.size() - 2);
      }
    }
    if (module == "bpf" || name.size() > UINT16_MAX) {
      continue;  // programs of BPF come and go
    }
    uint16_t number = 0;
    if (!module.empty()) {
      const auto known = std::find(symbols.modules_.begin(), symbols.modules_.end(), module);
      number = static_cast<uint16_t>(known - symbols.modules_.begin());
      if (known == symbols.modules_.end()) {
        symbols.modules_.emplace_back(module);
      }
    }
    symbols.entries_.push_back(
        {static_cast<uint32_t>(symbols.names_.size()), static_cast<uint16_t>(name.size()), number});
    symbols.names_ += name;
  }
  size_t size = 16;
  while (size < symbols.entries_.size() * 2) {
    size *= 2;
  }
  symbols.slots_.assign(size, 0);
  for (uint32_t n = 0; n < symbols.entries_.size(); ++n) {
    size_t at_slot = std::hash<std::string_view>()(symbols.text(symbols.entries_[n])) & (size - 1);
    while (symbols.slots_[at_slot] != 0) {
      at_slot = (at_slot + 1) & (size - 1);
    }
    symbols.slots_[at_slot] = n + 1;
  }
  return symbols;
}

KernelSymbol Symbols::find(std::string_view name) const {
  KernelSymbol found;
  // Entries of one name lie behind each other in the order in which they came.
  const size_t mask = slots_.size() - 1;
  for (size_t at = std::hash<std::string_view>()(name) & mask; !slots_.empty() && slots_[at] != 0;
       at = (at + 1) & mask) {
    const Entry& entry = entries_[slots_[at] - 1];
    if (text(entry) == name && found.count++ == 0) {
      found.module = modules_[entry.module];
    }
  }
  return found;
}

std::string Symbols::closest(std::string_view name) const {
  std::vector<std::string_view> near;
  const size_t slack = std::max<size_t>(1, name.size() / 4);
  for (const Entry& entry : entries_) {
    if (entry.size + slack >= name.size() && entry.size <= name.size() + slack && !name.empty() &&
        text(entry)[0] == name[0]) {
      near.push_back(text(entry));
    }
  }
  return std::string(closest_match(name, near));
}

}  // namespace tetragon::kernel
