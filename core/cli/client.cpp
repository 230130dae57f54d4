// SPDX-License-Identifier: Apache-2.0
#include "core/cli/client.h"

#include <google/protobuf/message_lite.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/cli/command.h"
#include "core/cli/interrupt.h"
#include "core/cli/text.h"

namespace tetragon::cli {

namespace {

using Clock = std::chrono::steady_clock;
using grpc::ByteBuffer;

std::shared_ptr<grpc::Channel> open_channel(const ClientOptions& options) {
  // gRPC writes connection failures to standard error by itself; ours are explained once.
  setenv("GRPC_VERBOSITY", "NONE", /* overwrite= */ 0);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_receive);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a proxy of the environment is never meant for the local daemon
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // done here, where the number is not limited to 5
  return grpc::CreateCustomChannel(options.address.target, grpc::InsecureChannelCredentials(), arguments);
}

std::string path_of(std::string_view service, std::string_view method) {
  return "/" + std::string(service) + "/" + std::string(method);
}

ByteBuffer serialized(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.SerializeAsString());
  return ByteBuffer(&slice, 1);
}

// The bytes of a received message; copied only when they came in several pieces.
std::string_view contiguous(const ByteBuffer& buffer, grpc::Slice& slice) {
  if (!buffer.TrySingleSlice(&slice).ok() && !buffer.DumpToSingleSlice(&slice).ok()) {
    return {};
  }
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// A completion queue that is drained before it goes, as gRPC demands.
class Queue {
 public:
  ~Queue() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  grpc::CompletionQueue* get() { return &queue_; }

  enum class Wait { done, idle };
  Wait wait(std::chrono::milliseconds limit, void** ret_tag, bool* ret_ok) {
    auto status = queue_.AsyncNext(ret_tag, ret_ok, std::chrono::system_clock::now() + limit);
    return status == grpc::CompletionQueue::GOT_EVENT ? Wait::done : Wait::idle;
  }

 private:
  grpc::CompletionQueue queue_;
};

Error explain_status(const grpc::Status& status, std::string_view method, const ClientOptions& options) {
  std::string text = escaped(status.error_message());
  std::string name(method);
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE: return explain_unreachable(options.address, status.error_message());
    case grpc::StatusCode::UNIMPLEMENTED:
      return Error(Code::unsupported, "the daemon at " + escaped(options.address.target) + " does not offer " + name +
                                          (text.empty() ? "" : " (" + text + ")") +
                                          "; compare the versions with 'tetra version --server'");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Error(Code::limit, name + ": no answer from " + escaped(options.address.target) +
                                    " within the time limit; a larger one is set with --timeout");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Error(Code::limit, name + ": " + text + "; larger messages are accepted with --max-recv-size");
    case grpc::StatusCode::CANCELLED: return Error(Code::state, name + ": " + (text.empty() ? "cancelled" : text));
    case grpc::StatusCode::PERMISSION_DENIED: return Error(Code::permission, name + ": permission denied: " + text);
    case grpc::StatusCode::NOT_FOUND: return Error(Code::not_found, text);
    default:
      return Error(Code::state, text.empty() ? name + ": status code " + std::to_string(status.error_code()) : text);
  }
}

// One attempt of a unary call.
grpc::Status call_once(const ClientOptions& options, const std::string& path, const ByteBuffer& request,
                       ByteBuffer& response, Clock::time_point deadline) {
  Queue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()));
  grpc::GenericStub stub(open_channel(options));
  auto reader = stub.PrepareUnaryCall(&context, path, request, queue.get());
  reader->StartCall();
  grpc::Status status;
  reader->Finish(&response, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  while (queue.wait(std::chrono::milliseconds(50), &tag, &ok) == Queue::Wait::idle) {
    if (interrupted()) {
      context.TryCancel();
    }
  }
  return status;
}

}  // namespace

Result<ClientOptions> client_options(Context& context) {
  ClientOptions options;
  auto address = resolve_address(context.options.value("server-address"));
  if (!address) {
    return std::move(address).error();
  }
  options.address = std::move(*address);
  auto timeout = context.options.duration("timeout");
  if (!timeout) {
    return std::move(timeout).error();
  }
  // More than a year is no limit, and would overflow gRPC's clock arithmetic.
  options.timeout = std::min<std::chrono::nanoseconds>(*timeout, std::chrono::hours(24 * 366));
  auto retries = context.options.integer("retries", 0, 1000000);
  if (!retries) {
    return std::move(retries).error();
  }
  options.retries = static_cast<int>(*retries);
  auto size = context.options.integer("max-recv-size", 1, INT32_MAX);
  if (!size) {
    return std::move(size).error();
  }
  options.max_receive = static_cast<int>(*size);
  options.debug = [&context](std::string_view text) { context.debug(text); };
  context.debug("server address " + escaped(options.address.target) + " from " + options.address.origin);
  return options;
}

