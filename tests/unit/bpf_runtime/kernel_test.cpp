// SPDX-License-Identifier: Apache-2.0
// Needs bpf(2).
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "bpf/shared/process.h"
#include "bpf/shared/scratch.h"
#include "kernel_support.h"
#include "missing.bpf.elf.h"
#include "other_layout.bpf.elf.h"
#include "refused.bpf.elf.h"
#include "sample.bpf.elf.h"

using tetragon::Code;
using namespace tetragon::bpf_runtime;

TEST_CASE("a refused program: object, program, and the verifier's reason") {
  if (!kernel_allows()) {
    return;
  }
  std::string told;
  RuntimeOptions options;
  options.verbose = 1;
  options.log = [&](std::string_view text) { told += text; };
  Runtime runtime(options);
  auto object = runtime.open("refused", std::as_bytes(std::span(tetragon_bpf_refused)));
  REQUIRE(object.ok());
  auto loaded = (*object)->load();
  REQUIRE_FALSE(loaded.ok());
  const std::string& text = loaded.error().message();
  INFO(text);
  CHECK(text.find("load BPF program \"untested\" (section \"raw_tp/sys_enter\", object \"refused\")") == 0);
  CHECK(text.find("the verifier says: ") != std::string::npos);
  CHECK(text.find("map_value_or_null") != std::string::npos);
  CHECK(told.find("BEGIN PROG LOAD LOG") != std::string::npos);
  CHECK_FALSE((*object)->loaded());
}

TEST_CASE("hooks that this kernel has not") {
  if (!kernel_allows()) {
    return;
  }
  Runtime runtime({});
  for (const char* wanted : {"typed", "raw", "function"}) {
    CAPTURE(wanted);
    auto object = runtime.open("missing", std::as_bytes(std::span(tetragon_bpf_missing)));
    REQUIRE(object.ok());
    for (const char* one : {"typed", "raw", "function"}) {
      REQUIRE((*object)->set_autoload(one, std::string_view(one) == wanted).ok());
    }
    auto result = (*object)->load();
    if (result.ok()) {
      result = (*object)->attach(wanted);
    }
    REQUIRE_FALSE(result.ok());
    INFO(result.error().message());
    CHECK(result.error().code() == Code::unsupported);
    CHECK(result.error().message().find(std::string_view(wanted) == "function"
                                            ? "this kernel has no function \"no_such_function\""
                                            : "this kernel has no tracepoint \"no_such_tracepoint\"") !=
          std::string::npos);
    CHECK((*object)->attached() == 0);
  }
  auto object = runtime.open("missing", std::as_bytes(std::span(tetragon_bpf_missing)));
  for (const char* one : {"typed", "raw", "function"}) {
    REQUIRE((*object)->set_autoload(one, false).ok());
  }
  CHECK((*object)->load().ok());
  CHECK((*object)->attach("typed").error().code() == Code::state);
  CHECK((*object)->attach("good").ok());
}

TEST_CASE("shared maps are one, and must be declared alike") {
  if (!kernel_allows()) {
    return;
  }
  RuntimeOptions options;
  options.ring_bytes = 100'000;
  options.process_entries = 77;
  Runtime runtime(options);
  auto first = runtime.open("first", std::as_bytes(std::span(tetragon_bpf_sample)));
  auto second = runtime.open("second", std::as_bytes(std::span(tetragon_bpf_sample)));
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  REQUIRE((*first)->load().ok());
  REQUIRE((*second)->load().ok());
  const std::uint32_t key = 5;
  std::array<std::byte, sizeof(tg_process)> process{};
  auto updated = (*first)->map_update("execve_map", raw(key), process, 0);
  CHECK(updated.ok());
  CHECK((*second)->map_lookup("execve_map", raw(key), process).ok());
  CHECK(*runtime.process_map_count() == 1);

  auto other = runtime.open("other", std::as_bytes(std::span(tetragon_bpf_other_layout)));
  auto loaded = (*other)->load();
  REQUIRE_FALSE(loaded.ok());
  INFO(loaded.error().message());
  CHECK(loaded.error().message().find("BPF object \"other\" declares the shared map \"tg_cpu\"") == 0);
  CHECK(loaded.error().message().find("value size 8; object \"first\" made it") != std::string::npos);

  // The maps outlive the object that made them.
  first->reset();
  CHECK((*second)->map_lookup("execve_map", raw(key), process).ok());
  second->reset();
  CHECK(*runtime.process_map_count() == 1);
  auto account = runtime.cpu_account();
  REQUIRE(account.ok());
  CHECK(account->seq.size() >= 1);
}

TEST_CASE("a work space of another layout is not made for the first who wants one") {
  if (!kernel_allows()) {
    return;
  }
  Runtime runtime(RuntimeOptions{});
  auto first = runtime.open("first", std::as_bytes(std::span(tetragon_bpf_other_layout)));
  REQUIRE(first.ok());
  auto loaded = (*first)->load();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().message() ==
        "BPF object \"first\" declares the shared map \"tg_hook_scratch\" with value size 8, this host with " +
            std::to_string(TG_HOOK_SCRATCH_BYTES) + ": build it with the SDK of this host");
}

