// SPDX-License-Identifier: Apache-2.0
// Override of uprobes and Set of usdts: what a policy writes becomes sets of registers. The program is this test.

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/unit/elf/sdt.h"
#include "tests/unit/policy/compile_fixture.h"

extern "C" __attribute__((noinline, used)) long registers_test_function(long a) {
  register long whole __asm__("r12") = a;
  volatile int memory = 7;
#ifdef __x86_64__
  SDT_PROBE("registers", "all", "0", "8@%0 -4@%k0 -2@%1 4@$5", "r"(whole), "m"(memory));
#endif
  return whole + memory;
}

#ifdef __x86_64__
namespace tetragon::policy::testing {
namespace {

constexpr uint16_t kRax = 80, kRcx = 88, kRdi = 112, kRip = 128, kRsp = 152, kR12 = 24;

struct Kernel : MockKernel {
  Kernel() {
    vocabulary.actions.push_back({.name = "Override", .kernel = true, .enforces = true, .verdict = true});
    vocabulary.actions.push_back({.name = "Set", .kernel = true, .enforces = true, .verdict = true});
    // So that this test's functions are there to hook.
    REQUIRE(registers_test_function(1) == 8);
  }
};

std::string on_uprobe(const std::string& action, const std::string& more = "") {
  return "uprobes:\n- path: " + std::filesystem::read_symlink("/proc/self/exe").string() +
         "\n  symbols: [registers_test_function]\n" + more + "  selectors:\n  - matchActions: [{action: Override, " +
         action + "}]\n";
}

std::string on_usdt(const std::string& action, const std::string& fifth = "nop") {
  return "usdts:\n- path: " + std::filesystem::read_symlink("/proc/self/exe").string() +
         "\n  provider: registers\n  name: all\n  args: [{index: 0, type: int64}, {index: 1, type: int32}, "
         "{index: 2, type: int16}, {index: 3, type: int32}, {index: 0, type: " +
         fifth +
         "}]\n"
         "  selectors:\n  - matchActions: [{action: Set, " +
         action + "}]\n";
}

void check(const tg_register_set& set, uint8_t how, uint16_t to, uint8_t width, int64_t value, uint16_t from = 0) {
  CHECK(set.how == how);
  CHECK(set.to == to);
  CHECK(set.width == width);
  CHECK(set.value == value);
  CHECK(set.from == from);
}

TEST_CASE("registers: argError returns from the function") {
  Kernel kernel;
  const CompiledHook hook = kernel.hook(on_uprobe("argError: -22"));
  REQUIRE(hook.actions.size() == 1);
  const tg_action_step& step = hook.actions[0].step;
  REQUIRE(step.set_count == 3);
  check(step.sets[0], TG_REGISTER_SET_CONSTANT, kRax, 8, -22);
  check(step.sets[1], TG_REGISTER_SET_MEMORY, kRip, 8, 0, kRsp);
  check(step.sets[2], TG_REGISTER_SET_REGISTER, kRsp, 8, 8, kRsp);
  CHECK(hook.attributes.at("writes") == "registers");
  CHECK(hook.attributes.at("leaves_frame") == "true");
  CHECK((hook.flags & TETRAGON_HOOK_VERDICT) != 0);
  CHECK(kernel.error(on_uprobe("argError: 1", "  return: true\n  returnArg: {index: 0, type: int64}\n"))
            .find("leave out return") != std::string::npos);
}

TEST_CASE("registers: assignments") {
  Kernel kernel;
  const CompiledHook hook =
      kernel.hook(on_uprobe(R"x(argRegs: ["rdi=0x10", "al=-1", "ah=2", "r12d=8%rcx", "r12w=%rdi", "rcx=-8(%rsp)"])x",
                            "  return: true\n  returnArg: {index: 0, type: int64}\n"));
  const tg_action_step& step = hook.actions[0].step;
  REQUIRE(step.set_count == 6);
  check(step.sets[0], TG_REGISTER_SET_CONSTANT, kRdi, 8, 0x10);
  check(step.sets[1], TG_REGISTER_SET_CONSTANT, kRax, 1, -1);
  check(step.sets[2], TG_REGISTER_SET_CONSTANT, kRax + 1, 1, 2);
  check(step.sets[3], TG_REGISTER_SET_REGISTER, kR12, 4, 8, kRcx);
  check(step.sets[4], TG_REGISTER_SET_REGISTER, kR12, 2, 0, kRdi);
  check(step.sets[5], TG_REGISTER_SET_MEMORY, kRcx, 8, -8, kRsp);
  CHECK(hook.attributes.count("leaves_frame") == 0);
  for (const char* wrong : {"cs=1", "eflags=1", "orig_rax=1", "xmm0=1", "rax=%eax", "rax=(%ss)"}) {
    const std::string text = kernel.error(on_uprobe("argRegs: [\"" + std::string(wrong) + "\"]"));
    CHECK_MESSAGE(text.find("is no register") != std::string::npos, wrong);
  }
  CHECK(kernel.error(on_uprobe("argRegs: [r8=1, r9=1, r10=1, r11=1, r12=1, r13=1, r14=1, r15=1, rax=1]"))
            .find("at most 8") != std::string::npos);
  CHECK(kernel.warning(on_uprobe("argError: 1, argRegs: [rax=2]")).find("no effect beside argRegs") !=
        std::string::npos);
}

TEST_CASE("registers: Set finds the argument") {
  Kernel kernel;
  CompiledHook hook = kernel.hook(on_usdt("argIndex: 0, argValue: 4000000000"));
  REQUIRE(hook.actions[0].step.set_count == 1);
  check(hook.actions[0].step.sets[0], TG_REGISTER_SET_CONSTANT, kR12, 8, 4000000000);
  CHECK(hook.attributes.at("writes") == "registers");
  hook = kernel.hook(on_usdt("argIndex: 1, argValue: 5"));
  check(hook.actions[0].step.sets[0], TG_REGISTER_SET_CONSTANT, kR12, 4, 5);
  hook = kernel.hook(on_usdt("argIndex: 2, argValue: 5"));
  CHECK(hook.actions[0].step.sets[0].how == TG_REGISTER_SET_MEMORY);
  CHECK(hook.actions[0].step.sets[0].width == 2);
  CHECK(hook.actions[0].step.value == 5);
  CHECK(hook.attributes.at("writes") == "memory");
  CHECK(kernel.error(on_usdt("argIndex: 3, argValue: 5")).find("is a constant") != std::string::npos);
  CHECK(kernel.error(on_usdt("argIndex: 4, argValue: 5")).find("is not read (nop)") != std::string::npos);
  CHECK(kernel.error(on_usdt("argIndex: 4, argValue: 5", "string")).find("is no plain number") != std::string::npos);
}

TEST_CASE("override-method chooses how a function is hooked") {
  Kernel kernel;
  const auto spec = [](const std::string& method, const std::string& action, const std::string& more = "") {
    return "options:\n- {name: override-method, value: " + method + "}\n" + more +
           "kprobes:\n- call: security_file_open\n  syscall: false\n  selectors:\n"
           "  - matchPIDs: [{operator: In, values: [5]}]\n    matchActions: [{action: " +
           action + "}]\n";
  };
  CHECK(kernel.hook(spec("fmod-ret", "Override, argError: -1")).backend == "fentry");
  CHECK(kernel.hook(spec("override-return", "Override, argError: -1")).backend == "kprobe");
  CHECK(kernel.hook(spec("override-return", "Post")).backend.empty());
  CHECK(kernel.error(spec("override-return", "Override, argError: -1", "- {name: backend, value: fentry}\n"))
            .find("is demanded") != std::string::npos);
}

}  // namespace
}  // namespace tetragon::policy::testing
#endif
