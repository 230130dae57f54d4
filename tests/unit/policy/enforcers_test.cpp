// SPDX-License-Identifier: Apache-2.0
// Enforcers: what calls become, and how their hooks and those that notify are put in order.

#include "core/policy/compile.h"
#include "core/policy/manager.h"
#include "sdk/include/tetragon/abi.h"
#include "tests/unit/policy/compile_fixture.h"

using namespace tetragon;
using namespace tetragon::policy;
using policy::testing::MockKernel;

namespace {

class Kernel : public MockKernel {
 public:
  Kernel() {
    vocabulary.actions.push_back({"NotifyEnforcer", true, true, false});
    put("/proc/kallsyms",
        "0 T security_file_open\n0 T security_bprm_check\n0 T __x64_sys_openat\n0 T __x64_sys_read\n"
        "0 T __ia32_sys_openat\n0 T __ia32_compat_sys_openat\n0 T __ia32_sys_getpgid\n0 T __arm64_sys_openat\n"
        "0 T __arm64_sys_read\n0 t twice\n0 t twice\n0 t security_twice\n0 t security_twice\n");
    facts.emplace(kernel::FactsOptions{MOCK_KERNEL, root, false});
    environment.facts = &*facts;
  }
  std::vector<CompiledHook> hooks(const std::string& spec) {
    Compiled compiled = compile_spec(spec);
    for (const Finding& finding : compiled.findings) CHECK_MESSAGE(finding.warning, to_string(finding, "test.yaml"));
    return std::move(compiled.policy.hooks);
  }
};

std::string notify_on(const std::string& call, bool syscall, const std::string& arguments) {
  return "kprobes:\n- call: " + call + "\n  syscall: " + (syscall ? "true" : "false") +
         "\n  selectors:\n  - matchPIDs: [{operator: In, values: [4242]}]\n    matchActions:\n    - {action: "
         "NotifyEnforcer, " +
         arguments + "}\n";
}
std::string calls(const std::string& list) {
  return "enforcers:\n- calls: [" + list + "]\n";
}
std::string option(const std::string& name, const std::string& value) {
  return "options:\n- {name: " + name + ", value: \"" + value + "\"}\n";
}

std::vector<std::string> names(const CompiledHook& hook) {
  std::vector<std::string> all;
  for (const HookTarget& target : hook.targets) all.push_back(target.name);
  return all;
}
using Names = std::vector<std::string>;
const std::string kElsewhere = notify_on("security_bprm_check", false, "argSig: 9");

}  // namespace

TEST_CASE("enforcers: system calls and functions of security modules become a hook each") {
  Kernel kernel;
  const auto hooks = kernel.hooks(kElsewhere + calls("sys_read, __x64_sys_openat, security_file_open, sys_read"));
  REQUIRE(hooks.size() == 3);
  CHECK(hooks[0].section == "kprobes");
  CHECK(!hooks[0].meets_enforcer);
  CHECK(hooks[1].section == "enforcers");
  CHECK(hooks[1].description == "enforcers[0] security_file_open");
  CHECK(hooks[1].flags == 0);
  CHECK(hooks[1].targets[0].syscall == UINT32_MAX);
  CHECK(hooks[2].description == "enforcers[0] 2 system calls");
  CHECK(hooks[2].flags == TETRAGON_HOOK_SYSCALL);
  CHECK(names(hooks[2]) == Names{"__x64_sys_read", "__x64_sys_openat"});
  CHECK(hooks[2].targets[0].syscall == 0);
  CHECK(hooks[2].targets[1].syscall == 257);
  CHECK(hooks[2].attributes.empty());
}