TEST_CASE("map operations and their answers") {
  if (!kernel_allows()) {
    return;
  }
  Runtime runtime({});
  auto opened = runtime.open("sample", std::as_bytes(std::span(tetragon_bpf_sample)));
  REQUIRE(opened.ok());
  Object& object = **opened;
  REQUIRE(object.set_max_entries("things", 2).ok());
  REQUIRE(object.load().ok());
  CHECK(object.load().error().code() == Code::state);
  CHECK(object.set_const("target_tgid", raw(std::uint32_t{1})).error().code() == Code::state);
  std::uint64_t value = 7;
  CHECK(object.map_update("things", raw(1u), raw(value), 1).ok());
  CHECK(object.map_update("things", raw(1u), raw(value), 1).error().code() == Code::exists);
  CHECK(object.map_update("things", raw(2u), raw(value), 2).error().code() == Code::not_found);
  CHECK(object.map_update("things", raw(2u), raw(value), 0).ok());
  auto full = object.map_update("things", raw(3u), raw(value), 0);
  CHECK(full.error().code() == Code::limit);
  CHECK(full.error().message() == "update map \"things\" of BPF object \"sample\": the map is full");
  CHECK(object.map_update("things", raw(value), raw(value), 0).error().code() == Code::invalid);
  CHECK(object.map_delete("things", raw(2u)).ok());
  CHECK(object.map_delete("things", raw(2u)).error().code() == Code::not_found);
  std::array<std::byte, 8> out{};
  CHECK(object.map_lookup("things", raw(1u), out).ok());
  CHECK(out[0] == std::byte{7});
  CHECK(object.map_lookup("things", raw(9u), out).error().code() == Code::not_found);
  std::array<std::byte, 4> small{};
  CHECK(object.map_lookup("things", raw(1u), small).error().code() == Code::invalid);

  const std::uint32_t everywhere = 3;
  CHECK(object.map_update("each", raw(0u), raw(everywhere), 0).ok());
  std::vector<std::byte> all(8 * static_cast<std::size_t>(runtime.cpu_account()->seq.size()));
  REQUIRE(object.map_lookup("each", raw(0u), all).ok());
  for (std::size_t at = 0; at < all.size(); at += 8) {
    CHECK(all[at] == std::byte{3});
  }
}

TEST_CASE("closing detaches") {
  if (!kernel_allows()) {
    return;
  }
  Runtime runtime({});
  auto opened = runtime.open("sample", std::as_bytes(std::span(tetragon_bpf_sample)));
  REQUIRE((*opened)->set_const("target_tgid", raw(static_cast<std::uint32_t>(::getpid()))).ok());
  REQUIRE((*opened)->set_const("target_syscall", raw(std::int64_t{SYS_getpgid})).ok());
  REQUIRE((*opened)->load().ok());
  REQUIRE((*opened)->attach("on_syscall").ok());
  CHECK((*opened)->attached() == 1);
  auto total = [&] {
    std::uint64_t sum = 0;
    const auto account = runtime.cpu_account();
    for (const auto seq : account->seq) {
      sum += seq;
    }
    return sum;
  };
  ::syscall(SYS_getpgid, 0);
  const auto seen = total();
  CHECK(seen == 1);
  opened->reset();
  ::syscall(SYS_getpgid, 0);
  CHECK(total() == seen);
}

TEST_CASE("tracepoints by the kernel's BTF") {
  if (!kernel_allows()) {
    return;
  }
  Runtime runtime({});
  auto args = runtime.tracepoint_args("sched_process_exec");
  REQUIRE(args.ok());
  CHECK(*args == 3);
  CHECK(runtime.tracepoint_args("no_such_tracepoint").error().code() == Code::not_found);
  runtime.release_btf();
  CHECK(*runtime.tracepoint_args("sched_process_exec") == 3);
}

TEST_CASE("features: all names in order, each with a reason") {
  const auto features = probe_features("/sys/kernel/btf/vmlinux");
  REQUIRE(features.list.size() >= kProbeFeatureCount);
  const std::array<const char*, kProbeFeatureCount> names = {"override_return",
                                                             "buildid",
                                                             "kprobe_multi",
                                                             "uprobe_multi",
                                                             "fmodret",
                                                             "fmodret_syscall",
                                                             "signal",
                                                             "large",
                                                             "link_pin",
                                                             "lsm",
                                                             "missed_stats_kprobe_multi",
                                                             "missed_stats_kprobe",
                                                             "batch_update",
                                                             "uprobe_refctroff",
                                                             "audit_loginuid",
                                                             "probe_write_user",
                                                             "uprobe_regs_change",
                                                             "mix_bpf_and_tail_calls",
                                                             "fentry",
                                                             "get_func_ret"};
  for (std::size_t n = 0; n < names.size(); ++n) {
    CHECK(features.list[n].name == names[n]);
    CHECK_FALSE(features.list[n].reason.empty());
    MESSAGE(features.list[n].name << ": " << features.list[n].supported << " (" << features.list[n].reason << ")");
  }
  const auto without = probe_features("/no/such/btf");
  CHECK_FALSE(without.supported("btf"));
  CHECK_FALSE(without.supported("get_func_ret"));
}
