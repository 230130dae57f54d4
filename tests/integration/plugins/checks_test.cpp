// SPDX-License-Identifier: Apache-2.0
// Everything that must stop a plugin before one of its functions runs, each beside a good plugin that must still load.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/plugin_host/sha256.h"
#include "core/util/file.h"
#include "folder.h"

using tetragon::plugin_host::Status;
namespace fs = std::filesystem;

namespace {

// The bad one is refused with a reason that contains all parts; the good one starts.
void expect_refused(const Folder& folder, const std::string& bad, std::initializer_list<const char*> parts,
                    const std::string& allow_list = {}) {
  const std::string good = folder.put("good", "hooks/a_good.so");
  Host host(folder, allow_list);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  const auto entry = host.entry(bad);
  CHECK(entry.status == Status::refused);
  CHECK(entry.number == 0);
  for (const char* part : parts) {
    INFO("reason: ", entry.reason);
    CHECK(entry.reason.find(part) != std::string::npos);
  }
  CHECK(host.logged(entry.reason));
  CHECK(host.entry(good).status == Status::started);
}

void patch(const std::string& file, std::streamoff at, char value) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(at);
  stream.put(value);
}

}  // namespace

TEST_CASE("no plugin folder") {
  Folder folder;
  fs::remove_all(folder.path());
  Host host(folder);
  CHECK(host.host.load_all().ok());
  host.host.start_all();
  host.host.scan_all();
  CHECK(host.host.plugins().empty());
  CHECK(host.host.record_kind(1, 1) == nullptr);
}

TEST_CASE("missing symbol") {
  Folder folder;
  expect_refused(folder, folder.put("missing_symbol"), {"missing_symbol.so", "does not export tetragon_plugin_v1"});
}

TEST_CASE("symbol is a function") {
  Folder folder;
  expect_refused(folder, folder.put("function_symbol"), {"tetragon_plugin_v1 is no data object"});
}

TEST_CASE("unresolved symbol") {
  Folder folder;
  expect_refused(folder, folder.put("unresolved"), {"unresolved.so", "function_that_nobody_has"});
}

TEST_CASE("newer ABI") {
  Folder folder;
  expect_refused(folder, folder.put("newer_abi"), {"needs plugin ABI 1.99", "this host has 1.2"});
}

TEST_CASE("wrong struct size") {
  Folder folder;
  expect_refused(folder, folder.put("wrong_size"), {"struct_size is 40", "another header"});
}

TEST_CASE("size beyond the object") {
  Folder folder;
  expect_refused(folder, folder.put("size_beyond"), {"struct_size is 184", "the file holds 120 bytes"});
}

TEST_CASE("wrong id") {
  Folder folder;
  expect_refused(folder, folder.put("wrong_id"), {"\"Bad Id\"", "vendor.name"});
}

TEST_CASE("no table") {
  Folder folder;
  expect_refused(folder, folder.put("no_table"), {"exactly the table of its kind (hook)"});
}

TEST_CASE("unknown flags of an action") {
  Folder folder;
  expect_refused(folder, folder.put("action_flags", "actions/action_flags.so"),
                 {"action.flags is 65, of which this host knows 3"});
}

TEST_CASE("short records") {
  Folder folder;
  expect_refused(folder, folder.put("short_records"), {"record_kinds[0].min_size is 8"});
}

TEST_CASE("writable file") {
  Folder folder;
  const std::string bad = folder.put("good", "hooks/z.so");
  ::chmod(bad.c_str(), 0766);
  expect_refused(folder, bad, {"z.so", "writable by group or others", "0766"});
}

TEST_CASE("writable folder") {
  Folder folder;
  const std::string bad = folder.put("sink", "sinks");
  ::chmod((folder.path() + "/sinks").c_str(), 0777);
  expect_refused(folder, bad, {"folder ", "/sinks\" is writable", "chmod go-w"});
}

