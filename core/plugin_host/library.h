// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loaded file. Boost.DLL stays behind this header.

#include <tetragon/abi.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/util/result.h"

namespace tetragon::plugin_host {

class Library {
 public:
  // All symbols resolved now, none given to others. Constructors of the file run here.
  static Result<Library> open(const std::string& path);
  Library(Library&&) noexcept;
  Library& operator=(Library&&) noexcept;
  ~Library();

  const tetragon_plugin& descriptor() const noexcept { return *descriptor_; }
  std::uint64_t descriptor_size() const noexcept { return size_; }  // by the symbol table; 0: unknown

 private:
  struct Handle;
  Library();
  std::unique_ptr<Handle> handle_;
  const tetragon_plugin* descriptor_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace tetragon::plugin_host
