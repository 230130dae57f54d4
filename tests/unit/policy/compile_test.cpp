// SPDX-License-Identifier: Apache-2.0
#include "core/policy/compile.h"

#include <sys/stat.h>

#include "core/policy/validate.h"
#include "sdk/include/tetragon/abi.h"
#include "tests/unit/policy/compile_fixture.h"

using namespace tetragon;
using namespace tetragon::policy;
using testing::MockKernel;

namespace {

const std::string kOpen = R"(kprobes:
- call: security_file_open
  syscall: false
  args:
  - index: 0
    type: file
)";

std::string open_with(const std::string& below) {
  return kOpen + below;
}

}  // namespace

TEST_CASE("compile: a function with a file") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: security_file_open
  syscall: false
  message: opened
  tags: [observability.filesystem]
  args:
  - index: 0
    type: file
    label: opened
  return: true
  returnArg:
    index: 0
    type: int
)");
  CHECK(hook.section == "kprobes");
  CHECK(hook.description == "kprobes[0] security_file_open");
  CHECK(hook.backend.empty());
  CHECK(hook.flags == TETRAGON_HOOK_RETURN);
  CHECK(hook.config.flags == TG_HOOK_HAS_RETURN);
  CHECK(hook.config.slot_count == 1);
  CHECK(hook.config.selector_count == 0);
  CHECK(hook.config.host_user_ns == 4026531800 + TG_NS_USER);
  const tg_slot_config& file = hook.config.slots[0];
  CHECK(file.load.from == TG_FROM_ARG);
  CHECK(file.load.index == 0);
  CHECK(file.load.step_count == 0);
  CHECK(file.load.width == 8);
  CHECK(file.type == TG_TYPE_FILE);
  CHECK(file.flags == 0);
  CHECK(file.limit == 4096);
  const tg_slot_config& ret = hook.config.slots[TG_HOOK_RETURN_SLOT];
  CHECK(ret.load.from == TG_FROM_RETURN);
  CHECK(ret.type == TG_TYPE_NUMBER);
  CHECK(ret.load.width == 4);
  CHECK((ret.load.flags & TG_LOAD_SIGNED) != 0);
  REQUIRE(hook.targets.size() == 1);
  CHECK(hook.targets[0].name == "security_file_open");
  CHECK(hook.targets[0].syscall == UINT32_MAX);
  CHECK(hook.info.type == event::Type::process_kprobe);
  CHECK(hook.info.policy == "test");
  CHECK(hook.info.message == "opened");
  CHECK(hook.info.tags == std::vector<std::string>{"observability.filesystem"});
  CHECK(hook.info.merges);
  CHECK(hook.info.instances.at(0).function_name == "security_file_open");
  CHECK(hook.info.slots[0].place == hook::Place::args);
  CHECK(hook.info.slots[0].type == hook::ArgType::file);
  CHECK(hook.info.slots[0].label == "opened");
  CHECK(hook.info.slots[TG_HOOK_RETURN_SLOT].place == hook::Place::ret);
  CHECK(kernel.warnings.empty());
}

TEST_CASE("compile: functions that are not there") {
  MockKernel kernel;
  CHECK(
      kernel.error("kprobes:\n- call: security_file_opne\n  syscall: false\n") ==
      "spec.kprobes[0].call: this kernel has no function \"security_file_opne\"; did you mean \"security_file_open\"?");
  CHECK(kernel.error("kprobes:\n- call: twice\n  syscall: false\n") ==
        "spec.kprobes[0].call: this kernel has several functions \"twice\", and a name cannot say which is meant");
  CHECK(kernel.error("fentries:\n- call: not_in_btf\n  syscall: false\n") ==
        "spec.fentries[0].call: function \"not_in_btf\" is not in the kernel's BTF, which fentry needs; hook it under "
        "kprobes");
  const Compiled ignored =
      kernel.compile_spec("kprobes:\n- call: nothing\n  syscall: false\n  ignore:\n    callNotFound: true\n");
  CHECK(ignored.ok());
  CHECK(ignored.policy.hooks.empty());
  REQUIRE(ignored.policy.warnings.size() == 1);
  CHECK(ignored.policy.warnings[0].text ==
        "this kernel has no function \"nothing\"; left out, as ignore.callNotFound says");
  // kprobes do without BTF; only the types cannot be checked.
  CHECK(kernel.warning("kprobes:\n- call: not_in_btf\n  syscall: false\n  args:\n  - index: 0\n    type: int\n") ==
        "spec.kprobes[0].call: BTF has no prototype of \"not_in_btf\": types of arguments cannot be checked");
}

