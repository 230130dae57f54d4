// SPDX-License-Identifier: Apache-2.0
// The plugin as it is installed, behind the runner.
#include <doctest/doctest.h>
#include <stdlib.h>

#include "core/action/plugin_actions.h"
#include "core/action/runner.h"
#include "server.h"
#include "tests/unit/action/action_host.h"

using namespace tetragon;
using namespace tetragon::geturl::testing;
using tetragon::testing::ActionHost;
using tetragon::testing::becomes;

TEST_CASE("GetUrl, from the runner to the server") {
  Server server([](Client& client, const std::string& head) {
    if (head.starts_with("GET /moved ")) client.write(answer("302 Found", "Location: /ok\r\n"));
    if (head.starts_with("GET /ok ")) client.write(answer("200 OK", "", "hello"));
    if (head.starts_with("GET /no ")) client.write(answer("404 Not Found"));
  });
  // Those of whoever runs the test are none of its business.
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
  ActionHost host("tetragon.geturl", "geturl", TEST_PLUGIN_DIR);
  const auto actions = action::plugin_actions(host.host());
  REQUIRE(actions.size() == 1);
  CHECK(actions[0].name == "GetUrl");

  const auto run = [&](const std::string& url) { return actions[0].execute({{1, 2, 0}, "policy", url}); };
  CHECK(run(server.url("/ok")).ok());
  CHECK(host.logged("GET " + server.url("/ok") + ": status 200, 5 bytes read, 0 redirects"));
  CHECK(run(server.url("/moved")).ok());
  CHECK(host.counter("redirects") == 1);
  const auto missing = run(server.url("/no"));
  REQUIRE(!missing.ok());
  CHECK(missing.error().message() == "plugin tetragon.geturl: execute: GET " + server.url("/no") + ": status 404");
  const auto wrong = run("file:///etc/passwd");
  REQUIRE(!wrong.ok());
  CHECK(wrong.error().code() == Code::invalid);

  action::Runner runner(actions);
  for (int n = 0; n < 10; ++n) {
    const std::string url = server.url(n < 8 ? "/ok" : "/no");
    CHECK(runner.enqueue("GetUrl", {{1, 2, 0}, "policy", url}));
  }
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 10; }));
  CHECK(runner.snapshot()[0].failed == 2);
  CHECK(runner.stop().empty());
}