bool Client::wait_for_retry(int attempt, Clock::time_point deadline) {
  if (attempt > options_.retries || interrupted()) {
    return false;
  }
  double seconds = 1;
  for (int i = 1; i < attempt && seconds < 3600; ++i) {
    seconds *= 2;
  }
  auto wait =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(std::min(seconds, 3600.0)));
  if (Clock::now() + wait >= deadline) {
    return false;
  }
  options_.debug("not reachable, attempt " + std::to_string(attempt + 1) + " follows in " +
                 std::to_string(std::chrono::duration_cast<std::chrono::seconds>(wait).count()) + "s");
  return sleep_uninterrupted(wait);
}

Result<void> Client::call(std::string_view method, const google::protobuf::MessageLite& request,
                          google::protobuf::MessageLite& response, std::string_view service) {
  auto deadline = Clock::now() + options_.timeout;
  ByteBuffer bytes = serialized(request);
  for (int attempt = 1;; ++attempt) {
    ByteBuffer answer;
    grpc::Status status = call_once(options_, path_of(service, method), bytes, answer, deadline);
    if (status.ok()) {
      grpc::Slice slice;
      std::string_view text = contiguous(answer, slice);
      if (!response.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
        return Error(Code::invalid, std::string(method) + ": the answer of " + escaped(options_.address.target) +
                                        " is not what this version understands");
      }
      return {};
    }
    if (interrupted()) {
      return Error(Code::state, std::string(method) + ": interrupted");
    }
    Error error = explain_status(status, method, options_);
    bool retry = status.error_code() == grpc::StatusCode::UNAVAILABLE && error.code() != Code::permission;
    if (!retry || !wait_for_retry(attempt, deadline)) {
      return error;
    }
  }
}

Result<void> Client::stream(std::string_view method, const google::protobuf::MessageLite& request,
                            const std::function<bool(std::string_view)>& on_message,
                            const std::function<void()>& on_idle) {
  ByteBuffer bytes = serialized(request);
  enum Step : std::intptr_t { start = 1, write, read, finish };
  auto tag_of = [](Step step) { return reinterpret_cast<void*>(step); };

  for (int attempt = 1;; ++attempt) {
    bool received = false;
    bool ended = false;
    grpc::Status status;
    ByteBuffer message;  // outlives the queue, which may still hold a read into it
    {
      grpc::ClientContext context;
      grpc::GenericStub stub(open_channel(options_));
      Queue queue;
      auto call = stub.PrepareCall(&context, path_of(sensors_service, method), queue.get());
      call->StartCall(tag_of(start));
      bool finished = false;
      bool finishing = false;
      bool idle = false;
      while (!finished) {
        void* tag = nullptr;
        bool ok = false;
        if (queue.wait(std::chrono::milliseconds(idle ? 50 : 5), &tag, &ok) == Queue::Wait::idle) {
          idle = true;
          on_idle();
          if (interrupted()) {
            ended = true;
            context.TryCancel();
          }
          continue;
        }
        idle = false;
        auto step = static_cast<Step>(reinterpret_cast<std::intptr_t>(tag));
        if (step == finish) {
          finished = true;
          continue;
        }
        if (!ok) {
          if (!finishing) {
            finishing = true;
            call->Finish(&status, tag_of(finish));
          }
          continue;
        }
        if (step == start) {
          call->WriteLast(bytes, grpc::WriteOptions(), tag_of(write));
          continue;
        }
        if (step == read) {
          received = true;
          grpc::Slice slice;
          if (!ended && (interrupted() || !on_message(contiguous(message, slice)))) {
            ended = true;
            context.TryCancel();
          }
        }
        if (step == read || step == write) {
          call->Read(&message, tag_of(read));
        }
      }
    }
    if (ended || interrupted()) {
      return {};
    }
    if (status.ok()) {
      return Error(Code::state, "the daemon ended the stream; it is probably stopping");
    }
    Error error = explain_status(status, method, options_);
    bool retry = !received && status.error_code() == grpc::StatusCode::UNAVAILABLE && error.code() != Code::permission;
    if (!retry || !wait_for_retry(attempt, Clock::time_point::max())) {
      return error;
    }
  }
}

}  // namespace tetragon::cli