TEST_CASE("compile: arguments that the prototype does not have") {
  MockKernel kernel;
  CHECK(kernel.warning("kprobes:\n- call: commit_creds\n  syscall: false\n  args:\n  - index: 3\n    type: int\n") ==
        "spec.kprobes[0].args[0].index: commit_creds has 1 parameters, so argument 3 is not one of them: what is read "
        "there means nothing");
  CHECK(kernel.warning("kprobes:\n- call: commit_creds\n  syscall: false\n  args:\n  - index: 0\n    type: file\n") ==
        "spec.kprobes[0].args[0].type: type file does not fit the kernel's \"struct cred *\"");
  CHECK(kernel.warning("kprobes:\n- call: commit_creds\n  syscall: false\n  args:\n  - index: 0\n    type: cred\n")
            .empty());
  CHECK(kernel.warning("kprobes:\n- call: text_of\n  syscall: false\n  args:\n  - index: 1\n    type: int\n") ==
        "spec.kprobes[0].args[0].type: type int does not fit the kernel's \"u64\"");
  CHECK(kernel.warning("kprobes:\n- call: tcp_close\n  syscall: false\n  return: true\n  returnArg:\n    index: 0\n    "
                       "type: int\n") == "spec.kprobes[0].returnArg: tcp_close returns nothing");
}

#if defined(__x86_64__)
TEST_CASE("compile: system calls") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: sys_openat
  args:
  - index: 1
    type: string
  - index: 2
    type: int
)");
  CHECK(hook.flags == TETRAGON_HOOK_SYSCALL);
  CHECK(hook.config.flags == TG_HOOK_SYSCALL);
  REQUIRE(hook.targets.size() == 1);
  CHECK(hook.targets[0].name == "__x64_sys_openat");
  CHECK(hook.targets[0].syscall == 257);
  CHECK(hook.info.instances[0].function_name == "__x64_sys_openat");
  CHECK(hook.config.slots[0].type == TG_TYPE_STRING);
  CHECK(hook.config.slots[0].load.index == 1);
  CHECK(hook.config.slots[1].load.width == 4);

  CHECK(kernel.warning("kprobes:\n- call: sys_openat\n  args:\n  - index: 0\n    type: file\n") ==
        "spec.kprobes[0].args[0].type: type file does not fit \"int dfd\" of __x64_sys_openat");

  const CompiledHook list = kernel.hook(R"(lists:
- name: calls
  type: syscalls
  values: [sys_openat, i386/sys_openat, sys_read, sys_openat]
kprobes:
- call: list:calls
)");
  REQUIRE(list.targets.size() == 3);
  CHECK(list.targets[1].name == "__ia32_sys_openat");
  CHECK(list.targets[1].syscall == (295u | 0x80000000u));
  CHECK(list.targets[2].instance == 2);
  CHECK(list.info.instances.size() == 3);

  const CompiledHook all = kernel.hook("lists:\n- name: all\n  type: generated_syscalls\nkprobes:\n- call: list:all\n");
  CHECK(all.targets.size() == 2);  // what the mock kernel has
  CHECK(
      kernel.error("lists:\n- name: calls\n  type: syscalls\n  values: [sys_opneat]\nkprobes:\n- call: list:calls\n") ==
      "spec.lists: \"sys_opneat\": ABI x64 has no such system call; did you mean \"sys_openat\"?");
}
#endif

