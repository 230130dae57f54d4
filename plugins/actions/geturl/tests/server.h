// SPDX-License-Identifier: Apache-2.0
#pragma once

// An HTTP server on 127.0.0.1 that answers as the test says. One request a connection; never longer than the test.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tetragon::geturl::testing {

class Client {
 public:
  explicit Client(int fd) : fd_(fd) {}
  int fd() const { return fd_; }
  // Up to the blank line; empty when the other side closed.
  std::string read_head();
  // False when the other side closed.
  bool write(std::string_view bytes);
  // Until the other side closes, or the server ends.
  void wait_closed();

 private:
  int fd_;
};

class Server {
 public:
  using Handler = std::function<void(Client&, const std::string& head)>;

  // read_head false: the handler speaks first.
  explicit Server(Handler handler, bool read_head = true);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view target = "/") const;
  std::vector<std::string> heads() const;  // requests so far

 private:
  void run();

  Handler handler_;
  bool read_head_;
  int listen_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::atomic<int> current_{-1};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A whole answer.
std::string answer(std::string_view status, std::string_view headers = "", std::string_view body = "");
Server::Handler answers(std::string text);

}  // namespace tetragon::geturl::testing
