// SPDX-License-Identifier: Apache-2.0
// User-space cost of an event: feeds a recording through decode, process cache and one kind of sink, and divides CPU
// time by events. One line of JSON on stdout.
//
//   pipeline_bench RECORDING|kprobe decode|json|json-file|wire|grpc [rounds]
//
// "kprobe" in the place of a recording: records of a policy's hook (path, number, socket) of one process, made here.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bpf/shared/hook.h"
#include "bpf/shared/hook_args.h"
#include "bpf/shared/record.h"
#include "core/bus/bus.h"
#include "core/control/api.h"
#include "core/control/grpc_server.h"
#include "core/daemon/recording_file.h"
#include "core/event/writer.h"
#include "core/pipeline/pipeline.h"
#include "core/policy/manager.h"
#include "core/sink/json_export.h"
#include "core/sink/line_output.h"
#include "core/util/file.h"
#include "plugins/hooks/process/decode.h"
#include "plugins/hooks/process/process.h"
#include "tetragon/sdk/hook_record.h"

namespace {

using namespace tetragon;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "pipeline_bench: %s\n", text.c_str());
  std::exit(1);
}

struct Records {
  std::vector<uint64_t> words;
  std::vector<std::pair<size_t, size_t>> places;  // word offset, bytes
};

Records read_records(pipeline::RecordingReader& reader) {
  Records records;
  while (true) {
    const auto record = reader.next();
    if (!record) fail(record.error().message());
    if (record->empty()) return records;
    const size_t at = records.words.size();
    records.words.resize(at + (record->size() + 7) / 8);
    std::memcpy(records.words.data() + at, record->data(), record->size());
    records.places.emplace_back(at, record->size());
  }
}

// What was recorded has one plugin, whatever number it had.
void renumber(Records& records) {
  for (const auto& [at, size] : records.places) reinterpret_cast<tg_record*>(&records.words[at])->plugin = 1;
}

hook::HookInfo kprobe_hook() {
  hook::HookInfo info;
  info.id = 1;
  info.type = event::Type::process_kprobe;
  info.policy = "file-and-network";
  info.tags = {"observability.filesystem"};
  info.instances.resize(1);
  info.instances[0].function_name = "security_file_permission";
  const hook::ArgType types[] = {hook::ArgType::file, hook::ArgType::int_, hook::ArgType::sock};
  for (uint8_t slot = 0; slot < std::size(types); ++slot) {
    info.slots[slot].place = hook::Place::args;
    info.slots[slot].position = slot;
    info.slots[slot].type = types[slot];
  }
  return info;
}

template <class T>
void append_words(Records& records, const T& value) {
  const size_t at = records.words.size();
  records.words.resize(at + (sizeof(T) + 7) / 8);
  std::memcpy(records.words.data() + at, &value, sizeof(T));
}

template <class T>
void append_value(Records& records, uint8_t slot, const T& value, size_t size) {
  tg_hook_arg arg{};
  arg.slot = slot;
  arg.size = static_cast<uint32_t>(size);
  append_words(records, arg);
  append_words(records, value);
}

void append_exec(Records& records, tg_process_key process, tg_process_key parent, std::string_view filename) {
  tg_exec exec{};
  exec.head.size = static_cast<uint32_t>(sizeof(exec) + filename.size());
  exec.head.plugin = 1;
  exec.head.kind = TG_KIND_EXEC;
  exec.head.cpu = TG_CPU_USER;
  exec.head.time_ns = process.start_ns;
  exec.process = process;
  exec.parent = parent;
  exec.parent_pid = parent.pid;
  exec.flags = TG_EXEC_EXECVE | TG_EXEC_CLONE;
  exec.tid = process.pid;
  exec.filename_size = static_cast<uint32_t>(filename.size());
  const size_t at = records.words.size();
  records.words.resize(at + (exec.head.size + 7) / 8);
  std::memcpy(records.words.data() + at, &exec, sizeof(exec));
  std::memcpy(reinterpret_cast<char*>(records.words.data() + at) + sizeof(exec), filename.data(), filename.size());
  records.places.emplace_back(at, exec.head.size);
}

