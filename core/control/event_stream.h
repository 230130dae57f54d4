// SPDX-License-Identifier: Apache-2.0
#pragma once

// GetEvents: one EventStream per subscriber, fed by one Feeder thread for all of them.

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/bus/bus.h"
#include "core/control/api.h"
#include "core/sink/event_encoder.h"

namespace tetragon::control {

class EventStream;

// Runs the streams that have got something to send, so that neither the pipeline thread nor a gRPC thread waits.
class Feeder {
 public:
  Feeder();
  ~Feeder();

  // Any thread; cheap; a stream that is already waiting is not added twice.
  void wake(const std::shared_ptr<EventStream>& stream);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<std::shared_ptr<EventStream>> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

// Answers a GetEvents call. The request is checked here; on an error the returned reactor ends the call with the text.
grpc::ServerWriteReactor<grpc::ByteBuffer>* start_event_stream(const Api& api, Feeder& feeder,
                                                               grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer& request);

}  // namespace tetragon::control
