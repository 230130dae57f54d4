// SPDX-License-Identifier: Apache-2.0
#include "answerable.h"

#include <fstream>
#include <sstream>

namespace tetragon::answerable {

std::set<std::string> functions(const std::string& root) {
  std::set<std::string> names;
  std::string line, name;
  // Of functions with several names the list shows another one than the call's: __do_sys_getuid.
  std::ifstream list(root + "/sys/kernel/debug/error_injection/list");  // "__x64_sys_read  ERRNO"
  while (std::getline(list, line)) {
    if (std::istringstream(line) >> name) names.insert(name);
  }
  // ALLOW_ERROR_INJECTION(f) makes a variable; CONFIG_KALLSYMS_ALL shows it.
  constexpr std::string_view kMark = " _eil_addr_";
  std::ifstream symbols(root + "/proc/kallsyms");  // "address type name [module]"
  while (std::getline(symbols, line)) {
    const std::size_t at = line.find(kMark);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + kMark.size();
    names.insert(line.substr(begin, line.find_first_of("\t ", begin) - begin));
  }
  return names;
}

std::set<std::string> with_null_only(const std::string& root) {
  std::set<std::string> names;
  std::string name, kind;
  std::ifstream list(root + "/sys/kernel/debug/error_injection/list");
  while (list >> name >> kind) {
    if (kind == "NULL") names.insert(name);
  }
  return names;
}

}  // namespace tetragon::answerable
