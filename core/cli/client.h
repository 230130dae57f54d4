// SPDX-License-Identifier: Apache-2.0
#pragma once

// gRPC calls by raw messages: one unary call with retries, one server stream. No generated stubs, so tetra stays small
// and the event stream is never unpacked unless something needs it.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "core/cli/address.h"
#include "core/util/result.h"

namespace google::protobuf {
class MessageLite;
}

namespace tetragon::cli {

struct Context;

inline constexpr std::string_view sensors_service = "tetragon.FineGuidanceSensors";

struct ClientOptions {
  ServerAddress address;
  std::chrono::nanoseconds timeout{std::chrono::seconds(30)};
  int retries = 1;
  int max_receive = 10 * 1024 * 1024;
  std::function<void(std::string_view)> debug = [](std::string_view) {};
};

// From --server-address, --timeout, --retries and --max-recv-size.
Result<ClientOptions> client_options(Context& context);

class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  // method: "GetVersion". Errors say what the daemon answered and what can be done.
  Result<void> call(std::string_view method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& response, std::string_view service = sensors_service);

  // on_message gets each message as bytes; false ends the stream. on_idle runs when nothing came for a moment.
  // Ends without an error when interrupted or ended by on_message; the end of the daemon's side is an error.
  Result<void> stream(std::string_view method, const google::protobuf::MessageLite& request,
                      const std::function<bool(std::string_view)>& on_message, const std::function<void()>& on_idle);

  const ClientOptions& options() const { return options_; }

 private:
  // Waits before attempt number `attempt`; false when there shall be none.
  bool wait_for_retry(int attempt, std::chrono::steady_clock::time_point deadline);

  ClientOptions options_;
};

}  // namespace tetragon::cli
