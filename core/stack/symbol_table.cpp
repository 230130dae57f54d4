// SPDX-License-Identifier: Apache-2.0
#include "core/stack/symbol_table.h"

#include <algorithm>

namespace tetragon::stack {

bool SymbolTable::Builder::add(std::string_view name, uint64_t start, uint64_t size, int rank) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return true;
  if ((items_.size() + 1) * sizeof(Entry) + names_.size() + name.size() + 1 > max_bytes_ ||
      names_.size() > UINT32_MAX) {
    return false;
  }
  items_.push_back(
      {start, static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX)), static_cast<uint32_t>(names_.size()), rank});
  names_.append(name).push_back('\0');
  return true;
}

SymbolTable SymbolTable::Builder::build() && {
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    if (a.start != b.start) return a.start < b.start;
    return a.rank != b.rank ? a.rank > b.rank : a.name < b.name;
  });
  items_.erase(
      std::unique(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.start == b.start; }),
      items_.end());
  SymbolTable table;
  table.entries_.reserve(items_.size());
  size_t used = 0;
  for (const Item& item : items_) used += std::string_view(names_.c_str() + item.name).size() + 1;
  table.names_.reserve(used);
  for (const Item& item : items_) {
    table.entries_.push_back({item.start, item.size, static_cast<uint32_t>(table.names_.size())});
    table.names_.append(names_.c_str() + item.name).push_back('\0');
  }
  return table;
}

bool SymbolTable::find(uint64_t address, uint64_t max_gap, Symbol& ret_symbol) const noexcept {
  auto next = std::upper_bound(entries_.begin(), entries_.end(), address,
                               [](uint64_t wanted, const Entry& entry) { return wanted < entry.start; });
  if (next == entries_.begin()) return false;
  const Entry& entry = *--next;
  if (address - entry.start >= (entry.size != 0 ? entry.size : max_gap)) return false;
  ret_symbol = {names_.c_str() + entry.name, entry.start};
  return true;
}

}  // namespace tetragon::stack
