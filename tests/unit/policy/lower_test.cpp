// SPDX-License-Identifier: Apache-2.0
// Selectors as filters, sets and groups.
#include <sys/stat.h>

#include "tests/unit/policy/compile_fixture.h"

using namespace tetragon;
using namespace tetragon::policy;
using testing::MockKernel;

namespace {

// text_of(const char *text, u64 number, u8 small), with one filter.
std::string text_of(const std::string& type, const std::string& filter) {
  return "kprobes:\n- call: text_of\n  syscall: false\n  args:\n  - index: 0\n    type: " + type +
         "\n  selectors:\n  - matchArgs:\n    - index: 0\n      " + filter + "\n";
}
std::string selector(const std::string& text) {
  return "kprobes:\n- call: tcp_close\n  syscall: false\n  selectors:\n  - " + text + "\n";
}
tg_filter filter_of(const CompiledHook& hook) {
  REQUIRE(hook.config.selector_count == 1);
  REQUIRE(hook.config.selectors[0].filter_count == 1);
  CHECK((hook.config.slots[0].flags & TG_SLOT_FILTER) != 0);
  return hook.config.selectors[0].filters[0];
}

}  // namespace

TEST_CASE("lower: numbers are extended like their type") {
  MockKernel kernel;
  tg_filter filter =
      filter_of(kernel.hook(text_of("int", "operator: Equal\n      values: [\"-1\", \"0x10\", \"010\"]")));
  CHECK(filter.op == TG_OP_EQUAL);
  CHECK(filter.flags == TG_FILTER_SIGNED);
  CHECK(filter.value_count == 3);
  CHECK(filter.values[0] == 8);
  CHECK(filter.values[1] == 16);
  CHECK(filter.values[2] == ~uint64_t{0});
  filter = filter_of(kernel.hook(text_of("uint8", "operator: NotEqual\n      values: [\"255\"]")));
  CHECK(filter.op == TG_OP_EQUAL);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(filter.values[0] == 255);
  filter = filter_of(kernel.hook(text_of("int", "operator: GreaterThan\n      values: [\"5\"]")));
  CHECK(filter.op == TG_OP_GREATER);
  filter = filter_of(kernel.hook(text_of("uint64", "operator: LT\n      values: [\"0xffffffffffffffff\"]")));
  CHECK(filter.op == TG_OP_LESS);
  CHECK(filter.values[0] == ~uint64_t{0});
  CHECK(filter.flags == 0);
  filter = filter_of(kernel.hook(text_of("int", "operator: Mask\n      values: [\"0x80000000\"]")));
  CHECK(filter.op == TG_OP_MASK);
}

TEST_CASE("lower: many numbers are a set") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(
      text_of("int", "operator: Equal\n      values: [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"-9\"]"));
  const tg_filter filter = filter_of(hook);
  CHECK(filter.op == TG_OP_IN_SET);
  CHECK(filter.set == 1);
  CHECK(filter.value_count == 0);
  CHECK(hook.sets.numbers.size() == 9);
  CHECK(std::count(hook.sets.numbers.begin(), hook.sets.numbers.end(),
                   std::pair<uint32_t, uint64_t>(1, static_cast<uint64_t>(-9))) == 1);
}

TEST_CASE("lower: ranges") {
  MockKernel kernel;
  tg_filter filter = filter_of(kernel.hook(text_of("int", "operator: InRange\n      values: [\"10:20\", \"-5:-1\"]")));
  CHECK(filter.op == TG_OP_RANGE);
  CHECK(filter.value_count == 4);
  CHECK(static_cast<int64_t>(filter.values[0]) == -5);
  CHECK(filter.values[3] == 20);
  // Neighbours join.
  filter = filter_of(kernel.hook(text_of("uint64", "operator: InMap\n      values: [\"1\", \"2:5\", \"6\", \"4:9\"]")));
  CHECK(filter.op == TG_OP_RANGE);
  CHECK(filter.value_count == 2);
  CHECK(filter.values[0] == 1);
  CHECK(filter.values[1] == 9);
  const CompiledHook hook =
      kernel.hook(text_of("uint64", "operator: NotInMap\n      values: [\"1\", \"3\", \"5\", \"7\", \"9:11\"]"));
  filter = filter_of(hook);
  CHECK(filter.op == TG_OP_IN_SET);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(hook.sets.numbers.size() == 7);
}

