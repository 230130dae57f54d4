// SPDX-License-Identifier: Apache-2.0
// The facade of hooks of policies, argument types and operators, driven by the host in memory.
#include <doctest/doctest.h>
#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>
#include <tetragon/testing/fake_host.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace tetragon::sdk;
using tetragon::testing::FakeHost;
using tetragon::testing::FakeRequest;
using tetragon::testing::PluginRunner;

const unsigned char elf[4] = {0x7f, 'E', 'L', 'F'};

tetragon_rc decode_inode(tetragon_bytes raw, tetragon_arg* ret_arg) {
  if (raw.size < 8) {
    return TETRAGON_E_INVALID;
  }
  ret_arg->kind = TETRAGON_ARG_SIZE;
  std::memcpy(&ret_arg->value.u, raw.data, 8);
  return TETRAGON_OK;
}

tetragon_rc split(tetragon_str value, void* ctx, void (*add)(void*, tetragon_str)) {
  std::string_view rest = view(value);
  if (rest.empty()) {
    throw std::runtime_error("no value");
  }
  for (std::size_t bar = 0; bar != std::string_view::npos;) {
    bar = rest.find('|');
    add(ctx, str(rest.substr(0, bar)));
    rest.remove_prefix(bar == std::string_view::npos ? rest.size() : bar + 1);
  }
  return TETRAGON_OK;
}

struct Seen {
  std::vector<std::string> removed, targets, attributes;
  std::string section, policy, backend;
  bool has_return = false, is_syscall = false, is_raw = false, may_multi = false;
  int refreshes = 0;
  bool refresh_fails = false;
};
Seen seen;

class Hooks {
 public:
  static Result<Hooks> create(Host host) { return Hooks(host); }
  Result<void> start() { return host_.feature("kprobe"); }
  void stop() noexcept {}

  Result<void> refresh() {
    ++seen.refreshes;
    if (seen.refresh_fails) return Error(TETRAGON_E_SYSTEM, "no process can be looked at");
    return {};
  }

  Result<void*> hook_add(Hook hook, const HookRequest& request) {
    seen.section = request.section();
    seen.policy = request.policy();
    seen.backend = request.backend();
    seen.has_return = request.has_return();
    seen.is_syscall = request.is_syscall();
    seen.is_raw = request.is_raw();
    seen.may_multi = request.may_multi();
    for (const auto* one : request.targets()) seen.targets.emplace_back(view(one->name));
    for (const auto* one : request.attributes()) {
      seen.attributes.push_back(std::string(view(one->key)) + "=" + std::string(view(one->value)));
    }
    auto bpf = hook.open_bpf(bpf_elfs[0]);
    TETRAGON_SDK_TRY(bpf);
    if (request.has_verdict()) TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_VALUE));
    TETRAGON_SDK_TRY(bpf->set_attach_target("enter", "vfs_read"));
    TETRAGON_SDK_TRY(bpf->load());
    TETRAGON_SDK_TRY(bpf->set_program("tails", 3, *bpf, "leave"));
    TETRAGON_SDK_TRY(bpf->set_program("tails", 4, *bpf, "leave"));
    TETRAGON_SDK_TRY(bpf->clear_program("tails", 4));
    std::vector<tetragon_str> names;
    std::vector<std::uint64_t> cookies;
    for (const auto* one : request.targets()) {
      names.push_back(one->name);
      cookies.push_back(one->instance);
    }
    tetragon_attach_opts opts{};
    opts.kind = TETRAGON_ATTACH_KPROBE_MULTI;
    opts.count = static_cast<std::uint32_t>(names.size());
    opts.targets = names.data();
    opts.cookies = cookies.data();
    TETRAGON_SDK_TRY(bpf->attach_to("enter", opts));
    hook.say("backend", "kprobe-multi: the best there is");
    if (request.policy() == "too-late") TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_VALUE));
    return static_cast<void*>(&seen);
  }
  void hook_remove(Hook hook, void* state) noexcept {
    CHECK((hook.handle() != nullptr));
    CHECK((state == &seen));
    seen.removed.emplace_back("removed");
  }

  static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("hooks", {elf, sizeof(elf)})};
  static constexpr tetragon_arg_member inode_members[] = {arg_member("i_ino"), arg_member("i_mode", 2)};
  static constexpr tetragon_arg_type arg_types[] = {
      arg_type<decode_inode, inode_members>("inode_number", "struct inode", TETRAGON_COMPARE_NUMBER),
      arg_type<decode_inode>("plain", "")};
  static constexpr tetragon_operator operators[] = {make_operator<split>("OneOf", "Equal", TETRAGON_COMPARE_NUMBER)};
  static constexpr std::string_view policy_section = "things";
  static constexpr std::string_view more_sections = "others,more";

 private:
  explicit Hooks(Host host) : host_(host) {}
  Host host_;
};