TEST_CASE("enforcers: lists, the 32-bit ABI and its compat functions") {
  Kernel kernel;
  const auto compat = kernel.hooks(kElsewhere + calls("i386/sys_openat, __ia32_sys_getpgid"));
  REQUIRE(compat.size() == 2);
  CHECK(names(compat[1]) == Names{"__ia32_compat_sys_openat", "__ia32_sys_openat", "__ia32_sys_getpgid"});
  CHECK(compat[1].targets[0].syscall == (295 | 0x80000000u));
  CHECK(compat[1].targets[1].syscall == (295 | 0x80000000u));
  CHECK(compat[1].targets[2].syscall == (132 | 0x80000000u));

  const std::string lists =
      "lists:\n- {name: two, type: syscalls, values: [sys_read, i386/sys_getpgid]}\n"
      "- {name: plain, values: [sys_openat, security_file_open]}\n- {name: every, type: generated_syscalls}\n"
      "- {name: some, type: generated_ftrace, pattern: \"^__x64_sys_r\"}\n"
      "- {name: wrong, type: generated_ftrace, pattern: \"^twice$\"}\n";
  CHECK(names(kernel.hooks(lists + kElsewhere + calls("\"list:two\""))[1]) ==
        Names{"__x64_sys_read", "__ia32_sys_getpgid"});
  const auto plain = kernel.hooks(lists + kElsewhere + calls("\"list:plain\""));
  REQUIRE(plain.size() == 3);
  CHECK(names(plain[1]) == Names{"security_file_open"});
  CHECK(names(plain[2]) == Names{"__x64_sys_openat"});
  // What this kernel does not have is left out of lists that nobody wrote.
  CHECK(names(kernel.hooks(lists + kElsewhere + calls("\"list:every\""))[1]) ==
        Names{"__x64_sys_read", "__x64_sys_openat"});
  CHECK(names(kernel.hooks(lists + kElsewhere + calls("\"list:some\""))[1]) == Names{"__x64_sys_read"});
  CHECK(kernel.error(lists + kElsewhere + calls("\"list:wrong\"")) ==
        "spec.lists: \"twice\" matches the pattern, but only system calls and security_ functions can be enforced");
}

TEST_CASE("enforcers: what is wrong with them") {
  Kernel kernel;
  CHECK(kernel.error(kElsewhere + calls("security_file_opn")) ==
        "spec.enforcers[0].calls[0]: this kernel has no function \"security_file_opn\"; did you mean "
        "\"security_file_open\"?");
  CHECK(kernel.error(kElsewhere + calls("security_twice")) ==
        "spec.enforcers[0].calls[0]: this kernel has several functions \"security_twice\", and a name cannot say which "
        "is meant");
  CHECK(kernel.error(kElsewhere + calls("sys_openat, sys_close"))
            .starts_with("spec.enforcers[0].calls[1]: this kernel has no function \"__x64_sys_close\""));
  CHECK(kernel.error(kElsewhere + calls("sys_read, security_file_open") + option("override-method", "override-return"))
            .starts_with("spec.options: override-method override-return does not serve \"security_file_open\""));
  const Compiled idle = kernel.compile_spec("kprobes:\n- call: sys_openat\n" + calls("sys_read"));
  CHECK(idle.ok());
  CHECK(idle.policy.hooks.size() == 1);
  REQUIRE(idle.policy.warnings.size() == 1);
  CHECK(idle.policy.warnings[0].text.starts_with("no hook of the policy has the action NotifyEnforcer"));
}

TEST_CASE("enforcers: options and answers reach the plugin") {
  Kernel kernel;
  const std::string answers = notify_on("security_bprm_check", false, "argError: -1, argSig: 9");
  CHECK(kernel.hooks(answers + calls("sys_read"))[1].attributes ==
        std::map<std::string, std::string>{{"answers", "1"}});
  const auto method = kernel.hooks(answers + calls("sys_read") + option("override-method", "fmod-ret"));
  CHECK(method[1].attributes == std::map<std::string, std::string>{{"answers", "1"}, {"method", "fmod-ret"}});
  CHECK((kernel.hooks(kElsewhere + calls("sys_read") + option("disable-kprobe-multi", "1"))[1].flags &
         TETRAGON_HOOK_NO_MULTI) != 0);
}

TEST_CASE("enforcers: before hooks on the same function, behind the others") {
  Kernel kernel;
  const auto hooks = kernel.hooks(notify_on("sys_read", true, "argError: -1") + calls("sys_read, sys_openat"));
  REQUIRE(hooks.size() == 2);
  CHECK(hooks[0].section == "enforcers");
  CHECK(hooks[0].attributes.contains("meets"));
  CHECK(hooks[1].meets_enforcer);
}

// ---- the manager
// ------------------------------------------------------------------------------------------------------