TEST_CASE("lower: texts") {
  MockKernel kernel;
  CompiledHook hook = kernel.hook(
      text_of("string", "operator: Equal\n      values: [\"/etc/passwd\\0\", \"/etc/shadow\", \"/etc/passwd\"]"));
  tg_filter filter = filter_of(hook);
  CHECK(filter.op == TG_OP_TEXT_EQUAL);
  CHECK(filter.min_size == 11);
  CHECK(filter.max_size == 11);
  REQUIRE(hook.sets.texts.size() == 2);  // a NUL at the end is dropped, and doubles are
  CHECK(hook.config.text_maps == 1);
  hook = kernel.hook(text_of("char_buf", "operator: Equal\n      values: [\"ab\\0\"]"));
  CHECK(hook.sets.texts[0].second == std::string("ab\0", 3));
  hook = kernel.hook(text_of("string", "operator: NotPostfix\n      values: [\".so\", \"libc.so.6\"]"));
  filter = filter_of(hook);
  CHECK(filter.op == TG_OP_TEXT_POSTFIX);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(filter.max_size == 9);
  CHECK(hook.sets.postfixes.size() == 2);
}

TEST_CASE("lower: prefixes that are too long for the trie") {
  MockKernel kernel;
  const std::string long_one(255, 'x');
  const std::string fits(252, 'y');
  const CompiledHook hook =
      kernel.hook(text_of("string", "operator: Prefix\n      values: [\"" + long_one + "\", \"" + fits + "\"]"));
  const tg_filter filter = filter_of(hook);
  CHECK(filter.op == TG_OP_TEXT_PREFIX);
  CHECK(filter.min_size == 252);
  CHECK(filter.max_size == 255);
  CHECK(filter.value_count == 1);
  CHECK(filter.values[0] == 255);
  CHECK(hook.sets.prefixes == std::vector<std::pair<uint32_t, std::string>>{{1, fits}});
  CHECK(hook.sets.texts == std::vector<std::pair<uint32_t, std::string>>{{1, long_one}});
  CHECK(hook.config.text_maps == 1u << 6);
}

TEST_CASE("lower: text sizes fall into the right maps") {
  MockKernel kernel;
  const uint32_t sizes[] = {TG_TEXT_SIZES};
  for (uint32_t n = 0; n < TG_TEXT_SIZE_COUNT; ++n) {
    const auto hook =
        kernel.hook(text_of("string", "operator: Equal\n      values: [\"" + std::string(sizes[n], 'x') + "\"]"));
    CHECK(hook.config.text_maps == 1u << n);
    if (n + 1 < TG_TEXT_SIZE_COUNT) {
      const auto next =
          kernel.hook(text_of("string", "operator: Equal\n      values: [\"" + std::string(sizes[n] + 1, 'x') + "\"]"));
      CHECK(next.config.text_maps == 1u << (n + 1));
    }
  }
}

TEST_CASE("lower: abstract sockets begin with a NUL") {
  MockKernel kernel;
  const CompiledHook hook =
      kernel.hook(text_of("sockaddr_un", "operator: Equal\n      values: [\"@bus\", \"/run/x\"]"));
  CHECK(hook.sets.texts.size() == 3);
  CHECK(std::count(hook.sets.texts.begin(), hook.sets.texts.end(),
                   std::pair<uint32_t, std::string>(1, std::string("\0bus", 4))) == 1);
}

TEST_CASE("lower: network") {
  MockKernel kernel;
  CompiledHook hook =
      kernel.hook(text_of("sock", "operator: NotDAddr\n      values: [\"10.1.2.3/8\", \"::1\", \"127.0.0.1\"]"));
  tg_filter filter = filter_of(hook);
  CHECK(filter.op == TG_OP_DADDR);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(filter.values[0] == (TG_ADDRESSES_V4 | TG_ADDRESSES_V6));
  REQUIRE(hook.sets.addresses4.size() == 2);
  CHECK(hook.sets.addresses4[0].bits == 8);
  CHECK(hook.sets.addresses4[0].bytes[0] == 10);
  CHECK(hook.sets.addresses4[0].bytes[1] == 0);  // behind the prefix
  CHECK(hook.sets.addresses6.at(0).bits == 128);
  filter = filter_of(kernel.hook(text_of("sock", "operator: SPort\n      values: [\"80\", \"443\", \"8000:8100\"]")));
  CHECK(filter.op == TG_OP_SPORT);
  CHECK(filter.value_count == 6);
  hook = kernel.hook(text_of("sock", "operator: DPort\n      values: [\"1\",\"3\",\"5\",\"7\",\"9:10\"]"));
  filter = filter_of(hook);
  CHECK(filter.op == TG_OP_DPORT);
  CHECK(filter.value_count == 0);
  CHECK(hook.sets.numbers.size() == 6);
  filter = filter_of(kernel.hook(text_of("sock", "operator: NotSPortPriv")));
  CHECK(filter.op == TG_OP_SPORT);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(filter.values[1] == 1023);
  filter = filter_of(kernel.hook(text_of("sock", "operator: Protocol\n      values: [\"IPPROTO_TCP\", \"17\"]")));
  CHECK(filter.op == TG_OP_PROTOCOL);
  CHECK(filter.values[0] == 6);
  CHECK(filter.values[1] == 17);
  filter = filter_of(kernel.hook(text_of("sock", "operator: Family\n      values: [\"AF_INET6\"]")));
  CHECK(filter.values[0] == 10);
  filter = filter_of(kernel.hook(text_of("sock", "operator: State\n      values: [\"TCP_LISTEN\"]")));
  CHECK(filter.values[0] == 10);
}

