// SPDX-License-Identifier: Apache-2.0
// Which way is taken on which kernel, and what is attached then.
#include <doctest/doctest.h>
#include <tetragon/plugin.h>
#include <tetragon/testing/fake_host.h>

#include <string>
#include <vector>

#include "killer.h"

extern "C" const tetragon_plugin tetragon_plugin_v1;

using namespace tetragon;
using testing::FakeBpf;
using testing::FakeHost;
using testing::FakeRequest;
using testing::PluginRunner;

namespace {

struct Fixture {
  Fixture() {
    request.section = "enforcers";
    request.attributes["policy_number"] = "7";
    request.targets = {{"__x64_sys_read", "", 0, 0, 0}, {"__ia32_sys_getpgid", "", 0, 0, 132 | 0x80000000u}};
    REQUIRE(plugin.create() == TETRAGON_OK);
    REQUIRE(plugin.start() == TETRAGON_OK);
  }
  // What the listing says; "refused" with the error of the host otherwise.
  std::string add() {
    if (plugin.hook_add(request.raw()) != TETRAGON_OK) return "refused";
    return host.hooks.back().said.at("backend");
  }
  void lacks(std::initializer_list<const char*> features) {
    for (const char* feature : features) host.missing_features[feature] = std::string("no ") + feature;
  }
  // Objects that are still open.
  std::vector<const FakeBpf*> open() const {
    std::vector<const FakeBpf*> all;
    for (const FakeBpf& one : host.bpf) {
      if (!one.closed) all.push_back(&one);
    }
    return all;
  }
  bool says(const std::string& part) const { return host.error.find(part) != std::string::npos; }

