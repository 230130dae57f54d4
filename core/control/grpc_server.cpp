// SPDX-License-Identifier: Apache-2.0
#include "core/control/grpc_server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <optional>
#include <utility>

#include "core/control/listener.h"
#include "core/control/service.h"

namespace tetragon::control {
namespace {

constexpr int kMaxRequestBytes = 4 << 20;
constexpr auto kShutdownGrace = std::chrono::milliseconds(500);

void trim_resources(grpc::ServerBuilder& builder) {
  // A second daemon on the same port must fail, not share it.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
}

Error listen_error(const std::string& what, const std::string& address) {
  return {Code::system, what + ": cannot listen on '" + address +
                            "' (in use by another process, no permission, or not " + "an address of this machine)"};
}

}  // namespace

struct GrpcServer::Impl {
  Impl(const Api& api, ListenAddress listen) : service(api), address(std::move(listen)) {}
  Service service;
  ListenAddress address;
  std::optional<PrivateSocket> socket;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const std::string& address, const Api& api) {
  auto listen = parse_listen_address(address);
  if (!listen) return std::move(listen).error();
  auto impl = std::make_unique<Impl>(api, std::move(*listen));
  grpc::ServerBuilder builder;
  trim_resources(builder);
  if (impl->address.unix_socket) {
    auto socket = PrivateSocket::prepare(impl->address.path);
    if (!socket) return std::move(socket).error().with_context("server-address");
    impl->socket.emplace(std::move(*socket));
    impl->address.target = "unix://" + impl->socket->bind_path();
  }
  int port = 0;
  builder.AddListeningPort(impl->address.target, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&impl->service);
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr || port == 0) return listen_error("server-address", address);
  if (impl->socket) {
    if (auto published = impl->socket->publish(); !published) {
      impl->server->Shutdown(std::chrono::system_clock::now());
      return std::move(published).error().with_context("server-address");
    }
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::~GrpcServer() {
  if (impl_->server == nullptr) return;
  impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  impl_->server->Wait();
}

const std::string& GrpcServer::address() const noexcept {
  return impl_->address.clients;
}

struct HealthServer::Impl {
  // Answers UNIMPLEMENTED to everything else. Without a service of ours gRPC serves nothing: its own health service
  // does not count when it looks for somebody who polls.
  grpc::CallbackGenericService nothing;
  std::unique_ptr<grpc::Server> server;
};

HealthServer::HealthServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HealthServer>> HealthServer::start(const std::string& address) {
  auto listen = parse_listen_address(address);
  if (!listen) return std::move(listen).error();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  trim_resources(builder);
  int port = 0;
  builder.AddListeningPort(listen->unix_socket ? address : listen->target, grpc::InsecureServerCredentials(), &port);
  auto impl = std::make_unique<Impl>();
  builder.RegisterCallbackGenericService(&impl->nothing);
  impl->server = builder.BuildAndStart();
  // Only this server offers grpc.health.v1; the switch is global to the process.
  grpc::EnableDefaultHealthCheckService(false);
  if (impl->server == nullptr || port == 0) return listen_error("health-server-address", address);
  impl->server->GetHealthCheckService()->SetServingStatus("liveness", true);
  return std::unique_ptr<HealthServer>(new HealthServer(std::move(impl)));
}

HealthServer::~HealthServer() {
  if (impl_->server == nullptr) return;
  impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  impl_->server->Wait();
}

}  // namespace tetragon::control