TEST_CASE("compile: lists by pattern") {
  MockKernel kernel;
  kernel.put("/sys/kernel/tracing/available_filter_functions",
             "security_file_open\nsecurity_bprm_check\ntwice\nnot_there\ntcp_close\n");
  const CompiledHook hook = kernel.hook(
      "lists:\n- name: all\n  type: generated_ftrace\n  pattern: ^(security_|twice|not)\nkprobes:\n- call: list:all\n  "
      "syscall: false\n");
  REQUIRE(hook.targets.size() == 2);
  CHECK(hook.targets[0].name == "security_bprm_check");
  CHECK(
      kernel.error("lists:\n- name: all\n  type: generated_ftrace\n  pattern: ^nothing$\nkprobes:\n- call: list:all\n  "
                   "syscall: false\n") == "spec.kprobes[0].call: list \"all\" has no function that this kernel has");
}

TEST_CASE("compile: backends") {
  MockKernel kernel;
  const std::string option = "options:\n- name: backend\n  value: ";
  CHECK(kernel.hook(option + "fentry\n" + kOpen).backend == "fentry");
  CHECK(kernel.hook(option + "kprobe_multi\n" + kOpen).backend == "kprobe-multi");
  CHECK(kernel.error(option + "syscall\n" + kOpen) ==
        "spec.kprobes[0].call: the backend for system calls is demanded, but \"security_file_open\" is hooked as a "
        "function");
  CHECK(kernel.hook("options:\n- name: disable-kprobe-multi\n  value: \"1\"\n" + kOpen).flags ==
        TETRAGON_HOOK_NO_MULTI);
  CHECK(kernel.hook("fentries:\n- call: security_file_open\n  syscall: false\n").backend == "fentry");
  kernel.environment.backend = "kprobe";
  CHECK(kernel.hook(kOpen).backend == "kprobe");
}

TEST_CASE("compile: resolve") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: security_bprm_check
  syscall: false
  args:
  - index: 0
    type: string
    resolve: file.f_path.dentry.d_iname
  - index: 0
    type: int
    resolve: file.f_inode.i_mode
  - index: 0
    type: uint64
    resolve: file.middle
  - index: 0
    type: file
    resolve: file
  - index: 0
    type: path
    resolve: file.f_path
)");
  const auto& slots = hook.config.slots;
  CHECK(slots[0].type == TG_TYPE_STRING);
  CHECK(slots[0].load.step_count == 3);
  CHECK((slots[0].load.flags & TG_LOAD_ADDRESS) != 0);
  CHECK(slots[0].limit == 32);
  CHECK(slots[1].type == TG_TYPE_NUMBER);
  CHECK(slots[1].load.width == 2);
  CHECK((slots[1].load.flags & TG_LOAD_SIGNED) == 0);
  CHECK(hook.info.slots[1].type == hook::ArgType::uint16);  // the kernel's own
  CHECK(slots[2].load.bit_offset == 3);
  CHECK(slots[2].load.bit_size == 7);
  CHECK(slots[3].type == TG_TYPE_FILE);
  CHECK(slots[3].load.step_count == 1);
  CHECK((slots[3].load.flags & TG_LOAD_ADDRESS) == 0);
  CHECK(slots[4].type == TG_TYPE_PATH);
  CHECK((slots[4].load.flags & TG_LOAD_ADDRESS) != 0);

  CHECK(kernel.error(R"(kprobes:
- call: security_bprm_check
  syscall: false
  args:
  - index: 0
    type: int
    resolve: file.f_inod
)") == "spec.kprobes[0].args[0].resolve: argument 0 of security_bprm_check (struct linux_binprm *): path "
       "\"file.f_inod\": "
       "\"struct file\" has no member \"f_inod\"; did you mean \"f_inode\"?");
  CHECK(kernel.error(R"(kprobes:
- call: security_bprm_check
  syscall: false
  args:
  - index: 0
    type: int
    resolve: file.f_inode.i_sb
)") == "spec.kprobes[0].args[0].type: \"file.f_inode.i_sb\" is of type \"struct super_block *\"; only uint64 holds it, "
       "or go "
       "on to a member");
}

