// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "core/control/api.h"
#include "core/util/result.h"

namespace tetragon::control {

// tetragon.FineGuidanceSensors on a unix socket (unix:///path, mode 0660) or a TCP address.
class GrpcServer {
 public:
  // `api` outlives the server. Errors name the address and the reason.
  static Result<std::unique_ptr<GrpcServer>> start(const std::string& address, const Api& api);
  // Ends all calls, stops serving, removes the socket. Close the bus before, so that streams end by themselves.
  ~GrpcServer();

  // As clients have to name it ("localhost" becomes "localhost:54321").
  const std::string& address() const noexcept;

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// grpc.health.v1 for the service "liveness" on a listener of its own (--health-server-address).
class HealthServer {
 public:
  static Result<std::unique_ptr<HealthServer>> start(const std::string& address);
  ~HealthServer();

 private:
  struct Impl;
  explicit HealthServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetragon::control