struct Fixture {
  Fixture() {
    seen = {};
    REQUIRE(plugin.create() == TETRAGON_OK);
  }
  FakeHost host;
  PluginRunner plugin{host, descriptor()};
  static const tetragon_plugin& descriptor();
};

}  // namespace

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, Hooks, "test.hooks", "1.0.0", "Drives the facade of hooks", 1);

const tetragon_plugin& Fixture::descriptor() {
  return tetragon_plugin_v1;
}

TEST_CASE("hooks: the descriptor of 1.1") {
  const auto& p = tetragon_plugin_v1;
  CHECK(p.min_host_minor == 1);
  const tetragon_hook_type& hook = *p.hook;
  CHECK(view(hook.policy_section) == "things");
  CHECK(view(hook.more_sections) == "others,more");
  CHECK((hook.hook_add != nullptr && hook.hook_remove != nullptr && hook.refresh != nullptr));
  CHECK((hook.scan == nullptr));
  REQUIRE(hook.arg_type_count == 2);
  const tetragon_arg_type& type = *hook.arg_types[0];
  CHECK(view(type.btf_type) == "struct inode");
  CHECK(type.compare == TETRAGON_COMPARE_NUMBER);
  REQUIRE(type.member_count == 2);
  CHECK(view(type.members[0]->path) == "i_ino");
  CHECK(type.members[0]->size == 0);
  CHECK(type.members[1]->size == 2);
  CHECK(type.members[1]->struct_size == sizeof(tetragon_arg_member));
  CHECK(hook.arg_types[1]->member_count == 0);
  CHECK((hook.arg_types[1]->members == nullptr));
  REQUIRE(hook.operator_count == 1);
  CHECK(view(hook.operators[0]->name) == "OneOf");
  CHECK(view(hook.operators[0]->lower) == "Equal");
}

TEST_CASE("argument types and operators: the author's functions") {
  const tetragon_hook_type& hook = *tetragon_plugin_v1.hook;
  tetragon_arg arg{};
  arg.struct_size = sizeof(arg);
  const std::uint64_t inode = 123456789012;
  CHECK(hook.arg_types[0]->decode({&inode, 8}, &arg) == TETRAGON_OK);
  CHECK(arg.kind == TETRAGON_ARG_SIZE);
  CHECK(arg.value.u == inode);
  CHECK(hook.arg_types[0]->decode({&inode, 4}, &arg) == TETRAGON_E_INVALID);

  std::vector<std::string> values;
  const auto add = [](void* ctx, tetragon_str text) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(view(text));
  };
  CHECK(hook.operators[0]->parse_value(str("1|22|3"), &values, add) == TETRAGON_OK);
  CHECK(values == std::vector<std::string>{"1", "22", "3"});
  CHECK(hook.operators[0]->parse_value(str(""), &values, add) == TETRAGON_E_INTERNAL);  // it throws
}