TEST_CASE("compile: capabilities of credentials") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: commit_creds
  syscall: false
  args:
  - index: 0
    type: cap_effective
  - index: 0
    type: cap_permitted
    resolve: cap_permitted
  data:
  - source: current_task
    type: cap_inheritable
    resolve: cred
  selectors:
  - matchArgs:
    - args: [0, 1]
      operator: CapabilitiesGained
  - matchData:
    - index: 0
      operator: Mask
      values: ["CAP_SYS_ADMIN,CAP_NET_RAW"]
)");
  const auto& slots = hook.config.slots;
  CHECK(slots[0].type == TG_TYPE_CAP_SET);
  CHECK(slots[0].load.step_count == 1);
  CHECK(slots[0].load.steps[0] == 24);  // of struct cred
  CHECK((slots[0].load.flags & TG_LOAD_ADDRESS) != 0);
  CHECK(slots[1].load.steps[0] == 16);
  CHECK(slots[1].load.step_count == 1);
  CHECK(slots[2].load.from == TG_FROM_TASK);
  CHECK(slots[2].load.step_count == 2);
  CHECK(slots[2].load.steps[1] == 8);
  CHECK(hook.info.slots[2].place == hook::Place::data);
  CHECK(hook.info.slots[2].type == hook::ArgType::cap_inheritable);
  const tg_filter& gained = hook.config.selectors[0].filters[0];
  CHECK(gained.op == TG_OP_CAPS_GAINED);
  CHECK(gained.slot == 0);
  CHECK(gained.slot2 == 1);
  const tg_filter& mask = hook.config.selectors[1].filters[0];
  CHECK(mask.op == TG_OP_MASK);
  CHECK(mask.slot == 2);
  CHECK(mask.values[0] == ((uint64_t{1} << 21) | (uint64_t{1} << 13)));
}

#if defined(__x86_64__)
TEST_CASE("compile: registers") {
  MockKernel kernel;
  const std::string data = "  data:\n  - source: pt_regs\n    type: uint32\n    resolve: ";
  const CompiledHook hook = kernel.hook(open_with(data + "esi\n"));
  CHECK(hook.backend == "kprobe");  // nothing else has them
  CHECK(hook.config.slots[1].load.from == TG_FROM_CONTEXT);
  CHECK(hook.config.slots[1].load.offset == 104);
  CHECK(hook.config.slots[1].load.width == 4);
  CHECK(
      kernel.error(open_with(data + "rzi\n")) ==
      "spec.kprobes[0].data[0].resolve: \"rzi\" is not a register of this machine; name one as in rdi, eax, r8, rip or "
      "sp");
  CHECK(kernel.error("options:\n- name: backend\n  value: fentry\n" + open_with(data + "rsi\n")) ==
        "spec.kprobes[0].data: pt_regs is only there with the backend kprobe, but \"fentry\" is demanded");
}
#endif

TEST_CASE("compile: lsm hooks") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook("lsmhooks:\n- hook: file_open\n  args:\n  - index: 0\n    type: file\n");
  CHECK(hook.section == "lsmhooks");
  CHECK(hook.targets[0].name == "file_open");
  CHECK(hook.info.type == event::Type::process_lsm);
  CHECK(hook.info.instances[0].function_name == "file_open");
  CHECK(kernel.error("lsmhooks:\n- hook: file_opne\n") ==
        "spec.lsmhooks[0].hook: this kernel has no LSM hook \"file_opne\"; did you mean \"file_open\"?");
}

