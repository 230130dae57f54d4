// SPDX-License-Identifier: Apache-2.0
#include "core/event/process.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "tetragon/events.pb.h"

using namespace tetragon::event;

namespace {

ProcessFields sample() {
  ProcessFields fields;
  fields.key = {.start_ns = 123, .pid = 42};
  fields.parent = {.start_ns = 100, .pid = 41};
  fields.exec_id = "abc=";
  fields.parent_exec_id = "def=";
  fields.pid = 42;
  fields.tid = 43;
  fields.uid = 0;
  fields.auid = 4294967295;
  fields.cwd = "/";
  fields.binary = "/bin/ls";
  fields.arguments = "-l";
  fields.flags = "execve clone";
  fields.docker = "0123";
  fields.start_time_ns = 1'500'000'000;
  fields.in_init_tree = false;
  return fields;
}

tetragon::Process parsed(const Process& process) {
  tetragon::Process message;
  REQUIRE(message.ParseFromString(std::string(process.wire())));
  return message;
}

}  // namespace

TEST_CASE("every field is in the wire form and can be asked for") {
  const ProcessRef process = Process::make(sample());
  const tetragon::Process message = parsed(*process);
  CHECK(message.exec_id() == "abc=");
  CHECK(message.parent_exec_id() == "def=");
  CHECK(message.pid().value() == 42);
  REQUIRE(message.has_uid());
  CHECK(message.uid().value() == 0);
  CHECK(message.auid().value() == 4294967295);
  CHECK(message.cwd() == "/");
  CHECK(message.binary() == "/bin/ls");
  CHECK(message.arguments() == "-l");
  CHECK(message.flags() == "execve clone");
  CHECK(message.docker() == "0123");
  CHECK(message.start_time().seconds() == 1);
  CHECK(message.start_time().nanos() == 500'000'000);
  REQUIRE(message.has_in_init_tree());
  CHECK_FALSE(message.in_init_tree().value());
  CHECK_FALSE(message.has_tid());  // differs per event
  CHECK(message.refcnt() == 0);

  CHECK(process->key() == ProcessKey{123, 42});
  CHECK(process->parent_key() == ProcessKey{100, 41});
  CHECK(process->exec_id() == "abc=");
  CHECK(process->parent_exec_id() == "def=");
  CHECK(process->pid() == 42);
  CHECK(process->tid() == 43);
  CHECK(process->uid() == 0);
  CHECK(process->cwd() == "/");
  CHECK(process->binary() == "/bin/ls");
  CHECK(process->arguments() == "-l");
  CHECK(process->flags() == "execve clone");
  CHECK(process->docker() == "0123");
  CHECK(process->in_init_tree() == false);
}

TEST_CASE("what is not known is not there") {
  ProcessFields fields;
  fields.key.pid = fields.pid = 7;
  fields.has_uid = false;
  const ProcessRef process = Process::make(fields);
  const tetragon::Process message = parsed(*process);
  CHECK(message.pid().value() == 7);
  CHECK_FALSE(message.has_uid());
  CHECK_FALSE(message.has_auid());
  CHECK_FALSE(message.has_start_time());
  CHECK_FALSE(message.has_in_init_tree());
  CHECK(process->binary().empty());
  CHECK(process->tid() == 7);
  CHECK(process->json() == "\"pid\":7");
}

TEST_CASE("invalid text is repaired, and asked for it is the repaired one") {
  ProcessFields fields = sample();
  fields.binary = "/\xff\xfe";
  fields.arguments = "\xc3";
  const ProcessRef process = Process::make(fields);
  CHECK(process->binary() == "/\xef\xbf\xbd");
  CHECK(process->arguments() == "\xef\xbf\xbd");
  CHECK(process->flags() == "execve clone");
  CHECK(parsed(*process).binary() == process->binary());
}

TEST_CASE("texts of any length") {
  ProcessFields fields = sample();
  for (const size_t size : {1u, 127u, 128u, 16383u, 16384u, 327360u}) {
    const std::string text(size, 'x');
    fields.arguments = text;
    const ProcessRef process = Process::make(fields);
    CHECK(process->arguments() == text);
    CHECK(parsed(*process).arguments() == text);
    CHECK(process->docker() == "0123");
  }
}

TEST_CASE("encoded parts are taken over") {
  tetragon::Process annotations, environment;
  annotations.mutable_cap()->add_permitted(tetragon::CAP_SYS_ADMIN);
  annotations.mutable_user()->set_name("root");
  environment.add_environment_variables()->set_key("A");
  const std::string annotations_wire = annotations.SerializeAsString();
  const std::string environment_wire = environment.SerializeAsString();
  ProcessFields fields = sample();
  fields.annotations = annotations_wire;
  fields.environment = environment_wire;
  const ProcessRef process = Process::make(fields);
  CHECK(process->annotations() == annotations_wire);
  CHECK(process->environment() == environment_wire);
  const tetragon::Process message = parsed(*process);
  CHECK(message.cap().permitted(0) == tetragon::CAP_SYS_ADMIN);
  CHECK(message.user().name() == "root");
  CHECK(message.environment_variables(0).key() == "A");
}

TEST_CASE("JSON members as the contract spells them") {
  const ProcessRef process = Process::make(sample());
  CHECK(process->json() ==
        "\"exec_id\":\"abc=\",\"pid\":42,\"uid\":0,\"cwd\":\"/\",\"binary\":\"/bin/ls\",\"arguments\":\"-l\","
        "\"flags\":\"execve clone\",\"start_time\":\"1970-01-01T00:00:01.500Z\",\"auid\":4294967295,"
        "\"docker\":\"0123\",\"parent_exec_id\":\"def=\",\"in_init_tree\":false");
}

TEST_CASE("JSON is made once, whichever thread asks first") {
  for (int round = 0; round < 200; ++round) {
    const ProcessRef process = Process::make(sample());
    const size_t before = process->memory();
    std::vector<const char*> seen(4);
    std::vector<std::thread> threads;
    for (auto& slot : seen) {
      threads.emplace_back([&slot, process] { slot = process->json().data(); });
    }
    for (auto& thread : threads) thread.join();
    for (const char* each : seen) REQUIRE(each == seen[0]);
    REQUIRE(process->memory() > before);
  }
}

TEST_CASE("exec ids") {
  CHECK(make_exec_id("node", {.start_ns = 123456789, .pid = 42}) == "bm9kZToxMjM0NTY3ODk6NDI=");
  CHECK(make_exec_id("node", {.start_ns = 1, .pid = 0}) == "bm9kZToxOjA=");
  CHECK(make_exec_id("", {.start_ns = UINT64_MAX, .pid = UINT32_MAX}) ==
        "OjE4NDQ2NzQ0MDczNzA5NTUxNjE1OjQyOTQ5NjcyOTU=");
}