TEST_CASE_FIXTURE(Fixture, "hooks: added, listed, removed") {
  REQUIRE(plugin.start() == TETRAGON_OK);
  FakeRequest request;
  request.section = "things";
  request.policy = "p";
  request.backend = "fentry";
  request.flags = TETRAGON_HOOK_RETURN | TETRAGON_HOOK_SYSCALL;
  request.targets.resize(2);
  request.targets[0].name = "vfs_read";
  request.targets[1].name = "vfs_write";
  request.attributes["every"] = "5s";
  REQUIRE(plugin.hook_add(request.raw()) == TETRAGON_OK);
  CHECK(seen.section == "things");
  CHECK(seen.policy == "p");
  CHECK(seen.backend == "fentry");
  CHECK(seen.has_return);
  CHECK(seen.is_syscall);
  CHECK_FALSE(seen.is_raw);
  CHECK(seen.may_multi);
  CHECK(seen.targets == std::vector<std::string>{"vfs_read", "vfs_write"});
  CHECK(seen.attributes == std::vector<std::string>{"every=5s"});
  REQUIRE(host.hooks.size() == 1);
  CHECK(host.hooks[0].said["backend"] == "kprobe-multi: the best there is");
  REQUIRE(host.bpf.size() == 1);
  const auto& bpf = host.bpf[0];
  CHECK(bpf.attach_targets.at("enter") == "vfs_read");
  CHECK(bpf.programs.at("tails").size() == 1);
  CHECK(bpf.programs.at("tails").at(3) == "hooks/leave");
  REQUIRE(bpf.attachments.size() == 1);
  CHECK(bpf.attachments[0].kind == TETRAGON_ATTACH_KPROBE_MULTI);
  CHECK(bpf.attachments[0].targets == std::vector<std::string>{"vfs_read", "vfs_write"});
  CHECK(bpf.attachments[0].cookies == std::vector<std::uint64_t>{0, 1});
  CHECK(bpf.attachments[0].offsets.empty());
  CHECK_FALSE(bpf.closed);
  plugin.hook_remove(0);
  CHECK(bpf.closed);
  CHECK(seen.removed.size() == 1);
  plugin.finish();
  CHECK(seen.removed.size() == 1);  // once
}

TEST_CASE_FIXTURE(Fixture, "hooks: what is left at the end is removed before stop") {
  FakeRequest request;
  REQUIRE(plugin.hook_add(request.raw()) == TETRAGON_OK);
  REQUIRE(plugin.hook_add(request.raw()) == TETRAGON_OK);
  plugin.finish();
  CHECK(seen.removed.size() == 2);
  CHECK(host.bpf[0].closed);
  CHECK(host.bpf[1].closed);
}

TEST_CASE_FIXTURE(Fixture, "hooks: a failure half-way leaves nothing") {
  host.fail("bpf_attach_to", TETRAGON_E_SYSTEM, "vfs_read cannot be probed");
  FakeRequest request;
  request.targets.resize(1);
  CHECK(plugin.hook_add(request.raw()) == TETRAGON_E_SYSTEM);
  CHECK(host.error == "vfs_read cannot be probed");
  CHECK(host.bpf[0].closed);
  plugin.finish();
  CHECK(seen.removed.empty());
}

TEST_CASE_FIXTURE(Fixture, "hooks: how an answer comes into force is said before the load") {
  FakeRequest request;
  request.targets.resize(1);
  request.flags = TETRAGON_HOOK_ACTIONS | TETRAGON_HOOK_VERDICT;
  REQUIRE(plugin.hook_add(request.raw()) == TETRAGON_OK);
  CHECK(host.hooks[0].deliver == TG_DELIVER_VALUE);
  request.flags = 0;
  REQUIRE(plugin.hook_add(request.raw()) == TETRAGON_OK);
  CHECK(host.hooks[1].deliver == TG_DELIVER_NONE);
  request.policy = "too-late";
  CHECK(plugin.hook_add(request.raw()) == TETRAGON_E_STATE);
  CHECK(host.error == "hook_deliver: 'hooks' is loaded already");
  host.fail("hook_deliver", TETRAGON_E_INVALID, "no");
  request.flags = TETRAGON_HOOK_VERDICT;
  CHECK(plugin.hook_add(request.raw()) == TETRAGON_E_INVALID);
}

TEST_CASE_FIXTURE(Fixture, "refresh and features") {
  host.missing_features["kprobe"] = "this kernel was built without kprobes";
  CHECK(plugin.start() == TETRAGON_E_UNSUPPORTED);
  CHECK(host.error == "this kernel was built without kprobes");
  CHECK(plugin.refresh() == TETRAGON_OK);
  seen.refresh_fails = true;
  CHECK(plugin.refresh() == TETRAGON_E_SYSTEM);
  CHECK(host.error == "no process can be looked at");
  CHECK(seen.refreshes == 2);
}
