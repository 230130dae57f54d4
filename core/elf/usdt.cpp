// SPDX-License-Identifier: Apache-2.0
#include "core/elf/usdt.h"

#include <algorithm>
#include <map>

#include "core/elf/symbols.h"
#include "core/util/strings.h"

namespace tetragon::elf {
namespace {

constexpr uint32_t kSectionNote = 7, kStapsdt = 3;
constexpr uint64_t kMaxSites = 1 << 18;

struct RawSite {
  std::string provider, name, args;
  uint64_t address = 0, semaphore = 0;
};

Result<std::vector<RawSite>> read_notes(const ElfFile& file) {
  std::vector<RawSite> sites;
  // Prelink moved the program but not the addresses in the notes, which are in no segment.
  const Section* base = file.find_section(".stapsdt.base");
  const uint64_t word = file.is_64() ? 8 : 4;
  const uint64_t mask = file.is_64() ? ~uint64_t{0} : 0xffffffffU;
  const auto address_at = [&](std::string_view bytes, uint64_t number) {
    return word == 8 ? number_at<uint64_t>(bytes, number * 8) : number_at<uint32_t>(bytes, number * 4);
  };
  for (const Section& section : file.sections()) {
    if (section.type != kSectionNote) continue;
    auto bytes = file.read(section);
    if (!bytes) return std::move(bytes).error().with_context(quoted(file.name()) + ": section " + section.name);
    for_each_note(*bytes, [&](const Note& note) {
      if (note.type != kStapsdt || note.owner != "stapsdt" || note.description.size() < 3 * word) return true;
      RawSite site;
      const uint64_t noted_base = address_at(note.description, 1);
      const uint64_t moved = base != nullptr && noted_base != 0 ? base->address - noted_base : 0;
      site.address = (address_at(note.description, 0) + moved) & mask;
      if (const uint64_t semaphore = address_at(note.description, 2); semaphore != 0)
        site.semaphore = (semaphore + moved) & mask;
      uint64_t at = 3 * word;
      for (std::string* text : {&site.provider, &site.name, &site.args}) {
        const std::string_view found = text_at(note.description, at);
        *text = found.substr(0, 1024);
        at += found.size() + 1;
      }
      if (!site.provider.empty() && !site.name.empty()) sites.push_back(std::move(site));
      return sites.size() < kMaxSites;
    });
  }
  return sites;
}

// sym(%rip): the distance of the variable from the probe does not depend on where the program is loaded.
void place_symbols(const ElfFile& file, UsdtSite& site) {
  for (UsdtArg& arg : site.args) {
    if (arg.symbol.empty() || arg.kind != UsdtArg::Kind::memory) continue;
    auto address = find_address(file, arg.symbol);
    if (!address) {
      arg.kind = UsdtArg::Kind::unusable;
      arg.problem = "argument " + quoted(arg.text) + ": " + address.error().message();
      continue;
    }
    arg.constant = static_cast<int64_t>(static_cast<uint64_t>(arg.constant) + *address - site.address);
  }
}

Result<UsdtSite> make_site(const ElfFile& file, const RawSite& raw) {
  UsdtSite site;
  site.address = raw.address;
  auto offset = file.code_offset(raw.address);
  if (!offset) return std::move(offset).error();
  site.offset = *offset;
  if (raw.semaphore != 0) {
    auto semaphore = file.data_offset(raw.semaphore);
    if (!semaphore) return std::move(semaphore).error().with_context("semaphore");
    TETRAGON_TRY(file.check_counter_offset(*semaphore));
    site.semaphore_address = raw.semaphore;
    site.semaphore_offset = *semaphore;
  }
  site.args = parse_usdt_args(raw.args, file.machine());
  return site;
}

std::string probe_name(std::string_view provider, std::string_view name) {
  return quoted(std::string(provider) + ":" + std::string(name));
}

}  // namespace

Result<std::vector<UsdtSite>> find_usdts(const ElfFile& file, std::string_view provider, std::string_view name) {
  auto notes = read_notes(file);
  if (!notes) return std::move(notes).error();
  std::vector<UsdtSite> sites;
  for (const RawSite& raw : *notes) {
    if (raw.provider != provider || raw.name != name) continue;
    auto site = make_site(file, raw);
    if (!site) return std::move(site).error().with_context("probe " + probe_name(provider, name));
    place_symbols(file, *site);
    sites.push_back(std::move(*site));
  }
  if (!sites.empty()) return sites;
  std::vector<std::string> known;
  for (const RawSite& raw : *notes) {
    std::string one = probe_name(raw.provider, raw.name);
    if (std::find(known.begin(), known.end(), one) == known.end()) known.push_back(std::move(one));
    if (known.size() > 5) break;
  }
  std::string text = quoted(file.name()) + " has no probe " + probe_name(provider, name);
  if (known.empty()) {
    text += "; it has no probes at all";
  } else {
    for (size_t i = 0; i < known.size() && i < 5; ++i) text += (i == 0 ? "; there is " : ", ") + known[i];
    if (known.size() > 5) text += ", …";
  }
  return Error(Code::not_found, std::move(text));
}

Result<std::vector<UsdtProbe>> list_usdts(const ElfFile& file) {
  auto notes = read_notes(file);
  if (!notes) return std::move(notes).error();
  std::map<std::pair<std::string, std::string>, std::vector<UsdtSite>> found;
  for (const RawSite& raw : *notes) {
    if (auto site = make_site(file, raw)) found[{raw.provider, raw.name}].push_back(std::move(*site));
  }
  std::vector<UsdtProbe> probes;
  for (auto& [key, sites] : found) probes.push_back({key.first, key.second, std::move(sites)});
  return probes;
}

}  // namespace tetragon::elf