// One process and what a policy reports of it.
Records kprobe_records() {
  constexpr size_t kCount = 20000;
  constexpr tg_process_key kernel{1, 0, 0}, init{1000, 1, 0}, process{2000, 4242, 0};
  Records records;
  append_exec(records, kernel, {}, "<kernel>");
  append_exec(records, init, kernel, "/usr/lib/systemd/systemd");
  append_exec(records, process, init, "/usr/sbin/some-daemon");
  struct {
    tg_path_arg head;
    char text[32];
  } path{{0, 0100644, 0}, "/var/lib/some-daemon/state/file"};
  tg_sock_arg sock{};
  sock.cookie = 0xffff888012345678;
  sock.family = 2;
  sock.type = 1;
  sock.protocol = 6;
  sock.state = 1;
  sock.sport = 43210;
  sock.dport = 443;
  sock.saddr[0] = 10;
  sock.daddr[0] = 93;
  for (size_t i = 0; i < kCount; ++i) {
    const size_t at = records.words.size();
    tg_hook_record head{};
    head.head.plugin = 2;
    head.head.kind = TG_KIND_HOOK;
    head.head.cpu = TG_CPU_USER;
    head.head.time_ns = 1'000'000 + 1000 * i;
    head.process = process;
    head.tid = process.pid;
    head.hook = 1;
    head.arg_count = 3;
    append_words(records, head);
    append_value(records, 0, path, sizeof(path) - 1);
    append_value(records, 1, int64_t{4}, sizeof(int64_t));
    append_value(records, 2, sock, sizeof(sock));
    const size_t size = (records.words.size() - at) * sizeof(uint64_t);
    reinterpret_cast<tg_record*>(&records.words[at])->size = static_cast<uint32_t>(size);
    records.places.emplace_back(at, size);
  }
  return records;
}

std::unique_ptr<pipeline::Pipeline> make_pipeline(bus::Bus& bus) {
  process::TrackerOptions options;
  options.cache.node_name = "bench";
  auto made = std::make_unique<pipeline::Pipeline>(std::move(options), bus);
  const auto add = [&made](uint16_t number, auto decode) {
    tetragon_record_kind kind{};
    kind.struct_size = sizeof(kind);
    kind.kind = number;
    kind.name = {"bench", 5};
    kind.decode = decode;
    made->add_decoder(1, "tetragon.process", kind);
  };
  add(TG_KIND_EXEC, process_plugin::decode_exec);
  add(TG_KIND_CLONE, process_plugin::decode_clone);
  add(TG_KIND_EXIT, process_plugin::decode_exit);
  add(TG_KIND_DATA, process_plugin::decode_data);
  static constexpr tetragon_record_kind hook_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  for (const auto& kind : hook_kinds) made->add_decoder(2, "tetragon.kprobe", kind);
  if (auto defined = made->define_hook(kprobe_hook()); !defined) fail(defined.error().message());
  return made;
}

constexpr size_t kDrain = 64;  // records a wake-up brings on a busy host

void feed(pipeline::Pipeline& pipeline, const Records& records) {
  for (size_t i = 0; i < records.places.size();) {
    pipeline::Pipeline::Drain drain(pipeline);
    for (size_t n = 0; n < kDrain && i < records.places.size(); ++n, ++i) {
      const auto& [at, size] = records.places[i];
      drain.record(&records.words[at], size);
    }
  }
}

struct NullOutput final : sink::LineOutput {
  Result<size_t> append(std::string_view lines) override { return lines.size(); }
  sink::OutputStats stats() const override { return {}; }
};

sink::EventEncoder encoder(const event::Writer& writer, sink::Format format) {
  return sink::EventEncoder(writer, format, filter::FilterSet(), event::FieldFilterPlan());
}

