// SPDX-License-Identifier: Apache-2.0
// The plugin as it is installed, in a real host and behind the runner. No kernel is needed.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "core/action/plugin_actions.h"
#include "core/action/runner.h"
#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/plugin_host.h"
#include "server.h"

using namespace tetragon;
using namespace tetragon::geturl::testing;

namespace {

// A plugin folder with this one plugin in it: the others are none of this test's business.
class Folder {
 public:
  Folder() {
    REQUIRE(::mkdtemp(path_) != nullptr);
    std::filesystem::create_directory(path() + "/actions");
    for (const char* file : {"/actions/geturl.so", "/actions/geturl.yaml"}) {
      std::filesystem::copy_file(TEST_PLUGIN_DIR + std::string(file), path() + file);
    }
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/geturl_test.XXXXXX";
};

class Host {
 public:
  Host() {
    // The proxies of whoever runs the test are none of its business either.
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    plugin_host::Services services;
    services.log = [this](uint32_t, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex_);
      log_.append(message).append("\n");
    };
    services.config = [](std::string_view) { return std::nullopt; };
    services.emit = [](std::span<const std::byte>) { return true; };
    services.feature = [](std::string_view) -> Result<void> { return Error(Code::unsupported, "none here"); };
    plugin_host::Options options;
    options.plugin_dir = folder_.path();
    host_ = std::make_unique<plugin_host::PluginHost>(runtime_, services, options);
    REQUIRE(host_->load_all().ok());
    host_->start_all();
    const auto info = host_->find("tetragon.geturl");
    REQUIRE(info);
    INFO(info->reason);
    REQUIRE(info->status == plugin_host::Status::started);
    CHECK(info->kind == plugin_host::Kind::action);
  }
  ~Host() { host_->stop_all(); }

  plugin_host::PluginHost& operator*() { return *host_; }
  plugin_host::PluginHost* operator->() { return host_.get(); }
  bool logged(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return log_.find(part) != std::string::npos;
  }

 private:
  Folder folder_;
  bpf_runtime::Runtime runtime_{bpf_runtime::RuntimeOptions{}};
  mutable std::mutex mutex_;
  std::string log_;
  std::unique_ptr<plugin_host::PluginHost> host_;
};

template <class F>
bool becomes(F&& condition) {
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
       std::chrono::steady_clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace

TEST_CASE("GetUrl, from the runner to the server") {
  Server server([](Client& client, const std::string& head) {
    if (head.starts_with("GET /moved ")) client.write(answer("302 Found", "Location: /ok\r\n"));
    if (head.starts_with("GET /ok ")) client.write(answer("200 OK", "", "hello"));
    if (head.starts_with("GET /no ")) client.write(answer("404 Not Found"));
  });
  Host host;
  const auto actions = action::plugin_actions(*host);
  REQUIRE(actions.size() == 1);
  CHECK(actions[0].name == "GetUrl");

  const auto run = [&](const std::string& url) { return actions[0].execute({{1, 2, 0}, "policy", url}); };
  CHECK(run(server.url("/ok")).ok());
  CHECK(host.logged("GET " + server.url("/ok") + ": status 200, 5 bytes read, 0 redirects"));
  CHECK(run(server.url("/moved")).ok());
  const auto missing = run(server.url("/no"));
  REQUIRE(!missing.ok());
  CHECK(missing.error().message() == "plugin tetragon.geturl: execute: GET " + server.url("/no") + ": status 404");
  const auto wrong = run("file:///etc/passwd");
  REQUIRE(!wrong.ok());
  CHECK(wrong.error().code() == Code::invalid);
  for (const auto& counter : host->counters().snapshot()) {
    if (counter.name == "redirects") CHECK(counter.value == 1);
  }

  action::Runner runner(actions);
  for (int n = 0; n < 10; ++n)
    CHECK(runner.enqueue("GetUrl", {{1, 2, 0}, "policy", server.url(n < 8 ? "/ok" : "/no")}));
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 10; }));
  CHECK(runner.snapshot()[0].failed == 2);
  CHECK(runner.stop().empty());
}
