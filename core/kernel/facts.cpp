// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/facts.h"

#include <sys/stat.h>

#include <utility>

namespace tetragon::kernel {

namespace {

struct HostNamespace {
  const char* file;
  uint32_t first;  // include/linux/proc_ns.h; 0: numbered at run time before 6.18
};
constexpr HostNamespace kHostNamespaces[] = {{"uts", 0xEFFFFFFE},
                                             {"ipc", 0xEFFFFFFF},
                                             {"mnt", 0},
                                             {"pid", 0xEFFFFFFC},
                                             {"pid_for_children", 0xEFFFFFFC},
                                             {"net", 0},
                                             {"time", 0xEFFFFFFA},
                                             {"time_for_children", 0xEFFFFFFA},
                                             {"cgroup", 0xEFFFFFFB},
                                             {"user", 0xEFFFFFFD}};

}  // namespace

std::array<uint32_t, 10> host_namespaces(const std::string& root) {
  std::array<uint32_t, 10> numbers{};
  for (size_t n = 0; n < numbers.size(); ++n) {
    struct stat status {};
    const std::string file = std::string("/ns/") + kHostNamespaces[n].file;
    if (::stat((root + "/proc/1" + file).c_str(), &status) == 0) {
      numbers[n] = static_cast<uint32_t>(status.st_ino);
    } else if (::lstat((root + "/proc/self" + file).c_str(), &status) == 0) {
      numbers[n] = kHostNamespaces[n].first;
    }
  }
  return numbers;
}

Facts::Facts(FactsOptions options) : options_(std::move(options)), tracefs_(options_.root) {}

const Types* Facts::types() {
  if (!types_tried_) {
    types_tried_ = true;
    if (auto types = Types::load(options_.btf); types.ok()) {
      types_.emplace(std::move(*types));
    } else {
      types_problem_ = types.error().message();
    }
  }
  return types_ ? &*types_ : nullptr;
}

const Symbols* Facts::symbols() {
  if (!symbols_tried_) {
    symbols_tried_ = true;
    if (!options_.without_symbols) {
      if (auto symbols = Symbols::load(options_.root + "/proc/kallsyms"); symbols.ok() && symbols->size() != 0) {
        symbols_.emplace(std::move(*symbols));
      }
    }
  }
  return symbols_ ? &*symbols_ : nullptr;
}

const Types* Facts::module_types(const std::string& module) {
  if (types() == nullptr || module.empty() || module.find('/') != std::string::npos) {
    return nullptr;
  }
  for (const auto& [name, types] : modules_) {
    if (name == module) {
      return types.get();
    }
  }
  auto loaded = Types::load_split(options_.root + "/sys/kernel/btf/" + module, *types_);
  modules_.emplace_back(module, loaded.ok() ? std::make_unique<Types>(std::move(*loaded)) : nullptr);
  return modules_.back().second.get();
}

Result<const Types*> Facts::file_types(const std::string& path) {
  for (const auto& [name, types] : files_) {
    if (name == path) {
      return types.get();
    }
  }
  auto loaded = Types::load(path);
  if (!loaded.ok()) {
    return std::move(loaded).error();
  }
  files_.emplace_back(path, std::make_unique<Types>(std::move(*loaded)));
  return files_.back().second.get();
}

// Global functions of the kernel itself, one of each: reading all symbols (a tenth of a second) would tell nothing
// more.
static bool is_unique(std::string_view name) {
  for (const std::string_view prefix : {"__x64_sys_", "__ia32_sys_", "__arm64_sys_", "security_", "bpf_lsm_"}) {
    if (name.starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

Facts::Function Facts::function(std::string_view name) {
  Function found;
  if (types() != nullptr && types_->has_function(name)) {
    found.exists = true;
    found.types = &*types_;
    if (is_unique(name)) {
      return found;
    }
  }
  if (symbols() != nullptr) {
    const KernelSymbol symbol = symbols_->find(name);
    // BTF alone may know a function that the linker left out.
    found.exists = symbol.count != 0;
    found.ambiguous = symbol.count > 1;
    found.module = symbol.module;
    if (!found.exists) {
      found.types = nullptr;
    } else if (!symbol.module.empty()) {
      const Types* module = module_types(symbol.module);
      found.types = module != nullptr && module->has_function(name) ? module : nullptr;
    }
  }
  return found;
}

std::string Facts::closest_function(std::string_view name) {
  if (symbols() != nullptr) {
    return symbols_->closest(name);
  }
  return types() != nullptr ? types_->closest_function(name) : std::string();
}

Result<EventFormat> Facts::event_format(std::string_view subsystem, std::string_view event) {
  auto format = tracefs_.format(subsystem, event);
  if (format.ok() || format.error().code() == Code::not_found || format.error().code() == Code::invalid) {
    return format;
  }
  if (types() == nullptr) {
    return Error(Code::unsupported, format.error().message() + "; and no BTF: " + types_problem_);
  }
  auto by_types = format_from_types(*types_, subsystem, event);
  if (!by_types.ok()) {
    return Error(by_types.error().code(), by_types.error().message() + " (" + format.error().message() + ")");
  }
  return by_types;
}

Result<std::vector<std::string>> Facts::functions_matching(const std::string& pattern) {
  auto names = matching([&](const auto& visit) { return tracefs_.for_each_function(visit); }, pattern);
  if (names.ok() || names.error().code() == Code::invalid) {
    return names;
  }
  return matching(
      [&](const std::function<void(std::string_view)>& visit) -> Result<void> {
        if (symbols() != nullptr) {
          symbols_->for_each(visit);
        } else if (types() != nullptr) {
          types_->for_each_function(visit);
        } else {
          return Error(Code::unsupported, "neither " + tracefs_.reason() + " nor /proc/kallsyms lists functions");
        }
        return {};
      },
      pattern);
}

}  // namespace tetragon::kernel
