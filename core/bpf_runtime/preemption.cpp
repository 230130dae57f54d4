// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/preemption.h"

#include <sys/utsname.h>

#include <fstream>
#include <sstream>

namespace tetragon::bpf_runtime {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// One word of the text, or the last part of one: "preempt=" of "quiet preempt=full".
std::string_view value_of(std::string_view text, std::string_view key) {
  std::string_view value;
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at != 0 && text[at - 1] != ' ' && text[at - 1] != '\n') continue;
    const std::string_view rest = text.substr(at + key.size());
    value = rest.substr(0, rest.find_first_of(" \n"));  // the last one counts
  }
  return value;
}

}  // namespace

bool preempts_kernel_code(std::string_view switchable, std::string_view command_line, std::string_view version,
                          std::string_view config) {
  if (switchable.find('(') != std::string_view::npos) {
    return switchable.find("(full)") != std::string_view::npos || switchable.find("(lazy)") != std::string_view::npos;
  }
  if (version.find("PREEMPT_RT") != std::string_view::npos) return true;
  if (version.find("PREEMPT_DYNAMIC") == std::string_view::npos) {
    return version.find("PREEMPT") != std::string_view::npos;
  }
  if (const std::string_view mode = value_of(command_line, "preempt="); !mode.empty()) {
    return mode == "full" || mode == "lazy";
  }
  return value_of(config, "CONFIG_PREEMPT=") == "y" || value_of(config, "CONFIG_PREEMPT_LAZY=") == "y";
}

bool preempts_kernel_code() {
  utsname name{};
  if (::uname(&name) != 0) return false;
  return preempts_kernel_code(read("/sys/kernel/debug/sched/preempt"), read("/proc/cmdline"), name.version,
                              read(std::string("/boot/config-") + name.release));
}

}  // namespace tetragon::bpf_runtime
