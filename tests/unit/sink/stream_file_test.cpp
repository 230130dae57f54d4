// SPDX-License-Identifier: Apache-2.0
#include "core/sink/stream_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/unit/sink/sink_fixture.h"

using namespace tetragon;
using namespace tetragon::sink;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

// What is there now, up to limit.
std::string drain(int fd, std::size_t limit = 1 << 22) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  std::string out;
  char buffer[4096];
  while (out.size() < limit) {
    const ssize_t n = ::read(fd, buffer, std::min(sizeof(buffer), limit - out.size()));
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

void check_whole_lines(const std::string& text, char first_lost) {
  REQUIRE_FALSE(text.empty());
  CHECK(text.back() == '\n');
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = text.find('\n', start);
    REQUIRE(end - start == 999);
    CHECK(text.find_first_not_of(text[start], start) == end);
    CHECK(text[start] != first_lost);
    start = end + 1;
  }
}

}  // namespace

TEST_CASE("a pipe that nobody reads: the call ends, losses are counted, no line is cut") {
  const Pipe pipe;
  const auto stream = StreamFile::borrow(pipe.write_end.get(), "pipe");
  stream->set_patience(5ms);
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += std::string(999, 'a') + "\n";
  const auto first = stream->append(lines);
  REQUIRE(first.ok());
  CHECK(*first < lines.size());
  CHECK(*first % 1000 == 0);
  const auto second = stream->append(std::string(999, 'b') + "\n");
  CHECK_FALSE(second.ok());
  CHECK(second.error().message().find("pipe") != std::string::npos);
  const std::uint64_t lost = (lines.size() - *first) / 1000 + 1;
  CHECK(stream->stats().lines_lost == lost);
  std::string seen = drain(pipe.read_end.get());
  CHECK(*stream->append(std::string(999, 'c') + "\n") == 1000);
  seen += drain(pipe.read_end.get());
  check_whole_lines(seen, 'b');
  CHECK(seen.size() == *first + 1000);
  CHECK(stream->stats().bytes_written == seen.size());
}

TEST_CASE("a socket, as the journal gives for stdout") {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  const UniqueFd reader(fds[0]);
  const UniqueFd writer(fds[1]);
  const auto stream = StreamFile::borrow(writer.get(), "journal");
  stream->set_patience(5ms);
  CHECK(*stream->append("a\nb\n") == 4);
  CHECK(drain(reader.get()) == "a\nb\n");
  CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
  const std::string much(4 << 20, 'x');
  CHECK(*stream->append(much + "\nlost\n") == much.size() + 1);  // its rest is owed
  CHECK(stream->stats().lines_lost == 1);
  std::string seen = drain(reader.get());
  std::thread slow([&] {
    while (seen.size() < much.size() + 1 + 2) {
      seen += drain(reader.get());
      std::this_thread::sleep_for(100us);
    }
  });
  stream->set_patience(10s);
  CHECK(*stream->append("z\n") == 2);
  slow.join();
  CHECK(seen == much + "\nz\n");
}

TEST_CASE("a device without space: an error, no crash, tried again") {
  auto output = StreamFile::open("/dev/full");
  REQUIRE(output.ok());
  for (int i = 0; i < 2; ++i) {
    const auto refused = (*output)->append("a\nb\n");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message().find("/dev/full") != std::string::npos);
  }
  CHECK((*output)->stats().lines_lost == 4);
  CHECK((*output)->stats().write_errors == 2);
}

TEST_CASE("a named pipe: no reader is no error, a reader that comes later gets whole lines") {
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  const Folder folder;
  const std::string path = folder / "fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  auto opened = open_output(path, OutputOptions{});
  REQUIRE(opened.ok());
  auto& stream = **opened;
  CHECK_FALSE(stream.append("a\n").ok());
  UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader.valid());
  const auto append_soon = [&](std::string_view line) {
    for (int i = 0; i < 200; ++i) {
      if (stream.append(line).ok()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  };
  CHECK(append_soon("b\n"));
  CHECK(drain(reader.get()) == "b\n");
  reader.reset();
  CHECK_FALSE(stream.append("c\n").ok());
  reader.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  CHECK(append_soon("d\n"));
  CHECK(drain(reader.get()) == "d\n");
  std::signal(SIGPIPE, old_handler);
}

TEST_CASE("what is not whole lines is refused") {
  const Pipe pipe;
  const auto stream = StreamFile::borrow(pipe.write_end.get(), "pipe");
  CHECK(stream->append("x").error().code() == Code::internal);
  CHECK(*stream->append("") == 0);
}