TEST_CASE("lower: kinds of files, substrings, expressions") {
  MockKernel kernel;
  tg_filter filter =
      filter_of(kernel.hook(text_of("file", "operator: NotFileType\n      values: [\"pipe\", \"socket\"]")));
  CHECK(filter.op == TG_OP_FILE_TYPE);
  CHECK(filter.flags == TG_FILTER_NOT);
  CHECK(filter.values[0] == S_IFIFO);
  CHECK(filter.values[1] == S_IFSOCK);
  const CompiledHook hook = kernel.hook(R"(kprobes:
- call: text_of
  syscall: false
  args:
  - index: 1
    type: uint64
  - index: 2
    type: uint8
  selectors:
  - matchArgs:
    - index: 1
      operator: CelExpr
      values: ["arg0 > 5u && arg1 == 3u"]
)");
  filter = filter_of(hook);
  CHECK(filter.op == TG_OP_CEL);
  CHECK(filter.set == 1);
  CHECK(hook.config.cel[0].op == TG_CEL_SLOT);
  CHECK((hook.config.slots[1].flags & TG_SLOT_FILTER) != 0);
}

TEST_CASE("lower: operators of plugins") {
  MockKernel kernel;
  kernel.vocabulary.operators.push_back(
      {"Teens", group_number, "InRange", [](std::string_view value) -> Result<std::vector<std::string>> {
         if (value != "all") return Error(Code::invalid, "only \"all\" is known");
         return std::vector<std::string>{"13:19"};
       }});
  const tg_filter filter = filter_of(kernel.hook(text_of("int", "operator: Teens\n      values: [\"all\"]")));
  CHECK(filter.op == TG_OP_RANGE);
  CHECK(filter.values[0] == 13);
  CHECK(filter.values[1] == 19);
}

TEST_CASE("lower: pids") {
  MockKernel kernel;
  CompiledHook hook = kernel.hook(selector("matchPIDs:\n    - operator: NotIn\n      values: [5, 1, 5]"));
  const tg_pid_match* pids = &hook.config.selectors[0].pids;
  CHECK(pids->op == TG_MATCH_NOT_IN);
  CHECK(pids->flags == 0);
  CHECK(pids->value_count == 2);
  CHECK(pids->values[0] == 1);
  hook = kernel.hook(selector("matchPIDs:\n    - operator: In\n      values: [1, 2, 3, 4, 5]"));
  pids = &hook.config.selectors[0].pids;
  CHECK(pids->value_count == 0);
  CHECK(pids->set == 1);
  CHECK(hook.sets.numbers.size() == 5);
  hook = kernel.hook(selector(
      "matchPIDs:\n    - operator: In\n      values: [7]\n      followForks: true\n      isNamespacePID: true"));
  pids = &hook.config.selectors[0].pids;
  CHECK(pids->flags == (TG_PID_FOLLOW | TG_PID_NAMESPACE));
  CHECK(kernel.groups.size() == 1);
}

TEST_CASE("lower: binaries share a group") {
  MockKernel kernel;
  const Compiled compiled = kernel.compile_spec(
      selector("matchBinaries:\n    - operator: In\n      values: [/bin/a, /bin/b]\n    matchParentBinaries:\n    - "
               "operator: NotIn\n"
               "      values: [/bin/b, /bin/a]\n  - matchBinaries:\n    - operator: NotPrefix\n      values: [/bin/]\n"
               "  - matchBinaries:\n    - operator: In\n      values: [/bin/a, /bin/b]\n      followChildren: true"));
  REQUIRE(compiled.ok());
  const tg_hook_config& config = compiled.policy.hooks[0].config;
  CHECK(config.selectors[0].binaries.op == TG_MATCH_IN);
  CHECK(config.selectors[0].parent_binaries.op == TG_MATCH_NOT_IN);
  CHECK(config.selectors[0].binaries.group == config.selectors[0].parent_binaries.group);
  CHECK(config.selectors[1].binaries.op == TG_MATCH_NOT_IN);
  CHECK(config.selectors[1].binaries.group != config.selectors[0].binaries.group);
  CHECK(config.selectors[2].binaries.group != config.selectors[0].binaries.group);
  CHECK(compiled.policy.groups.size() == 4);
  CHECK(kernel.groups.size() == 3);
}