// Reads a stream and throws it away, in a process of its own so that its CPU time does not count.
[[noreturn]] void run_client(const std::string& address, int result) {
  auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  auto call = stub.PrepareCall(&context, "/tetragon.FineGuidanceSensors/GetEvents", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  const grpc::Slice request("", 0);  // an empty GetEventsRequest
  call->WriteLast(grpc::ByteBuffer(&request, 1), grpc::WriteOptions(), nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer buffer;
  uint64_t received = 0;
  while (true) {
    call->Read(&buffer, nullptr);
    if (!queue.Next(&tag, &ok) || !ok) break;
    ++received;
  }
  if (write(result, &received, sizeof(received)) != sizeof(received)) _exit(1);
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: pipeline_bench RECORDING|kprobe decode|json|json-file|wire|grpc [rounds]");
  const std::string mode = argv[2];
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 20;

  const std::string folder = "/tmp/pipeline_bench." + std::to_string(getpid());
  const std::string address = "unix://" + folder + "/s";
  pid_t client = -1;
  int ready[2] = {-1, -1};
  int result[2] = {-1, -1};
  if (mode == "grpc") {
    if (pipe(ready) != 0 || pipe(result) != 0) fail("pipe");
    client = fork();  // before the first thread
    if (client == 0) {
      char go = 0;
      if (read(ready[0], &go, 1) != 1) _exit(1);
      run_client(address, result[1]);
    }
  }

  Records records;
  if (std::string_view(argv[1]) == "kprobe") {
    records = kprobe_records();
  } else {
    auto file = daemon::RecordingFile::open(argv[1]);
    if (!file) fail(file.error().message());
    records = read_records(file->reader);
    renumber(records);
  }

  const event::Writer writer("bench", "");
  bus::Bus bus;
  auto probe = make_pipeline(bus);
  feed(*probe, records);
  const uint64_t events = probe->accounting().events;
  if (events == 0 || probe->accounting().undecodable != 0) fail("the recording has no events, or undecodable records");
  const uint64_t queue = events * static_cast<uint64_t>(rounds) + 1;

  std::unique_ptr<sink::JsonExport> json;
  std::unique_ptr<policy::Manager> policies;
  std::unique_ptr<control::Api> api;
  std::unique_ptr<control::GrpcServer> server;
  if (mode == "json" || mode == "json-file") {
    std::unique_ptr<sink::LineOutput> output = std::make_unique<NullOutput>();
    if (mode == "json-file") {
      sink::OutputOptions options;
      options.limits.max_bytes = uint64_t{64} << 20;
      options.limits.max_backups = 1;
      auto opened = sink::open_output(folder + "/events.json", options);
      if (!opened) fail(opened.error().message());
      output = std::move(*opened);
    }
    json = std::make_unique<sink::JsonExport>(std::move(output), encoder(writer, sink::Format::json), writer, -1,
                                              bus.subscribe("bench", queue));
  } else if (mode == "grpc") {
    policies = std::make_unique<policy::Manager>(policy::ManagerHost{});
    api = std::make_unique<control::Api>(bus, writer, *probe, *policies);
    api->event_queue_size = queue;
    auto started = control::GrpcServer::start(address, *api);
    if (!started) fail(started.error().message());
    server = std::move(*started);
    if (write(ready[1], "g", 1) != 1) fail("pipe");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // until the client has subscribed
  }

  auto wire_queue = mode == "wire" ? bus.subscribe("bench", queue) : nullptr;
  std::string bytes;
  uint64_t out_bytes = 0;
  const double cpu_before = cpu_seconds();
  const auto wall_before = std::chrono::steady_clock::now();
  for (int round = 0; round < rounds; ++round) {
    const auto pipeline = make_pipeline(bus);
    feed(*pipeline, records);
    if (wire_queue == nullptr) continue;
    std::vector<event::BatchRef> batches;
    wire_queue->wait(batches, std::chrono::milliseconds(0));
    for (const auto& batch : batches) {
      bytes.clear();
      for (const auto& event : batch->events) writer.wire(*batch, event, nullptr, bytes);
      out_bytes += bytes.size();
    }
  }
  if (json != nullptr) {
    bus.close();
    const auto* written = json.get();
    while (written->stats().events < events * static_cast<uint64_t>(rounds) && written->stats().queue_lost == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    out_bytes = written->stats().bytes;
  }
  if (server != nullptr) {
    bus.close();  // the stream ends when everything is sent
    uint64_t received = 0;
    if (read(result[0], &received, sizeof(received)) != sizeof(received)) fail("the client failed");
    if (received != events * static_cast<uint64_t>(rounds)) {
      fail("the client got " + std::to_string(received) + " events of " + std::to_string(events * rounds));
    }
    waitpid(client, nullptr, 0);
  }
  const double cpu = cpu_seconds() - cpu_before;
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_before).count();
  const double total = static_cast<double>(events) * rounds;
  std::printf(
      "{\"mode\":\"%s\",\"events\":%.0f,\"cpu_ns_per_event\":%.0f,\"events_per_second\":%.0f,"
      "\"bytes_per_event\":%.0f}\n",
      mode.c_str(), total, cpu / total * 1e9, total / wall, static_cast<double>(out_bytes) / total);
  server.reset();
  json.reset();
  return 0;
}
