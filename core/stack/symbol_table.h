// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions by their place, in as little memory as allows a binary search.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tetragon::stack {

struct Symbol {
  std::string_view name;
  uint64_t start = 0;
};

class SymbolTable {
 public:
  class Builder {
   public:
    explicit Builder(size_t max_bytes) : max_bytes_(max_bytes) {}
    // Size 0: up to the next one. Of several at one place the highest rank stays, then the first that came. False: the
    // table would become larger than max_bytes; what came before is kept.
    bool add(std::string_view name, uint64_t start, uint64_t size, int rank);
    SymbolTable build() &&;

   private:
    struct Item {
      uint64_t start;
      uint32_t size, name;
      int32_t rank;
    };
    size_t max_bytes_;
    std::vector<Item> items_;
    std::string names_;
  };

  SymbolTable() = default;

  // The function that this address is in; false: none is known. A function without a size ends `max_gap` behind its
  // begin at the latest.
  bool find(uint64_t address, uint64_t max_gap, Symbol& ret_symbol) const noexcept;

  bool empty() const noexcept { return entries_.empty(); }
  size_t size() const noexcept { return entries_.size(); }
  size_t bytes() const noexcept {
    return entries_.capacity() * sizeof(Entry) + names_.capacity() + build_id_.capacity();
  }

  // Of the file, in hexadecimal; empty: it has none.
  const std::string& build_id() const noexcept { return build_id_; }
  void set_build_id(std::string text) { build_id_ = std::move(text); }

 private:
  struct Entry {
    uint64_t start;
    uint32_t size, name;
  };
  std::vector<Entry> entries_;
  std::string names_;  // each ends with a NUL
  std::string build_id_;
};

}  // namespace tetragon::stack
