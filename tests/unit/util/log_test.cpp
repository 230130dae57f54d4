// SPDX-License-Identifier: Apache-2.0
#include "core/util/log.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "core/util/file.h"
#include "core/util/strings.h"

using namespace tetragon;

TEST_CASE("text lines") {
  CHECK(log::format_line(log::Format::text, 0, log::Level::info, "Starting", {}) ==
        "time=\"1970-01-01T00:00:00.000Z\" level=info msg=\"Starting\"");
  const std::string name = "/etc/x y";
  const Error error(Code::invalid, "bad\n\"line\"");
  CHECK(
      log::format_line(log::Format::text, 0, log::Level::warn, "m",
                       {{"file", name}, {"n", -3}, {"u", 7u}, {"on", true}, {"f", 0.5}, {"error", error}, {"e", ""}}) ==
      "time=\"1970-01-01T00:00:00.000Z\" level=warn msg=\"m\" file=\"/etc/x y\" n=-3 u=7 on=true f=0.5 "
      "error=\"bad\\n\\\"line\\\"\" e=\"\"");
}

TEST_CASE("json lines") {
  CHECK(log::format_line(log::Format::json, 0, log::Level::error, "a\"b\n", {{"k", "v\x1b"}, {"n", 1}, {"b", false}}) ==
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"msg\":\"a\\\"b\\n\",\"k\":\"v\\u001b\",\"n\":1,"
        "\"b\":false}");
}

TEST_CASE("levels and formats by name") {
  CHECK(*log::parse_level("trace") == log::Level::trace);
  CHECK(*log::parse_level("warn") == log::Level::warn);
  CHECK(*log::parse_level("WARNING") == log::Level::warn);
  CHECK(*log::parse_level("panic") == log::Level::panic);
  CHECK(log::parse_level("loud").error().message().find("\"loud\"") != std::string::npos);
  CHECK(*log::parse_format("json") == log::Format::json);
  CHECK_FALSE(log::parse_format("xml").ok());
}

TEST_CASE("a file from several threads: every line whole, lower levels left out") {
  char folder[] = "/tmp/log_test.XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/agent.log";
  log::Options options;
  options.file = path;
  options.to_stderr = false;
  options.format = log::Format::json;
  REQUIRE(log::init(options).ok());
  CHECK(log::enabled(log::Level::info));
  CHECK_FALSE(log::enabled(log::Level::debug));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 50; ++i) {
        log::info("line", {{"thread", t}, {"i", i}});
        log::debug("hidden");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  log::set_level(log::Level::debug);
  log::debug("shown");
  const std::string text = *read_file(path);
  const auto lines = split(text, '\n');
  CHECK(lines.size() == 202);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    CHECK(lines[i].front() == '{');
    CHECK(lines[i].back() == '}');
  }
  CHECK(text.find("hidden") == std::string::npos);
  CHECK(text.find("shown") != std::string::npos);

  // A file that cannot be opened: an error that names it, and the old log goes on.
  options.file = folder;
  const auto failed = log::init(options);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message().find(folder) != std::string::npos);
  log::debug("still here");
  CHECK(read_file(path)->find("still here") != std::string::npos);
  REQUIRE(log::init({}).ok());
  std::filesystem::remove_all(folder);
}
