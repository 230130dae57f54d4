// SPDX-License-Identifier: Apache-2.0
// The whole way of an event without the daemon: kernel, ring buffer, decoder table, decoder.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <tetragon/testing/collected_events.h>
#include <unistd.h>

#include <csignal>

#include "bpf/shared/record.h"
#include "core/bpf_runtime/features.h"
#include "core/bpf_runtime/ring_reader.h"
#include "folder.h"

using tetragon::plugin_host::Status;

TEST_CASE("template reports a signal") {
  const auto features = tetragon::bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  for (const char* name : {"large", "ring_buffer", "tp_btf"}) {
    if (!features.supported(name)) {
      MESSAGE("SKIPPED: " << name << ": " << features.find(name)->reason);
      return;
    }
  }
  Folder folder;
  const std::string file = folder.put("signals");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  CHECK(host.entry(file).reason == "");
  REQUIRE(host.entry(file).status == Status::started);
  CHECK(host.runtime.live_objects() == 1);

  tetragon::testing::CollectedEvents events;
  auto ring = host.runtime.shared_map_fd("tg_ring");
  REQUIRE(ring.ok());
  auto reader = tetragon::bpf_runtime::RingReader::create(
      *ring, {std::chrono::milliseconds(1),
              [&](const void* record, std::size_t size) {
                const auto& head = *static_cast<const tg_record*>(record);
                const auto* kind = host.host.record_kind(head.plugin, head.kind);
                REQUIRE(kind != nullptr);
                REQUIRE(size >= kind->min_size);
                CHECK(kind->decode(record, size, events.out()) == TETRAGON_OK);
              },
              {}});
  REQUIRE(reader.ok());

  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ::kill(child, SIGUSR1);
  ::waitpid(child, nullptr, 0);
  REQUIRE((*reader)->drain().ok());
  const tetragon::testing::CollectedEvent* sent = nullptr;
  for (const auto& event : events.events) {
    CHECK(event.find("signal")->i != SIGCHLD);
    if (event.process.pid == static_cast<std::uint32_t>(::getpid()) &&
        event.find("target_pid")->u == static_cast<std::uint64_t>(child)) {
      sent = &event;
    }
  }
  REQUIRE(sent != nullptr);
  CHECK(sent->name == "signal_sent");
  CHECK(sent->find("signal")->i == SIGUSR1);
  CHECK(sent->find("result")->i == 0);

  host.host.stop_all();
  CHECK(host.runtime.live_objects() == 0);
}