TEST_CASE("lower: namespaces and capabilities") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(
      selector("matchNamespaces:\n    - namespace: Pid\n      operator: NotIn\n      values: [\"host_ns\", \"5\"]\n"
               "    - namespace: Net\n      operator: In\n      values: [\"1\",\"2\",\"3\",\"4\",\"5\"]\n"
               "    matchNamespaceChanges:\n    - operator: In\n      values: [Mnt, Pid]\n"
               "    matchCapabilities:\n    - type: Permitted\n      operator: NotIn\n      isNamespaceCapability: "
               "true\n      values: "
               "[CAP_SYS_ADMIN]\n"
               "    matchCapabilityChanges:\n    - type: Effective\n      operator: In\n      values: [CAP_NET_RAW]"));
  const tg_selector& selected = hook.config.selectors[0];
  CHECK(selected.namespace_count == 2);
  CHECK(selected.namespaces[0].ns == TG_NS_PID);
  CHECK(selected.namespaces[0].op == TG_MATCH_NOT_IN);
  CHECK(selected.namespaces[0].values[0] == 5);
  CHECK(selected.namespaces[0].values[1] == 4026531800 + TG_NS_PID);
  CHECK(selected.namespaces[1].set == 1);
  CHECK(selected.ns_changes == ((1u << TG_NS_MNT) | (1u << TG_NS_PID)));
  CHECK(selected.ns_changes_op == TG_MATCH_IN);
  CHECK(selected.caps[TG_CAPS_PERMITTED].op == TG_MATCH_NOT_IN);
  CHECK(selected.caps[TG_CAPS_PERMITTED].namespaced == 1);
  CHECK(selected.caps[TG_CAPS_PERMITTED].mask == uint64_t{1} << 21);
  CHECK(selected.caps[TG_CAPS_EFFECTIVE].op == TG_MATCH_ANY);
  CHECK(selected.cap_changes == uint64_t{1} << 13);
  CHECK(selected.cap_changes_kind == TG_CAPS_EFFECTIVE);
  kernel.environment.host_namespaces = {};
  CHECK(kernel.error(
            selector("matchNamespaces:\n    - namespace: Time\n      operator: In\n      values: [\"host_ns\"]")) ==
        "spec.kprobes[0].selectors[0].matchNamespaces[0].values[0]: the host's namespace Time is not known: this "
        "kernel has "
        "none, or /proc/1/ns cannot be read");
}

TEST_CASE("lower: what is read at return cannot be decided upon at entry") {
  MockKernel kernel;
  const std::string text =
      "kprobes:\n- call: text_of\n  syscall: false\n  args:\n  - index: 0\n    type: char_buf\n    returnCopy: true\n  "
      "  "
      "sizeArgIndex: 2\n";
  const CompiledHook hook = kernel.hook(text);
  CHECK((hook.config.slots[0].flags & TG_SLOT_AT_RETURN) != 0);
  CHECK(hook.config.slots[0].size_from == 2);
  CHECK((hook.config.flags & TG_HOOK_HAS_RETURN) != 0);
  CHECK(kernel.error(text +
                     "  selectors:\n  - matchArgs:\n    - index: 0\n      operator: Prefix\n      values: [\"a\"]\n") ==
        "spec.kprobes[0].selectors[0].matchArgs[0]: the decision is made at entry, but this argument is read at return "
        "(returnCopy); filter another one");
}

TEST_CASE("lower: return filters") {
  MockKernel kernel;
  const CompiledHook hook = kernel.hook(
      "kprobes:\n- call: security_file_open\n  syscall: false\n  return: true\n  returnArg:\n    index: 0\n    type: "
      "int\n  "
      "selectors:\n  - matchReturnArgs:\n    - operator: LT\n      values: [\"0\"]\n");
  const tg_selector& selected = hook.config.selectors[0];
  CHECK(selected.filter_count == 0);
  CHECK(selected.return_filter_count == 1);
  CHECK(selected.return_filters[0].slot == TG_HOOK_RETURN_SLOT);
  CHECK(selected.return_filters[0].op == TG_OP_LESS);
}
