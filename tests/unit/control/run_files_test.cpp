// SPDX-License-Identifier: Apache-2.0
#include "core/control/run_files.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <optional>

#include "api_fixture.h"
#include "core/util/file.h"

using namespace tetragon;
using namespace tetragon::control;
using namespace tetragon::control::testing;

TEST_CASE("the pid file says who runs, and goes with him") {
  const Folder folder;
  const std::string path = folder / "run/tetragon.pid";
  {
    const auto taken = PidFile::take(path);
    REQUIRE(taken.ok());
    CHECK(*read_file(path) == std::to_string(::getpid()));
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0644);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a second daemon is refused and told whom it met") {
  const Folder folder;
  const std::string path = folder / "tetragon.pid";
  const auto first = PidFile::take(path);
  REQUIRE(first.ok());
  const auto second = PidFile::take(path);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code() == Code::exists);
  CHECK(second.error().message().find(path) != std::string::npos);
  CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
  CHECK(*read_file(path) == std::to_string(::getpid()));
}

TEST_CASE("what a crashed daemon left does not count, even when its pid runs") {
  const Folder folder;
  const std::string path = folder / "tetragon.pid";
  std::ofstream(path) << "1\nand more than a pid";
  const auto taken = PidFile::take(path);
  REQUIRE(taken.ok());
  CHECK(*read_file(path) == std::to_string(::getpid()));
}

TEST_CASE("a link is not followed") {
  const Folder folder;
  const std::string path = folder / "tetragon.pid", victim = folder / "victim";
  std::ofstream(victim) << "precious";
  REQUIRE(::symlink(victim.c_str(), path.c_str()) == 0);
  CHECK_FALSE(PidFile::take(path).ok());
  CHECK(*read_file(victim) == "precious");
}

TEST_CASE("moved, it is still one") {
  const Folder folder;
  const std::string path = folder / "tetragon.pid";
  std::optional<PidFile> kept;
  {
    auto taken = PidFile::take(path);
    REQUIRE(taken.ok());
    kept.emplace(std::move(*taken));
  }
  CHECK(::access(path.c_str(), F_OK) == 0);
  CHECK_FALSE(PidFile::take(path).ok());
  kept.reset();
  CHECK(PidFile::take(path).ok());
}

TEST_CASE("of many that start and stop at the same time, one runs") {
  const Folder folder;
  const std::string path = folder / "tetragon.pid";
  std::atomic<int> running{0}, most{0}, taken_count{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1500; ++round) {
        const auto taken = PidFile::take(path);
        if (!taken) continue;
        const int now = ++running;
        if (now > most) most = now;
        ++taken_count;
        std::this_thread::yield();
        --running;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(most == 1);
  CHECK(taken_count > 0);
}

TEST_CASE("the information for clients") {
  const Folder folder;
  const std::string path = folder / "tetragon-info.json";
  DaemonInfo info;
  info.export_filename = "/var/log/\"quoted\".log";
  info.lib_dir = "/lib";
  info.btf_file = "/btf";
  info.server_address = "unix:///run/x.sock";
  info.metrics_address = ":2112";
  info.map_dir = "/sys/fs/bpf/tetragon";
  info.max_receive_size = 123;
  REQUIRE(write_info_file(path, info).ok());
  google::protobuf::Struct parsed;
  REQUIRE(google::protobuf::util::JsonStringToMessage(*read_file(path), &parsed).ok());
  const auto& fields = parsed.fields();
  CHECK(fields.at("export_fname").string_value() == "/var/log/\"quoted\".log");
  CHECK(fields.at("lib_dir").string_value() == "/lib");
  CHECK(fields.at("btf_fname").string_value() == "/btf");
  CHECK(fields.at("server_address").string_value() == "unix:///run/x.sock");
  CHECK(fields.at("metrics_address").string_value() == ":2112");
  CHECK(fields.at("gops_address").string_value() == "");
  CHECK(fields.at("map_dir").string_value() == "/sys/fs/bpf/tetragon");
  CHECK(fields.at("bpftool_path").string_value() == "");
  CHECK(fields.at("gops_path").string_value() == "");
  CHECK(fields.at("max_recv_size").number_value() == 123);
  CHECK(fields.at("pid").number_value() == ::getpid());
  CHECK(fields.size() == 11);
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0744);
}

TEST_CASE("information that cannot be written") {
  const auto written = write_info_file("/nonexistent/folder/info.json", {});
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().message().find("/nonexistent/folder") != std::string::npos);
}