TEST_CASE("compile: fields of tracepoints") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(tracepoints:
- subsystem: mock
  event: texts
  args:
  - index: 4
  - index: 5
  - index: 6
  - index: 7
    label: dropped
  - index: 6
    type: char_buf
    sizeArgIndex: 9
)");
  const auto& slots = hook.config.slots;
  CHECK(slots[0].type == TG_TYPE_DATA_LOC);
  CHECK(slots[0].load.from == TG_FROM_CONTEXT);
  CHECK(slots[0].load.offset == 8);
  CHECK(slots[0].load.width == 4);
  CHECK(slots[1].type == TG_TYPE_STRING);
  CHECK((slots[1].load.flags & TG_LOAD_ADDRESS) != 0);
  CHECK(slots[1].limit == 16);
  CHECK(hook.info.slots[1].type == hook::ArgType::string);
  CHECK(slots[2].type == TG_TYPE_STRING);
  CHECK(slots[2].load.width == 8);
  CHECK(slots[3].load.width == 2);
  CHECK(hook.info.slots[3].type == hook::ArgType::uint16);
  CHECK(hook.info.slots[3].label.empty());
  CHECK(slots[4].type == TG_TYPE_BYTES);
  CHECK((slots[4].flags & TG_SLOT_SIZE_CONTEXT) != 0);
  CHECK(slots[4].size_offset == 44);
  CHECK(slots[4].size_width == 4);
  CHECK(hook.targets[0].name == "mock/texts");
  CHECK(hook.info.instances[0].subsys == "mock");

  CHECK(kernel.error("tracepoints:\n- subsystem: mock\n  event: texts\n  args:\n  - index: 9\n") ==
        "spec.tracepoints[0].args[0].index: tracepoint mock/texts has the fields 0 common_type, 1 common_flags, 2 "
        "common_preempt_count, 3 common_pid, 4 filename, 5 comm, 6 name, 7 port, 8 size");
  CHECK(kernel.error("tracepoints:\n- subsystem: mock\n  event: txets\n") ==
        "spec.tracepoints[0].event: this kernel has no tracepoint \"mock/txets\"; did you mean \"texts\"?");
}

#if defined(__x86_64__)
TEST_CASE("compile: numbers of system calls") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(lists:
- name: calls
  type: syscalls
  values: [sys_openat, i386/sys_openat]
tracepoints:
- subsystem: raw_syscalls
  event: sys_enter
  args:
  - index: 4
    type: syscall64
  - index: 5
  selectors:
  - matchArgs:
    - index: 4
      operator: InMap
      values: ["list:calls"]
)");
  CHECK(hook.config.slots[0].type == TG_TYPE_SYSCALL);
  CHECK(hook.config.slots[1].type == TG_TYPE_FIXED_BYTES);
  CHECK(hook.config.slots[1].limit == 48);
  CHECK(hook.info.slots[1].type == hook::ArgType::const_buf);
  const tg_filter& filter = hook.config.selectors[0].filters[0];
  CHECK(filter.op == TG_OP_RANGE);
  CHECK(filter.value_count == 4);
  CHECK(filter.values[0] == 257);
  CHECK(filter.values[2] == (295 | 0x80000000ULL));
}
#endif

TEST_CASE("compile: a text of a system call's tracepoint is marked as raceable, also when its type is auto") {
  MockKernel kernel;
  const auto with = [](const std::string& event, const std::string& filter) {
    return "tracepoints:\n- subsystem: " + event + "\n  args: [{index: 1}, {index: 2, type: int}]\n  selectors:\n  - " +
           filter + "\n";
  };
  const std::string system_call = "syscalls\n  event: sys_enter_mock";
  const std::string text = with(system_call, "matchArgs: [{index: 1, operator: Equal, values: [a]}]");
  CHECK(kernel.warning(text).find("spec.tracepoints[0].selectors[0].matchArgs[0]: raceable: the memory behind") == 0);
  CHECK(kernel.hook(text).note == "raceable: tracepoints[0] decides on user memory that another thread can change");
  CHECK(raceable_hooks(kernel.parsed.policy).empty());  // which the compiler adds to
  // Reported only; a number; a text of the kernel.
  CHECK(kernel.hook(with(system_call, "matchArgs: [{index: 2, operator: Equal, values: [1]}]")).note.empty());
  const std::string own =
      "tracepoints:\n- subsystem: mock\n  event: texts\n  args: [{index: 6}]\n  selectors:\n"
      "  - matchArgs: [{index: 6, operator: Equal, values: [a]}]\n";
  CHECK(kernel.hook(own).note.empty());
  // Written, it shows without a kernel.
  kernel.compile_spec(
      "tracepoints:\n- subsystem: syscalls\n  event: sys_enter_mock\n  args: [{index: 1, type: string}]\n"
      "  selectors:\n  - matchArgs: [{index: 1, operator: Equal, values: [a]}]\n");
  CHECK(raceable_hooks(kernel.parsed.policy) ==
        std::vector<std::string>{"raceable: tracepoints[0] decides on user memory that another thread can change"});
}

