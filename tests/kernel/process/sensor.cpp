// SPDX-License-Identifier: Apache-2.0
#include "sensor.h"

#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "decode.h"
#include "groups.bpf.elf.h"
#include "process.bpf.elf.h"
#include "process.h"
#include "tests/kernel/plugin_kernel.h"

using namespace tetragon;

namespace {

bpf_runtime::Bytes raw(const auto& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

bool kernel_allows() {
  return testing::kernel_allows();
}

Sensor::Sensor(SensorOptions options) {
  bpf_runtime::RuntimeOptions runtime;
  runtime.process_entries = options.process_entries;
  runtime.ring_bytes = 16u << 20;
  runtime_ = std::make_unique<bpf_runtime::Runtime>(runtime);
  if (options.plugin) {
    plugin_host::Services services;
    services.log = [this](std::uint32_t, std::string_view, std::string_view message) { log_.emplace_back(message); };
    services.config = [config = options.config](std::string_view name) -> std::optional<std::string> {
      const auto found = config.find(std::string(name));
      return found == config.end() ? std::nullopt : std::optional(found->second);
    };
    services.emit = [this](std::span<const std::byte> record) {
      take(record.data(), record.size());
      return true;
    };
    plugin_host::Options host;
    host.plugin_dir = TEST_PLUGIN_DIR;
    host_ = std::make_unique<plugin_host::PluginHost>(*runtime_, services, host);
    REQUIRE(host_->load_all().ok());
    host_->start_all();
    const auto info = host_->find("tetragon.process");
    REQUIRE(info);
    INFO(info->reason);
    REQUIRE(info->status == plugin_host::Status::started);
  } else {
    start_by_hand();
  }
  auto ring = runtime_->shared_map_fd(bpf_runtime::kRingMap);
  REQUIRE(ring.ok());
  bpf_runtime::RingReaderOptions reader;
  reader.on_record = [this](const void* record, std::size_t size) { take(record, size); };
  auto made = bpf_runtime::RingReader::create(*ring, reader);
  REQUIRE(made.ok());
  reader_ = std::move(*made);
}

Sensor::~Sensor() {
  if (host_) {
    host_->stop_all();
  }
}

void Sensor::start_by_hand() {
  auto opened = runtime_->open(
      "process", {reinterpret_cast<const std::byte*>(tetragon_bpf_process), sizeof(tetragon_bpf_process)});
  REQUIRE(opened.ok());
  object_ = std::move(*opened);
  REQUIRE(object_->set_const("tg_exec_credentials", raw(true)).ok());
  REQUIRE(object_->set_const("tg_exec_environment", raw(true)).ok());
  REQUIRE(object_->set_const("tg_exit_has_group_dead", raw(false)).ok());
  REQUIRE(object_->set_autoload("tg_exec", false).ok());
  const auto loaded = object_->load();
  INFO((loaded.ok() ? "" : loaded.error().message()));
  REQUIRE(loaded.ok());
  for (const char* program : {"tg_exit", "tg_exec_bounded", "tg_fork"}) {
    REQUIRE(object_->attach(program).ok());
  }
}

Result<void> Sensor::refresh() {
  return host_ ? host_->refresh() : refresh_by_hand();
}

Result<void> Sensor::refresh_by_hand() {
  if (!groups_) {
    auto opened = runtime_->open(
        "groups", {reinterpret_cast<const std::byte*>(tetragon_bpf_groups), sizeof(tetragon_bpf_groups)});
    TETRAGON_TRY(opened);
    groups_ = std::move(*opened);
    TETRAGON_TRY(groups_->set_autoload("tg_refresh", false));
    TETRAGON_TRY(groups_->load());
  }
  std::uint64_t before = 0, changes = 0;
  do {
    before = changes;
    TETRAGON_TRY(groups_->iterate("tg_refresh_bounded"));
    TETRAGON_TRY(groups_->map_lookup("tg_group_changes", raw(0u), std::as_writable_bytes(std::span(&changes, 1))));
  } while (changes != before);
  return {};
}

void Sensor::take(const void* record, std::size_t size) {
  const auto& head = *static_cast<const tg_record*>(record);
  ++received_[head.cpu];
  using namespace process_plugin;
  tetragon_rc code = TETRAGON_E_NOT_FOUND;
  switch (head.kind) {
    case TG_KIND_EXEC: code = decode_exec(record, size, events_.out()); break;
    case TG_KIND_CLONE: code = decode_clone(record, size, events_.out()); break;
    case TG_KIND_EXIT: code = decode_exit(record, size, events_.out()); break;
    case TG_KIND_DATA: code = decode_data(record, size, events_.out()); break;
    default: break;
  }
  undecodable_ += code == TETRAGON_OK ? 0 : 1;
}

pid_t Sensor::spawn(const std::string& file, const std::vector<std::string>& args, const std::string& cwd) {
  std::vector<char*> argv;
  for (const auto& one : args) {
    argv.push_back(const_cast<char*>(one.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!cwd.empty() && ::chdir(cwd.c_str()) != 0) {
      ::_exit(127);
    }
    ::execv(file.c_str(), argv.data());
    ::_exit(126);
  }
  REQUIRE(pid > 0);
  return pid;
}

int Sensor::wait(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

pid_t Sensor::run(const std::vector<std::string>& args, int* ret_status) {
  std::vector<std::string> all{TEST_ACTOR};
  all.insert(all.end(), args.begin(), args.end());
  const pid_t pid = spawn(TEST_ACTOR, all);
  const int status = wait(pid);
  if (ret_status != nullptr) {
    *ret_status = status;
  }
  read_until_exit(pid);
  return pid;
}

void Sensor::drain() {
  REQUIRE(reader_->drain().ok());
}

void Sensor::read_until_exit(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  do {
    drain();
    if (!exits(pid).empty()) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } while (std::chrono::steady_clock::now() < deadline);
  FAIL("no exit of process " << pid << " within 5 s");
}

void Sensor::read_until_exec(pid_t pid, const std::string& file) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  do {
    drain();
    const auto found = execs(pid);
    if (std::any_of(found.begin(), found.end(), [&](const auto& exec) { return exec.filename == file; })) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } while (std::chrono::steady_clock::now() < deadline);
  FAIL("no exec of " << file << " by process " << pid << " within 5 s");
}

std::optional<tg_process> Sensor::entry(pid_t pid) {
  const auto map = runtime_->shared_map_fd(bpf_runtime::kProcessMap);
  REQUIRE(map.ok());
  tg_process value{};
  if (::bpf_map_lookup_elem(*map, &pid, &value) != 0) {
    return std::nullopt;
  }
  return value;
}

std::vector<testing::CollectedExec> Sensor::execs(pid_t pid) const {
  std::vector<testing::CollectedExec> found;
  for (const auto& exec : events_.execs) {
    if (exec.fields.process.pid == static_cast<std::uint32_t>(pid)) {
      found.push_back(exec);
    }
  }
  return found;
}

std::vector<tetragon_process_clone> Sensor::clones(pid_t pid) const {
  std::vector<tetragon_process_clone> found;
  for (const auto& clone : events_.clones) {
    if (clone.process.pid == static_cast<std::uint32_t>(pid)) {
      found.push_back(clone);
    }
  }
  return found;
}

std::vector<tetragon_process_exit> Sensor::exits(pid_t pid) const {
  std::vector<tetragon_process_exit> found;
  for (const auto& exit : events_.exits) {
    if (exit.process.pid == static_cast<std::uint32_t>(pid)) {
      found.push_back(exit);
    }
  }
  return found;
}

std::vector<tetragon_process_clone> Sensor::children(pid_t pid) const {
  std::vector<tetragon_process_clone> found;
  for (const auto& clone : events_.clones) {
    if (clone.parent_pid == static_cast<std::uint32_t>(pid)) {
      found.push_back(clone);
    }
  }
  return found;
}

std::string Sensor::arguments(const testing::CollectedExec& exec) const {
  std::string all = exec.args;
  for (const auto& data : events_.data) {
    if (data.id == exec.fields.args_data) {
      all += data.piece;
    }
  }
  return all;
}
