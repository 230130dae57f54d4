// SPDX-License-Identifier: Apache-2.0
#include "core/stack/maps.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

namespace tetragon::stack {
namespace {

std::string_view word(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const size_t end = std::min(line.find(' ', begin), line.size());
  const std::string_view found = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return found;
}

bool number(std::string_view text, int base, uint64_t& ret_value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), ret_value, base);
  return problem == std::errc{} && end == text.data() + text.size();
}

}  // namespace

const Mapping* Maps::find(uint64_t address) const noexcept {
  auto next = std::upper_bound(mappings.begin(), mappings.end(), address,
                               [](uint64_t wanted, const Mapping& one) { return wanted < one.start; });
  if (next == mappings.begin() || address >= (--next)->end) return nullptr;
  return &*next;
}

// "7f0e4c028000-7f0e4c1bd000 r-xp 00028000 fd:01 1234      /usr/lib/libc.so.6"
Maps parse_maps(std::string_view text) {
  Maps maps;
  std::map<std::tuple<std::string_view, uint64_t, std::string_view>, uint32_t> known;
  size_t at = 0;
  while (at < text.size() && maps.mappings.size() < kMaxMappings) {
    const size_t line_end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, line_end - at);
    at = line_end + 1;
    const std::string_view range = word(line), rights = word(line), offset = word(line), device = word(line),
                           inode = word(line);
    if (rights.size() < 3 || rights[2] != 'x') continue;
    const size_t dash = range.find('-');
    Mapping mapping;
    MappedFile file;
    if (dash == std::string_view::npos || !number(range.substr(0, dash), 16, mapping.start) ||
        !number(range.substr(dash + 1), 16, mapping.end) || !number(offset, 16, mapping.offset) ||
        !number(inode, 10, file.inode) || mapping.end <= mapping.start ||
        (!maps.mappings.empty() && mapping.start < maps.mappings.back().end)) {
      continue;
    }
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const auto [place, first] = known.try_emplace({device, file.inode, line}, static_cast<uint32_t>(maps.files.size()));
    if (first) {
      file.path = line;
      file.device = device;
      file.mapping = maps.mappings.size();
      maps.files.push_back(std::move(file));
    }
    mapping.file = place->second;
    maps.mappings.push_back(mapping);
  }
  return maps;
}

}  // namespace tetragon::stack