TEST_CASE("compile: stacks are read for events that have fields for them only") {
  MockKernel kernel;
  kernel.vocabulary.actions.push_back({"Post", /*kernel=*/true});
  const std::string post =
      "  selectors:\n  - matchActions: [{action: Post, kernelStackTrace: true, userStackTrace: true";
  const CompiledHook function = kernel.hook("kprobes:\n- call: tcp_close\n  syscall: false\n" + post + "}]\n");
  REQUIRE(function.actions.size() == 1);
  CHECK(function.actions[0].step.options == (TG_POST_KERNEL_STACK | TG_POST_USER_STACK));
  const std::string tracepoint = "tracepoints:\n- subsystem: mock\n  event: texts\n" + post;
  CHECK(kernel.hook(tracepoint + "}]\n").actions.empty());
  const CompiledHook limited = kernel.hook(tracepoint + ", rateLimit: 1m}]\n");
  REQUIRE(limited.actions.size() == 1);
  CHECK(limited.actions[0].step.options == 0);
}

TEST_CASE("compile: raw tracepoints") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(R"(tracepoints:
- subsystem: mock
  event: mock_event
  raw: true
  args:
  - index: 0
    type: int
    resolve: real_parent.pid
  - index: 1
    type: auto
  - index: 2
    type: string
)");
  CHECK(hook.flags == TETRAGON_HOOK_RAW);
  CHECK(hook.targets[0].name == "mock_event");
  CHECK(hook.config.slots[0].load.step_count == 2);
  CHECK(hook.config.slots[0].load.width == 4);
  CHECK(hook.info.slots[1].type == hook::ArgType::int32);
  CHECK(hook.config.slots[2].type == TG_TYPE_STRING);
  CHECK(kernel.error("tracepoints:\n- subsystem: mock\n  event: mock_evnet\n  raw: true\n") ==
        "spec.tracepoints[0].event: this kernel has no raw tracepoint \"mock_evnet\"; did you mean \"mock_event\"?");
}

TEST_CASE("compile: what is not served is refused") {
  MockKernel kernel;
  CHECK(
      kernel.error(open_with(
          "  selectors:\n  - matchPIDs: [{operator: In, values: [5]}]\n    matchActions:\n    - action: Sigkill\n")) ==
      "spec.kprobes[0].selectors[0].matchActions[0].action: action \"Sigkill\" needs an action plugin that is not "
      "installed (package tetragon-action-sigkill)");
  CHECK(kernel.error("podSelector:\n  matchLabels:\n    app: web\n" + kOpen)
            .starts_with("spec.podSelector: podSelector selects pods or containers, which this version does not know"));
  const CompiledHook quiet = kernel.hook(open_with("  selectors:\n  - matchActions:\n    - action: NoPost\n"));
  CHECK(quiet.config.selectors[0].flags == TG_SELECTOR_NO_POST);
  CHECK(kernel.error(open_with("  selectors:\n  - matchActions:\n    - action: Post\n      rateLimit: 1m\n")) ==
        "spec.kprobes[0].selectors[0].matchActions[0].action: action \"Post\" with rateLimit, a stack trace or imaHash "
        "needs an action plugin that is not installed (package tetragon-action-post)");
}

