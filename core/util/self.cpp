// SPDX-License-Identifier: Apache-2.0
#include "core/util/self.h"

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon {

namespace {

// The kernel's USER_HZ, which is the same on every architecture we serve.
constexpr int64_t kTicksPerSecond = 1'000'000'000 / kNsPerTick;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What a time namespace adds to the boot time that this process reads. Kernels before 5.6 have no such file.
int64_t boot_offset_ticks(const std::string& procfs) {
  const auto text = read_file(procfs + "/self/timens_offsets");
  if (!text.ok()) return 0;
  for (const std::string_view line : split(*text, '\n')) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.size() != 3 || (words[0] != "boottime" && words[0] != "7")) continue;
    return number<int64_t>(words[1]).value_or(0) * kTicksPerSecond + number<int64_t>(words[2]).value_or(0) / kNsPerTick;
  }
  return 0;
}

}  // namespace

Result<uint64_t> start_ticks(const std::string& procfs, uint32_t pid) {
  const std::string path = procfs + "/" + std::to_string(pid) + "/stat";
  const auto stat = read_file(path);
  TETRAGON_TRY(stat);
  // The name in parentheses may hold anything; the start time is the 20th field after it.
  const std::string_view text = *stat;
  const std::size_t end = text.rfind(')');
  std::vector<std::string_view> fields;
  if (end != std::string_view::npos) fields = split(trim(text.substr(end + 1)), ' ');
  constexpr std::size_t kStartTime = 19;
  const auto start = fields.size() > kStartTime ? number<int64_t>(fields[kStartTime]) : std::nullopt;
  if (!start) return Error(Code::invalid, path + ": not as proc(5) describes it");
  return static_cast<uint64_t>(*start - boot_offset_ticks(procfs));
}

Result<SelfId> self_id(const std::string& procfs) {
  std::error_code error;
  const std::string path = procfs + "/self";
  const std::string pid = std::filesystem::read_symlink(path, error);
  if (error) return file_error("read " + path, error.value());
  const auto id = number<uint32_t>(pid);
  if (!id) return Error(Code::invalid, path + ": not as proc(5) describes it");
  const auto start = start_ticks(procfs, *id);
  TETRAGON_TRY(start);
  return SelfId{*id, *start};
}

}  // namespace tetragon
