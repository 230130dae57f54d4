// SPDX-License-Identifier: Apache-2.0
#include "folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

Folder::Folder() {
  ::umask(022);
  char name[] = "/tmp/tetragon-plugins-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  path_ = name;
  for (const char* kind : {"hooks", "actions", "sinks"}) {
    fs::create_directories(path_ + "/" + kind);
  }
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string Folder::put(const std::string& module, const std::string& where) const {
  const std::string to = path_ + "/" + where + (where.ends_with(".so") ? "" : "/" + module + ".so");
  fs::create_directories(fs::path(to).parent_path());
  fs::copy_file(std::string(TEST_MODULES) + "/" + module + ".so", to);
  fs::permissions(to, fs::perms(0755));
  return to;
}

std::string Folder::write(const std::string& where, const std::string& text) const {
  const std::string to = path_ + "/" + where;
  std::ofstream(to) << text;
  return to;
}

Host::Host(const Folder& folder, const std::string& allow_list)
    : runtime({}),
      host(runtime,
           {[this](std::uint32_t, std::string_view plugin, std::string_view text) {
              std::lock_guard lock(mutex);
              lines.push_back(std::string(plugin) + ": " + std::string(text));
            },
            [](std::string_view option) {
              return option == "test-word" ? std::optional<std::string>("moon") : std::nullopt;
            },
            [this](std::span<const std::byte> record) {
              if (records.size() >= capacity) {
                return false;
              }
              records.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
              return true;
            },
            [](std::string_view name) -> tetragon::Result<void> {
              if (name == "moon") return {};
              return tetragon::Error(tetragon::Code::unsupported, "this kernel has no " + std::string(name));
            }},
           {folder.path(), allow_list}) {}

bool Host::logged(const std::string& part) {
  std::lock_guard lock(mutex);
  for (const auto& line : lines) {
    if (line.find(part) != std::string::npos) {
      return true;
    }
  }
  return false;
}

tetragon::plugin_host::PluginInfo Host::entry(const std::string& file) {
  for (auto& plugin : host.plugins()) {
    if (plugin.path == file) {
      return plugin;
    }
  }
  FAIL("no entry for " << file);
  return {};
}
