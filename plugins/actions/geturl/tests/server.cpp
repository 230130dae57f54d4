// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace tetragon::geturl::testing {

std::string Client::read_head() {
  std::string head;
  char byte;
  // One byte at a time: what follows belongs to somebody else (TLS behind a tunnel).
  while (!head.ends_with("\r\n\r\n")) {
    if (::recv(fd_, &byte, 1, 0) != 1) return {};
    head += byte;
  }
  return head;
}

bool Client::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Client::wait_closed() {
  char bytes[256];
  while (::recv(fd_, bytes, sizeof(bytes), 0) > 0) {
  }
}

Server::Server(Handler handler, bool read_head)
    : handler_(std::move(handler)), read_head_(read_head), listen_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listen_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listen_, 16) != 0 ||
      ::getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Server::~Server() {
  stop_ = true;
  ::shutdown(listen_, SHUT_RDWR);
  if (const int fd = current_; fd >= 0) ::shutdown(fd, SHUT_RDWR);
  thread_.join();
  ::close(listen_);
}

void Server::run() {
  while (!stop_) {
    const int fd = ::accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    current_ = fd;
    if (!stop_) {
      Client client(fd);
      const std::string head = read_head_ ? client.read_head() : "-";
      {
        const std::lock_guard lock(mutex_);
        heads_.push_back(head);
      }
      if (!head.empty()) handler_(client, head);
    }
    current_ = -1;
    ::close(fd);
  }
}

std::string Server::url(std::string_view target) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
}

std::vector<std::string> Server::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

std::string answer(std::string_view status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

Server::Handler answers(std::string text) {
  return [text = std::move(text)](Client& client, const std::string&) { client.write(text); };
}

}  // namespace tetragon::geturl::testing
