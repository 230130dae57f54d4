// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <boost/dll/shared_library.hpp>

#include "core/util/strings.h"

namespace tetragon::plugin_host {

struct Library::Handle {
  boost::dll::shared_library library;
};

Library::Library() = default;
Library::Library(Library&&) noexcept = default;
Library& Library::operator=(Library&&) noexcept = default;
Library::~Library() = default;

Result<Library> Library::open(const std::string& path) {
  Library result;
  result.handle_ = std::make_unique<Handle>();
  auto& library = result.handle_->library;
  try {
    library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::exception& e) {
    return Error(Code::invalid, "load " + quoted(path) + ": " + e.what());
  }
  if (!library.has(TETRAGON_PLUGIN_SYMBOL)) {
    return Error(Code::invalid, "file " + quoted(path) +
                                    " does not export " TETRAGON_PLUGIN_SYMBOL
                                    ": it is no plugin, or one for another major version of the ABI");
  }
  try {
    // As bytes first: what it is, is not known yet.
    const auto* address = &library.get<const unsigned char>(TETRAGON_PLUGIN_SYMBOL);
    if (reinterpret_cast<std::uintptr_t>(address) % alignof(tetragon_plugin) != 0) {
      return Error(Code::invalid, "file " + quoted(path) + ": " TETRAGON_PLUGIN_SYMBOL " is no data object");
    }
    result.descriptor_ = reinterpret_cast<const tetragon_plugin*>(address);
  } catch (const std::exception& e) {
    return Error(Code::invalid, "read " TETRAGON_PLUGIN_SYMBOL " of " + quoted(path) + ": " + e.what());
  }
  Dl_info info{};
  const ElfW(Sym)* symbol = nullptr;
  if (::dladdr1(result.descriptor_, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)),
                RTLD_DL_SYMENT) != 0 &&
      symbol != nullptr) {
    if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) {
      return Error(Code::invalid, "file " + quoted(path) + ": " TETRAGON_PLUGIN_SYMBOL " is no data object");
    }
    result.size_ = symbol->st_size;
    if (result.size_ < sizeof(std::uint32_t)) {
      return Error(Code::invalid,
                   "file " + quoted(path) + ": " TETRAGON_PLUGIN_SYMBOL " is too small to be a descriptor");
    }
  }
  return result;
}

}  // namespace tetragon::plugin_host
