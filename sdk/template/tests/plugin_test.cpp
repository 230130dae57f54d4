// SPDX-License-Identifier: Apache-2.0
// Drives the plugin with a host in memory: no daemon, no kernel, no root. Any test framework will do; this has none.
#include <tetragon/testing/check.h>
#include <tetragon/testing/fake_host.h>

#include <csignal>
#include <cstring>

#include "signals.h"

using tetragon::testing::CollectedEvents;
using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

extern "C" const tetragon_plugin tetragon_plugin_v1;

static void starts_and_sets_its_constants() {
  FakeHost host;
  host.tracepoints["signal_generate"] = 5;
  PluginRunner plugin(host, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_OK);
  CHECK(host.bpf.size() == 1 && host.bpf[0].loaded);
  CHECK(host.bpf[0].constant<std::uint64_t>("ignored_signals") == std::uint64_t{1} << SIGCHLD);
  CHECK(host.bpf[0].attached == std::vector<std::string>{"signals_generate"});
}

static void says_why_it_cannot_start() {
  FakeHost host;
  PluginRunner without_tracepoint(host, tetragon_plugin_v1);
  CHECK(without_tracepoint.create() == TETRAGON_OK);
  CHECK(without_tracepoint.start() == TETRAGON_E_NOT_FOUND);
  CHECK(host.bpf.empty());

  FakeHost refusing;
  refusing.tracepoints["signal_generate"] = 5;
  refusing.fail("bpf_load", TETRAGON_E_SYSTEM, "the verifier says: no");
  PluginRunner plugin(refusing, tetragon_plugin_v1);
  CHECK(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_E_SYSTEM);
  CHECK(refusing.error == "the verifier says: no");
  CHECK(refusing.bpf[0].attached.empty());
}

static void decodes() {
  signals_sent record{};
  record.head.size = sizeof(record);
  record.head.kind = SIGNALS_RECORD_SENT;
  record.head.time_ns = 1234;
  record.sender = {77, 10, 0};
  record.sender_tid = 11;
  record.target_pid = 20;
  record.signal = SIGUSR1;
  std::memset(record.target_comm, 'x', sizeof(record.target_comm));  // no NUL: must not be read beyond
  CollectedEvents events;
  CHECK(PluginRunner::decode(tetragon_plugin_v1, SIGNALS_RECORD_SENT, &record, sizeof(record), events) == TETRAGON_OK);
  CHECK(events.events.size() == 1);
  const auto& event = events.events.at(0);
  CHECK(event.name == "signal_sent");
  CHECK(event.time_ns == 1234);
  CHECK(event.process.pid == 10 && event.process.start_ns == 77 && event.tid == 11);
  CHECK(event.find("signal")->i == SIGUSR1);
  CHECK(event.find("target_pid")->u == 20);
  CHECK(event.find("target_comm")->text == std::string(16, 'x'));

  CHECK(PluginRunner::decode(tetragon_plugin_v1, SIGNALS_RECORD_SENT, &record, sizeof(record) - 1, events) < 0);
  CHECK(events.events.size() == 1);
}

int main() {
  starts_and_sets_its_constants();
  says_why_it_cannot_start();
  decodes();
  return tetragon::testing::outcome();
}