  FakeHost host;
  FakeRequest request;
  PluginRunner plugin{host, tetragon_plugin_v1};
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "all at once where the kernel can") {
  host.now_ns = 55;
  CHECK(add() == "kprobe-multi: the best there is");
  REQUIRE(open().size() == 1);
  const FakeBpf& bpf = *open()[0];
  CHECK(bpf.autoload.at("tg_enforce_multi"));
  CHECK(!bpf.autoload.at("tg_enforce_single"));
  CHECK(bpf.constant<std::uint32_t>("tg_policy_number") == 7);
  CHECK(bpf.constant<std::uint64_t>("tg_loaded_ns") == 55);
  CHECK(!bpf.constant<bool>("tg_answers"));
  REQUIRE(bpf.attachments.size() == 1);
  CHECK(bpf.attachments[0].targets == Names{"__x64_sys_read", "__ia32_sys_getpgid"});
  plugin.hook_remove(0);
  CHECK(open().empty());
}

TEST_CASE_FIXTURE(Fixture, "answers need the helper") {
  request.attributes["answers"] = "1";
#if defined(__x86_64__)
  CHECK(add() == "kprobe-multi: the best there is");
  CHECK(open()[0]->constant<bool>("tg_answers"));
#endif
  lacks({"override_return"});
  CHECK(add().starts_with("fmod-ret: kprobe-multi: "));
  CHECK(host.bpf.back().attach_targets.at("tg_enforce_modify") == "__ia32_sys_getpgid");
  lacks({"fentry"});
  CHECK(add() == "refused");
  CHECK(says("kprobe: no override_return; fmod-ret: no fentry; syscall-tracepoint: a tracepoint cannot answer"));
  CHECK(says("What would work: argSig without argError"));
}

TEST_CASE_FIXTURE(Fixture, "signals: down to the tracepoints of system calls") {
  lacks({"kprobe_multi"});
  CHECK(add() == "kprobe: kprobe-multi: no kprobe_multi");
  CHECK(open()[0]->attachments.size() == 2);
  lacks({"kprobe", "fentry"});
  CHECK(add().starts_with("syscall-tracepoint: kprobe-multi: no kprobe; kprobe: no kprobe; fentry: no fentry"));
  const FakeBpf& bpf = host.bpf.back();
  CHECK(bpf.attached == Names{"tg_enforce_enter", "tg_enforce_exit"});
  struct Calls {
    std::uint64_t words[TG_CALL_WORDS];
  };
  const auto calls = bpf.constant<Calls>("tg_enforced");
  CHECK(calls.words[0] == 1);
  CHECK(calls.words[(TG_SYSCALLS32 + 132) / 64] == std::uint64_t{1} << (TG_SYSCALLS32 + 132) % 64);
  request.targets.push_back({"__x64_sys_newer", "", 0, 0, UINT32_MAX});
  CHECK(add() == "refused");
  CHECK(says("the number of __x64_sys_newer is not known"));
}

TEST_CASE_FIXTURE(Fixture, "many system calls: not one by one, unless nothing else answers") {
  for (std::uint32_t n = 2; n < 100; ++n) request.targets.push_back({"__x64_sys_" + std::to_string(n), "", 0, 0, n});
  lacks({"kprobe_multi"});
  CHECK(add() == "syscall-tracepoint: kprobe-multi: no kprobe_multi");
  request.attributes["meets"] = "1";
  CHECK(add().starts_with("kprobe: "));
  request.attributes.erase("meets");
  request.attributes["answers"] = "1";
  CHECK(add().starts_with("kprobe: "));
  CHECK(open().back()->attachments.size() == 100);
}

TEST_CASE_FIXTURE(Fixture, "options and the policy's own hooks") {
  request.flags = TETRAGON_HOOK_NO_MULTI;
  CHECK(add() == "kprobe: kprobe-multi: an option forbids it");
  request.flags = 0;
  request.attributes["meets"] = "1";
  CHECK(add().starts_with("kprobe: kprobe-multi: the order of its programs"));
  request.attributes["method"] = "fmod-ret";
  CHECK(add() == "fmod-ret: override-method asks for it");
  CHECK(host.bpf.back().attached == Names{"tg_enforce_modify"});
  request.attributes["method"] = "override-return";
  request.attributes["answers"] = "1";
  lacks({"override_return"});
  CHECK(add() == "refused");
  CHECK(!says("fmod-ret: "));
}

TEST_CASE_FIXTURE(Fixture, "signals only: fentry, and no trampoline where a kprobe answers") {
  request.attributes["method"] = "fmod-ret";
  CHECK(add() == "fentry: override-method asks for it");
  REQUIRE(open().size() == 2);
  for (const FakeBpf* bpf : open()) {
    CHECK(bpf->attached == Names{"tg_enforce_entry"});
    CHECK(!bpf->autoload.at("tg_enforce_modify"));
  }
  plugin.hook_remove(0);
  request.attributes["overridden"] = "__x64_sys_read";
  for (const char* needs : {"", "meets", "answers"}) {
    if (*needs != 0) request.attributes[needs] = "1";
    CHECK(add() == "refused");
    CHECK(says(": another hook answers for __x64_sys_read by a kprobe, which a trampoline would undo"));
    request.attributes.erase(needs);
  }
  CHECK(open().empty());
  request.attributes.erase("method");
  CHECK(add() == "kprobe-multi: the best there is");
}

TEST_CASE_FIXTURE(Fixture, "answers: not by kprobes on what a trampoline calls") {
  request.attributes["trampolined"] = "__x64_sys_read";
  request.flags = TETRAGON_HOOK_NO_MULTI;
  CHECK(add().starts_with("kprobe: "));  // a signal gets through
  request.attributes["answers"] = "1";
  CHECK(add().starts_with("fmod-ret: kprobe-multi: another hook is on __x64_sys_read by a trampoline"));
  request.attributes["method"] = "override-return";
  CHECK(add() == "refused");
  CHECK(says("delete its policy first"));
}

TEST_CASE_FIXTURE(Fixture, "functions of security modules: trampolines, and probes for signals only") {
  request.targets = {{"security_file_open", "", 0, 0, UINT32_MAX}, {"security_bprm_check", "", 0, 0, UINT32_MAX}};
  CHECK(add() == "fentry: the best there is");
  CHECK(open().size() == 2);
  lacks({"fentry"});
  CHECK(add() == "kprobe-multi: fentry: no fentry");
  request.attributes["answers"] = "1";
  CHECK(add() == "refused");
  CHECK(says("Override in lsmhooks"));
}

TEST_CASE_FIXTURE(Fixture, "what fails leaves nothing behind, and the next way is tried") {
  host.fail("bpf_attach_to", TETRAGON_E_SYSTEM, "the kernel says no");
  CHECK(add() == "kprobe: kprobe-multi: the kernel says no");
  REQUIRE(open().size() == 1);
  CHECK(open()[0]->attachments.size() == 2);
  request.attributes.erase("policy_number");
  CHECK(add() == "refused");
  CHECK(open().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "calls that the kernel was built without are signalled for") {
  request.attributes["answers"] = "1";
  request.flags = TETRAGON_HOOK_NO_MULTI;
  host.fail("bpf_attach_to", TETRAGON_E_SYSTEM, "not in the list");
  CHECK(add() == "kprobe: kprobe-multi: an option forbids it");
  REQUIRE(open().size() == 2);
  CHECK(open()[0]->constant<bool>("tg_answers"));
  CHECK(open()[0]->attachments.size() == 1);
  CHECK(!open()[1]->constant<bool>("tg_answers"));
  CHECK(open()[1]->attachments[0].target == "__x64_sys_read");
  CHECK(host.hooks.back().said.at("signalled only") == "1 that this kernel cannot answer for: __x64_sys_read");
  CHECK(host.logged("cannot answer for 1 calls of its enforcer"));
  plugin.hook_remove(0);

  request.attributes["method"] = "fmod-ret";
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "not modifiable", 1);
  CHECK(add() == "fmod-ret: override-method asks for it");
  REQUIRE(open().size() == 2);
  CHECK(open()[0]->attached == Names{"tg_enforce_modify"});
  CHECK(open()[1]->attached == Names{"tg_enforce_entry"});
  CHECK(open()[1]->attach_targets.at("tg_enforce_entry") == "__ia32_sys_getpgid");
  plugin.hook_remove(1);

  // None at all: that is no answer.
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "not modifiable");
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "not modifiable");
  CHECK(add() == "refused");
  CHECK(says("fmod-ret: not modifiable"));
  CHECK(open().empty());
}