TEST_CASE("writable way") {
  Folder folder;
  const std::string bad = folder.put("good");
  ::chmod(folder.path().c_str(), 0775);
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  CHECK(host.entry(bad).status == Status::refused);
  CHECK(host.entry(bad).reason.find("0775") != std::string::npos);
}

TEST_CASE("foreign owner") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: only root can give a file away");
    return;
  }
  Folder folder;
  const std::string bad = folder.put("good", "hooks/z.so");
  REQUIRE(::chown(bad.c_str(), 65534, 65534) == 0);
  expect_refused(folder, bad, {"belongs to user 65534"});
}

TEST_CASE("not an ELF file") {
  Folder folder;
  expect_refused(folder, folder.write("hooks/z.so", "#!/bin/sh\necho no\n"), {"z.so", "is no ELF file"});
}

TEST_CASE("other machine") {
  Folder folder;
  const std::string bad = folder.put("good", "hooks/z.so");
  patch(bad, 18, 22);  // e_machine: s390
  expect_refused(folder, bad, {"built for another machine"});
}

TEST_CASE("no shared object") {
  Folder folder;
  const std::string bad = folder.put("good", "hooks/z.so");
  patch(bad, 16, 1);  // e_type: relocatable
  expect_refused(folder, bad, {"is no shared object"});
}

TEST_CASE("link out of the folder") {
  Folder elsewhere;
  const std::string target = elsewhere.put("good");
  Folder folder;
  const std::string bad = folder.path() + "/hooks/z.so";
  fs::create_symlink(target, bad);
  expect_refused(folder, bad, {"is a link to", "outside of the plugin folder"});
}

TEST_CASE("link inside the folder") {
  Folder folder;
  folder.put("good", "store/good.so");
  const std::string link = folder.path() + "/hooks/z.so";
  fs::create_symlink("../store/good.so", link);
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  CHECK(host.entry(link).status == Status::loaded);
}

TEST_CASE("wrong folder") {
  Folder folder;
  expect_refused(folder, folder.put("scanner", "actions"),
                 {"kind hook in folder \"actions\"", "belongs into \"hooks\""});
}

TEST_CASE("manifest disagrees") {
  Folder folder;
  const std::string bad = folder.put("scanner");
  folder.write("hooks/scanner.yaml", "id: test.scanner\nkind: hook\nversion: 9.9.9\n");
  expect_refused(folder, bad, {"scanner.yaml", "version \"9.9.9\"", "\"2.0.0\""});
}

TEST_CASE("manifest is broken") {
  Folder folder;
  const std::string bad = folder.put("scanner");
  const std::string manifest = folder.write("hooks/scanner.yaml", "id: [test.scanner\n");
  expect_refused(folder, bad, {"scanner.yaml", "line "});
  folder.write("hooks/scanner.yaml", "id: test.scanner\n");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  CHECK(host.entry(bad).reason.find("\"kind\" is missing") != std::string::npos);
}

TEST_CASE("duplicate id") {
  Folder folder;
  const std::string bad = folder.put("good", "hooks/z_copy.so");
  expect_refused(folder, bad, {"id \"test.good\" is taken", "a_good.so", "z_copy.so"});
}

TEST_CASE("allow-list") {
  Folder folder;
  const std::string bad = folder.put("scanner");
  auto good = tetragon::read_file(std::string(TEST_MODULES) + "/good.so");
  REQUIRE(good.ok());
  const std::string list =
      folder.write("allowed", "# checked by hand\n" + tetragon::plugin_host::sha256_hex(*good) + "  good.so\n");
  expect_refused(folder, bad, {"which is not on the allow-list", "SHA-256"}, list);

  folder.write("allowed", "not a digest\n");
  Host host(folder, list);
  auto loaded = host.host.load_all();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().message().find("allowed:1") != std::string::npos);
}

TEST_CASE("relative folder") {
  tetragon::bpf_runtime::Runtime runtime({});
  tetragon::plugin_host::PluginHost host(runtime, {}, {"lib/tetragon", {}});
  auto loaded = host.load_all();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().message().find("absolute") != std::string::npos);
}
