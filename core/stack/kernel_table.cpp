// SPDX-License-Identifier: Apache-2.0
#include "core/stack/kernel_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "core/util/fd.h"
#include "core/util/file.h"

namespace tetragon::stack {
namespace {

constexpr size_t kPiece = size_t{256} << 10;

}  // namespace

// "ffffffff81000000 T name\t[module]"
bool add_kernel_symbol(std::string_view line, SymbolTable::Builder& builder) {
  const size_t kind = line.find(' ');
  if (kind == std::string_view::npos || kind + 3 >= line.size()) return true;
  const char letter = line[kind + 1];
  if (letter != 't' && letter != 'T' && letter != 'w' && letter != 'W') return true;
  uint64_t address = 0;
  const auto [end, problem] = std::from_chars(line.data(), line.data() + kind, address, 16);
  if (problem != std::errc{} || end != line.data() + kind || address == 0) return true;
  std::string_view name = line.substr(kind + 3);
  return builder.add(name.substr(0, name.find('\t')), address, 0, 0);
}

Result<SymbolTable> read_kernel_table(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error("kernel symbols: open '" + path + "'", errno);
  SymbolTable::Builder builder(kMaxKernelTable);
  std::string buffer;
  bool room = true;
  while (room) {
    const size_t kept = buffer.size();
    if (kept > kPiece) return Error(Code::invalid, "kernel symbols: '" + path + "' has a line without an end");
    buffer.resize(kept + kPiece);
    const ssize_t got = ::read(fd.get(), buffer.data() + kept, kPiece);
    if (got < 0 && errno == EINTR) {
      buffer.resize(kept);
      continue;
    }
    if (got < 0) return file_error("kernel symbols: read '" + path + "'", errno);
    buffer.resize(kept + static_cast<size_t>(got));
    size_t at = 0;
    for (size_t end = buffer.find('\n'); room && end != std::string::npos; end = buffer.find('\n', at)) {
      room = add_kernel_symbol(std::string_view(buffer).substr(at, end - at), builder);
      at = end + 1;
    }
    buffer.erase(0, at);
    if (got == 0) {
      add_kernel_symbol(buffer, builder);
      break;
    }
  }
  return std::move(builder).build();
}

}  // namespace tetragon::stack
