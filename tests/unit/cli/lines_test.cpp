// SPDX-License-Identifier: Apache-2.0
#include "core/cli/lines.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

using namespace tetragon::cli;

namespace {

struct Read {
  std::vector<std::string> lines;
  std::vector<std::size_t> too_long;
};

Read read_text(const std::vector<std::string>& pieces, std::size_t limit, std::size_t stop_after = 1000) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::thread writer([&] {
    for (const std::string& piece : pieces) {
      std::string_view rest = piece;
      while (!rest.empty()) {
        ssize_t n = write(ends[1], rest.data(), rest.size());
        if (n <= 0) {
          break;
        }
        rest.remove_prefix(static_cast<std::size_t>(n));
      }
    }
    close(ends[1]);
  });
  Read result;
  LineHandlers handlers;
  handlers.line = [&](std::string_view line) {
    result.lines.emplace_back(line);
    return result.lines.size() < stop_after;
  };
  handlers.too_long = [&](std::size_t number) { result.too_long.push_back(number); };
  handlers.idle = [] {};
  CHECK(read_lines(ends[0], limit, handlers).ok());
  writer.join();
  close(ends[0]);
  return result;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("lines across reads, the last without its end") {
  CHECK(read_text({"a\nb", "b\n\nc"}, 100).lines == Strings{"a", "bb", "", "c"});
  CHECK(read_text({}, 100).lines.empty());
  std::string big(200000, 'x');
  CHECK(read_text({big + "\ny\n"}, 1000000).lines == Strings{big, "y"});
}

TEST_CASE("long lines are left out and counted") {
  std::string big(300000, 'x');
  Read result = read_text({"a\n" + big + "\nb\n" + std::string(11, 'z') + "\nc\n"}, 10);
  CHECK(result.lines == Strings{"a", "b", "c"});
  CHECK(result.too_long == std::vector<std::size_t>{2, 4});
}

TEST_CASE("a handler ends the reading") {
  CHECK(read_text({"a\nb\nc\n"}, 10, 2).lines == Strings{"a", "b"});
}