namespace {

struct Attached {
  std::string section, backend;
  std::map<std::string, std::string> attributes;
};

struct FakeAttachment : Attachment {
  explicit FakeAttachment(std::string text) : backend(std::move(text)) {}
  std::map<std::string, std::string> said() const override { return {{"backend", backend}}; }
  uint64_t kernel_memory() const override { return 1; }
  std::string backend;
};

// An enforcer and a hook on its function.
struct FakeHost {
  std::string enforcer_backend = "kprobe: a test";
  std::string forced;  // backend of the hook
  std::vector<Attached> attached;
  std::vector<uint32_t> defined;
  tg_enforcer_missed missed{};

  ManagerHost functions() {
    ManagerHost host;
    host.parse = [](std::string_view yaml, const std::string& file) { return parse(yaml, file); };
    host.compile = [this](const Policy&) -> Result<CompiledPolicy> {
      CompiledPolicy compiled;
      compiled.hooks.resize(2);
      compiled.hooks[0].section = "enforcers";
      compiled.hooks[1].section = "kprobes";
      compiled.hooks[1].description = "kprobes[0] f";
      compiled.hooks[1].meets_enforcer = true;
      compiled.hooks[1].backend = forced;
      compiled.hooks[1].actions.resize(1);
      return compiled;
    };
    host.attach = [this](const CompiledHook& hook, const std::string&) -> Result<std::unique_ptr<Attachment>> {
      attached.push_back({hook.section, hook.backend, hook.attributes});
      return std::unique_ptr<Attachment>(
          new FakeAttachment(hook.section == "enforcers" ? enforcer_backend : "fentry: a test"));
    };
    host.define_hook = [this](const hook::HookInfo& info) -> Result<void> {
      defined.push_back(info.id);
      return {};
    };
    host.forget_hook = [this](uint32_t id) { std::erase(defined, id); };
    host.missed_notifications = [this](uint16_t) { return missed; };
    return host;
  }
};

const std::string kPolicy =
    "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: p\nspec:\n  kprobes:\n  - call: f\n"
    "    syscall: false\n";

}  // namespace

TEST_CASE("manager: an enforcer has the policy's number, no records, and its place in the listing") {
  FakeHost host;
  Manager manager(host.functions());
  REQUIRE(manager.add(kPolicy, "").ok());
  REQUIRE(host.attached.size() == 2);
  CHECK(host.attached[0].attributes.at("policy_number") == "0");
  CHECK(host.attached[1].attributes.empty());
  CHECK(host.defined.size() == 1);
  const auto listed = manager.list();
  CHECK(listed.at(0).sensors == std::vector<std::string>{"__enforcer__", "generic_kprobe"});
  REQUIRE(manager.remove("p", "").ok());
  CHECK(host.defined.empty());
}

TEST_CASE("manager: a hook on an enforced function follows the enforcer's way") {
  FakeHost host;
  Manager manager(host.functions());
  REQUIRE(manager.add(kPolicy, "").ok());
  CHECK(host.attached.at(1).backend == "kprobe");
  REQUIRE(manager.remove("p", "").ok());
  host.attached.clear();
  host.enforcer_backend = "fmod-ret: a test";
  REQUIRE(manager.add(kPolicy, "").ok());
  CHECK(host.attached.at(1).backend.empty());
  REQUIRE(manager.remove("p", "").ok());
  host.enforcer_backend = "kprobe: a test";
  host.forced = "fentry";
  host.attached.clear();
  const auto refused = manager.add(kPolicy, "");
  REQUIRE(!refused.ok());
  CHECK(refused.error().message().find("behind which backend fentry of kprobes[0] f would notify") !=
        std::string::npos);
  CHECK(host.attached.size() == 1);
}

TEST_CASE("manager: notifications that nobody answered are said, those of earlier policies are not") {
  FakeHost host;
  host.missed = {100, 200};
  Manager manager(host.functions());
  REQUIRE(manager.add(kPolicy, "").ok());
  const auto says = [&] {
    std::string text;
    const auto listed = manager.list();
    for (const auto& note : listed.at(0).notes) text += note + "\n";
    return text;
  };
  CHECK(says().find("notifications") == std::string::npos);
  host.missed = {103, 201};
  CHECK(says().find("notifications that no enforcer answered: 3 overwritten by a later one, 1 taken back") !=
        std::string::npos);
}