TEST_CASE("compile: types of plugins") {
  MockKernel kernel;
  kernel.vocabulary.types.push_back({"inode_id", group_number, false});
  kernel.environment.plugin_types.push_back(
      {"inode_id", "struct inode", {{"i_ino", 0}, {"i_mode", 0}}, TETRAGON_COMPARE_NUMBER});
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: security_bprm_check
  syscall: false
  args:
  - index: 0
    type: inode_id
    resolve: file.f_inode
  selectors:
  - matchArgs:
    - index: 0
      operator: GT
      values: ["5"]
)");
  const tg_slot_config& slot = hook.config.slots[0];
  CHECK(slot.type == TG_TYPE_RANGES);
  CHECK(slot.range_count == 2);
  CHECK(slot.ranges[0].offset == 8);
  CHECK(slot.ranges[0].size == 8);
  CHECK(slot.ranges[1].offset == 0);
  CHECK(slot.ranges[1].size == 2);
  CHECK(hook.info.slots[0].plugin_type == "inode_id");
  // The number is read on its own for the filter.
  CHECK(hook.config.slot_count == 2);
  CHECK(hook.config.slots[1].flags == (TG_SLOT_FILTER | TG_SLOT_HIDDEN));
  CHECK(hook.config.slots[1].load.step_count == 3);
  CHECK(hook.config.selectors[0].filters[0].slot == 1);
  // Of two objects: there is one address to copy from.
  kernel.environment.plugin_types[0].members[0].path = "i_sb.s_magic";
  const std::string plain =
      "kprobes:\n- call: security_bprm_check\n  syscall: false\n  args:\n  - index: 0\n    type: inode_id\n";
  CHECK(kernel.error(plain) ==
        "spec.kprobes[0].args[0].type: type \"inode_id\" of a plugin: struct inode: \"i_mode\" is in another object "
        "than \"i_sb.s_magic\"; all members of a type must be behind the same pointers");
  kernel.environment.plugin_types[0].members[0].path = "i_nothing";
  CHECK(kernel.error(plain).find("i_nothing") != std::string::npos);
}

TEST_CASE("compile: members of a plugin's type behind pointers") {
  MockKernel kernel;
  kernel.vocabulary.types.push_back({"file_inode", group_number, false});
  kernel.environment.plugin_types.push_back(
      {"file_inode", "struct linux_binprm", {{"file.f_inode.i_ino", 0}}, TETRAGON_COMPARE_NUMBER});
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: security_bprm_check
  syscall: false
  args:
  - index: 0
    type: file_inode
  selectors:
  - matchArgs:
    - index: 0
      operator: Equal
      values: ["5"]
)");
  const tg_slot_config& slot = hook.config.slots[0];
  CHECK(slot.type == TG_TYPE_RANGES);
  CHECK(slot.load.step_count == 2);  // to file, to f_inode
  CHECK((slot.load.flags & TG_LOAD_ADDRESS) == 0);
  CHECK(slot.range_count == 1);
  CHECK(slot.ranges[0].offset == 8);
  CHECK(slot.ranges[0].size == 8);
  CHECK(hook.config.slots[1].load.step_count == 3);
  CHECK(hook.config.slots[1].load.steps[2] == 8);
}

TEST_CASE("compile: sections of plugins take no values") {
  MockKernel kernel;
  kernel.vocabulary.sections.emplace_back("timers");
  const CompiledHook hook = kernel.hook("timers:\n- every: 5s\n  message: hello\n");
  CHECK(hook.section == "timers");
  CHECK(hook.attributes.at("every") == "5s");
  CHECK(hook.info.message == "hello");
  REQUIRE(hook.info.instances.size() == 1);
  CHECK(hook.info.instances[0].name == "timers");
  CHECK(kernel.error("timers:\n- every: 5s\n  args:\n  - index: 0\n    type: int\n") ==
        "spec.timers[0]: args, data and return are not possible in section \"timers\" of a plugin: nothing would read "
        "them; keep message, tags and the plugin's own keys");
  CHECK(kernel.error("timers:\n- every: 5s\n  selectors:\n  - matchPIDs:\n    - operator: In\n      values: [1]\n")
            .starts_with("spec.timers[0]: selectors are not possible in section \"timers\""));
}

TEST_CASE("compile: groups go back when something else is wrong") {
  MockKernel kernel;
  const std::string selector = "  selectors:\n  - matchBinaries:\n    - operator: In\n      values: [/bin/true]\n";
  Compiled good = kernel.compile_spec(open_with(selector));
  REQUIRE(good.ok());
  CHECK(good.policy.groups.size() == 1);
  CHECK(kernel.groups.size() == 1);
  kernel.groups.release(static_cast<uint16_t>(good.policy.groups[0]));
  CHECK_FALSE(kernel.compile_spec(open_with(selector + "- call: nothing_like_it\n  syscall: false\n")).ok());
  CHECK(kernel.groups.size() == 0);
  kernel.environment.groups = nullptr;
  CHECK(
      kernel.error(open_with(selector)) ==
      "spec.kprobes[0].selectors[0].matchBinaries[0]: groups of processes are not available: the process plugin is not "
      "loaded");
}
