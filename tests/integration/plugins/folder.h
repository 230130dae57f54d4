// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plugin folder of the test's own, and a host on it.

#include <mutex>
#include <string>
#include <vector>

#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/plugin_host.h"

class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  const std::string& path() const noexcept { return path_; }
  // Copies a built module, e.g. ("good", "hooks") or ("good", "hooks/other.so"); answers the new file's path.
  std::string put(const std::string& module, const std::string& where = "hooks") const;
  std::string write(const std::string& where, const std::string& text) const;

 private:
  std::string path_;
};

struct Host {
  explicit Host(const Folder& folder, const std::string& allow_list = {});

  bool logged(const std::string& part);
  // The entry of the file, not the id: refused plugins may have none.
  tetragon::plugin_host::PluginInfo entry(const std::string& file);

  std::mutex mutex;
  std::vector<std::string> lines;
  std::vector<std::string> records;
  std::size_t capacity = 1000;
  tetragon::bpf_runtime::Runtime runtime;
  tetragon::plugin_host::PluginHost host;
};
