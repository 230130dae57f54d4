// SPDX-License-Identifier: Apache-2.0
// One case per rule: the lines of a spec, and the only error (or warning) they give, with its place.
#include "core/policy/parse.h"
#include "support.h"

#include <doctest/doctest.h>

using namespace tetragon::policy;
using namespace tetragon::policy::testing;

namespace {

struct Case {
  const char* spec;
  const char* expected;   // how the finding begins, behind "p.yaml:"
  const char* also = "";  // occurs in it too
};

void check(const Case& one, bool warning) {
  CAPTURE(one.spec);
  const Parsed parsed = parse_spec(one.spec);
  CAPTURE(all_texts(parsed));
  const auto found = texts(parsed, warning);
  CHECK(parsed.ok() == warning);
  REQUIRE(found.size() == 1);
  const std::string begin = std::string("p.yaml:") + one.expected;
  CAPTURE(found[0]);
  CHECK(found[0].substr(0, begin.size()) == begin);
  CHECK(found[0].find(one.also) != std::string::npos);
}

void errors(std::initializer_list<Case> cases) {
  for (const Case& one : cases) check(one, /*warning=*/false);
}
void warnings(std::initializer_list<Case> cases) {
  for (const Case& one : cases) check(one, /*warning=*/true);
}

// A kprobe with one argument and one filter on it.
std::string filter(const std::string& type, const std::string& op, const std::string& values) {
  return "  kprobes:\n  - call: f\n    syscall: false\n    args: [{index: 0, type: " + type +
         "}]\n    selectors:\n    - matchArgs: [{index: 0, operator: " + op +
         (values.empty() ? "" : ", values: [" + values + "]") + "}]\n";
}

// The text of the only error, without its place.
std::string reason(const std::string& spec) {
  const Parsed parsed = parse_spec(spec);
  if (parsed.ok()) return "ok";
  const auto found = texts(parsed, /*warnings=*/false);
  if (found.size() != 1) return all_texts(parsed);
  const std::size_t at = found[0].find(": ");
  return found[0].substr(found[0].find(": ", at + 2) + 2);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("fields: unknown, twice, of the wrong kind, missing, empty") {
  errors({
      {"  kprobe: []\n", "5:3: spec.kprobe: there is no such field in spec; did you mean kprobes?", "allowed: kprobes"},
      {"  kprobes:\n  - call: sys_read\n    calls: x\n", "7:5: spec.kprobes[0].calls: there is no such field",
       "did you mean call?"},
      {"  kprobes:\n  - call: sys_read\n    call: sys_write\n",
       "7:5: spec.kprobes[0].call: was already written in line 6"},
      {"  kprobes: yes\n", "5:12: spec.kprobes: a list is expected, not a single value"},
      {"  kprobes:\n    call: sys_read\n", "6:5: spec.kprobes: a list is expected, not a map"},
      {"  kprobes:\n  - sys_read\n", "6:5: spec.kprobes[0]: a map with the fields of a kprobe is expected"},
      {"  kprobes:\n  - syscall: true\n", "6:5: spec.kprobes[0]: the field \"call\" is missing"},
      {"  kprobes:\n  - call:\n", "6:5: spec.kprobes[0]: the field \"call\" is missing"},
      {"  kprobes:\n  - call: \"\"\n", "6:11: spec.kprobes[0].call: is empty"},
      {"  kprobes:\n  - call: [sys_read]\n", "6:11: spec.kprobes[0].call: a text is expected, not a list"},
      {"  kprobes:\n  - call: sys_read\n    syscall: \"true\"\n",
       "7:14: spec.kprobes[0].syscall: true or false is expected, not \"true\""},
      {"  kprobes:\n  - call: sys_read\n    args: [{index: one, type: int}]\n",
       "7:20: spec.kprobes[0].args[0].index: \"one\" is not a number"},
      {"  kprobes:\n  - call: sys_read\n    args: [{index: \"1\", type: int}]\n",
       "7:20: spec.kprobes[0].args[0].index: a number is expected, not the text \"1\"; remove the quotes"},
      {"  kprobes:\n  - call: sys_read\n    args: [{index: -1, type: int}]\n",
       "7:20: spec.kprobes[0].args[0].index: \"-1\" does not fit"},
      {"  kprobes:\n  - call: sys_read\n    args: [{type: int}]\n",
       "7:12: spec.kprobes[0].args[0]: the field \"index\" is missing"},
      {"  kprobes:\n  - call: sys_read\n    ignore: {callNotfound: true}\n",
       "7:14: spec.kprobes[0].ignore.callNotfound: there is no such field", "did you mean callNotFound?"},
      {"  tracepoints:\n  - event: e\n", "6:5: spec.tracepoints[0]: the field \"subsystem\" is missing"},
      {"  kprobes:\n  - call: sys_read\n    selectors:\n    - matchPIDs: [{operator: In, values: []}]\n",
       "8:42: spec.kprobes[0].selectors[0].matchPIDs[0].values: is empty"},
      {"  kprobes:\n  - call: sys_read\n    selectors:\n    - matchPIDs: [{operator: In}]\n",
       "8:19: spec.kprobes[0].selectors[0].matchPIDs[0]: the field \"values\" is missing"},
      {"  kprobes:\n  - call: sys_read\n    tags: [ab, ~]\n", "7:16: spec.kprobes[0].tags[1]: is empty"},
      {"  podSelector: {matchLabels: {a: [x]}}\n  loader: true\n",
       "5:34: spec.podSelector.matchLabels.a: a text is expected"},
  });
  warnings({{"  kprobes:\n  - call: sys_read\n    args:\n", "7:5: warning: spec.kprobes[0].args: has no value"},
            {"  loader: true\n  kprobes:\n", "6:3: warning: spec.kprobes: has no value"}});
}

TEST_CASE("limits of counts") {
  const std::string argument = "{index: 0, type: int}";
  const auto times = [](int count, const std::string& text) {
    std::string result;
    for (int i = 0; i < count; ++i) result += (i == 0 ? "" : ", ") + text;
    return "[" + result + "]";
  };
  const auto kprobe = [](const std::string& line) {
    return "  kprobes:\n  - call: f\n    syscall: false\n    " + line + "\n";
  };
  const auto selector = [&](const std::string& line) {
    return kprobe("args: [{index: 0, type: int}]") + "    selectors: [{" + line + "}]\n";
  };
  const std::string match = "{index: 0, operator: Equal, values: [1]}";
  CHECK(reason(kprobe("args: " + times(5, argument))) == "ok");
  CHECK(has(reason(kprobe("args: " + times(6, argument))), "has 6 elements; at most 5"));
  CHECK(has(reason(kprobe("args: " + times(3, argument) +
                          "\n    data: " + times(3, "{source: current_task, type: int, resolve: pid}"))),
            "args and data have 6 elements together; at most 5"));
  CHECK(reason(kprobe("selectors: " + times(5, "{matchPIDs: [{operator: In, values: [1]}]}"))) == "ok");
  CHECK(has(reason(kprobe("selectors: " + times(6, "{matchPIDs: [{operator: In, values: [1]}]}"))), "at most 5"));
  CHECK(reason(selector("matchArgs: " + times(5, match))) == "ok");
  CHECK(has(reason(selector("matchArgs: " + times(6, match))), "at most 5"));
  CHECK(has(reason(kprobe("args: [" + argument + "]\n    data: [{source: current_task, type: int, resolve: pid}]\n" +
                          "    selectors: [{matchArgs: " + times(3, match) + ", matchData: " + times(3, match) + "}]")),
            "matchArgs and matchData have 6 elements together; at most 5"));
  CHECK(reason(selector("matchActions: " + times(3, "{action: Post}"))) == "ok");
  CHECK(has(reason(selector("matchActions: " + times(4, "{action: Post}"))), "at most 3"));
  CHECK(has(reason(selector("matchBinaries: " + times(2, "{operator: In, values: [/a]}"))), "at most 1"));
  CHECK(has(reason(selector("matchParentBinaries: " + times(2, "{operator: In, values: [/a]}"))), "at most 1"));
  CHECK(has(reason(selector("matchNamespaceChanges: " + times(2, "{operator: In, values: [Mnt]}"))), "at most 1"));
  CHECK(has(reason(selector("matchCapabilityChanges: " + times(2, "{operator: In, values: [CAP_BPF]}"))), "at most 1"));
  CHECK(has(reason(selector("matchNamespaces: " + times(11, "{namespace: Pid, operator: In, values: [\"1\"]}"))),
            "at most 10"));
  CHECK(has(reason(kprobe("tags: " + times(17, "ab"))), "at most 16"));
  CHECK(has(reason("  enforcers: [{calls: [sys_a]}, {calls: [sys_b]}]\n"), "at most 1"));
  // No limit where a map can hold more.
  CHECK(reason(selector("matchPIDs: [{operator: In, values: " + times(5000, "7") + "}]")) == "ok");
  CHECK(reason(selector("matchArgs: [{index: 0, operator: NotEqual, values: " + times(5000, "7") + "}]")) == "ok");
  CHECK(reason(selector("matchNamespaces: [{namespace: Pid, operator: In, values: " + times(50, "\"7\"") + "}]")) ==
        "ok");
  for (const char* op : {"GT", "LT", "Mask"}) {
    CHECK(reason(selector(std::string("matchArgs: [{index: 0, operator: ") + op + ", values: " + times(8, "7") +
                          "}]")) == "ok");
    CHECK(has(
        reason(selector(std::string("matchArgs: [{index: 0, operator: ") + op + ", values: " + times(9, "7") + "}]")),
        "takes at most 8"));
  }
  CHECK(has(reason(selector("matchArgs: [{index: 0, operator: InRange, values: " + times(5, "\"1:2\"") + "}]")),
            "takes at most 4"));
}

TEST_CASE("names, lists, enforcers, options, label selectors") {
  errors({
      {"  lists: [{name: a, values: [f]}, {name: a, values: [g]}]\n",
       "5:42: spec.lists[1].name: the list \"a\" was already defined in line 5"},
      {"  lists: [{name: a}]\n", "5:11: spec.lists[0]: has no values"},
      {"  lists: [{name: a, type: syscals, values: [sys_a]}]\n", "5:27: spec.lists[0].type: \"syscals\" is not a type",
       "did you mean syscalls?"},
      {"  lists: [{name: a, type: syscalls, values: [read]}]\n",
       "5:46: spec.lists[0].values[0]: \"read\" is not a system call"},
      {"  lists: [{name: a, type: syscalls, values: [mips/sys_read]}]\n",
       "5:46: spec.lists[0].values[0]: in \"mips/sys_read\" the ABI is not known; allowed: x64, i386, arm64, arm32"},
      {"  lists: [{name: a, type: generated_syscalls, values: [sys_a]}]\n",
       "5:56: spec.lists[0].values: must be absent"},
      {"  lists: [{name: a, type: generated_ftrace}]\n", "5:11: spec.lists[0]: has no pattern"},
      {"  lists: [{name: a, type: generated_ftrace, pattern: \"(\"}]\n",
       "5:54: spec.lists[0].pattern: is no regular expression"},
      {"  kprobes: [{call: \"list:dup\"}]\n  lists: [{name: dups, values: [sys_dup]}]\n",
       "5:20: spec.kprobes[0].call: there is no list \"dup\" in spec.lists; did you mean dups?"},
      {"  enforcers: [{calls: [do_unlinkat]}]\n",
       "5:24: spec.enforcers[0].calls[0]: \"do_unlinkat\" cannot be enforced"},
      {"  enforcers: [{calls: [\"list:x\"]}]\n", "5:24: spec.enforcers[0].calls[0]: there is no list \"x\""},
      {"  enforcers: [{}]\n", "5:15: spec.enforcers[0]: the field \"calls\" is missing"},
      {"  loader: true\n  options: [{name: disable-kprobe-multi, value: maybe}]\n",
       "6:49: spec.options[0].value: \"maybe\" is not true or false"},
      {"  loader: true\n  options: [{name: policy-mode, value: enforc}]\n",
       "6:40: spec.options[0].value: \"enforc\" is no value of policy-mode; did you mean enforce?"},
      {"  loader: true\n  options: [{name: override-method, value: kprobe}]\n",
       "6:44: spec.options[0].value: \"kprobe\" is no value of override-method", "allowed: override-return, fmod-ret"},
      {"  loader: true\n  options: [{name: policy-mode, value: enforce}, {name: policy-mode, value: monitor}]\n",
       "6:57: spec.options[1].name: \"policy-mode\" was already set"},
      {"  loader: true\n  hostSelector: {matchLabels: {a: b}}\n", "6:17: spec.hostSelector: must be {}"},
      {"  loader: true\n  podSelector: {matchExpressions: [{key: a, operator: In}]}\n",
       "6:36: spec.podSelector.matchExpressions[0]: In needs values"},
      {"  loader: true\n  podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}\n",
       "6:72: spec.podSelector.matchExpressions[0].values: Exists takes no values"},
      {"  loader: true\n  podSelector: {matchExpressions: [{key: a, operator: Is}]}\n",
       "6:55: spec.podSelector.matchExpressions[0].operator: \"Is\" is not an operator"},
  });
  warnings({
      {"  loader: true\n  options: [{name: policy-moed, value: enforce}]\n",
       "6:20: warning: spec.options[0].name: the option \"policy-moed\" is not known", "did you mean policy-mode?"},
      {"  loader: true\n  lists: [{name: a, values: [f], pattern: x}]\n",
       "6:43: warning: spec.lists[0].pattern: is used"},
      {"  lists: []\n", "3:18: warning: spec: the policy hooks nothing"},
  });
  CHECK(reason("  loader: true\n  podSelector: {}\n  containerSelector:\n  hostSelector:\n") == "ok");
  CHECK(reason("  lists: [{name: a, type: syscalls, values: [i386/sys_a, __x64_sys_b, arm32/sys_c]}]\n") == "ok");
}

TEST_CASE("functions and their returns") {
  errors({
      {"  kprobes:\n  - call: do_x\n    syscall: true\n", "6:11: spec.kprobes[0].call: \"do_x\" is not a system call"},
      {"  kprobes:\n  - call: do x\n    syscall: false\n",
       "6:11: spec.kprobes[0].call: \"do x\" is no name of a function"},
      {"  kprobes:\n  - call: sys_read\n    return: true\n", "7:13: spec.kprobes[0].return: needs returnArg"},
      {"  fentries:\n  - call: sys_read\n    return: true\n", "7:13: spec.fentries[0].return: needs returnArg"},
      {"  uprobes:\n  - path: /a\n    symbols: [m]\n    return: true\n",
       "8:13: spec.uprobes[0].return: needs returnArg"},
      {"  kprobes:\n  - call: sys_read\n    returnArgAction: TrackSock\n",
       "7:22: spec.kprobes[0].returnArgAction: needs return: true"},
      {"  kprobes:\n  - call: sys_read\n    return: true\n    returnArg: {type: int}\n    returnArgAction: TrackSock\n",
       "9:22: spec.kprobes[0].returnArgAction: TrackSock needs returnArg of type sock"},
      {"  kprobes:\n  - call: sys_read\n    return: true\n    returnArg: {type: int}\n    returnArgAction: Sigkill\n",
       "9:22: spec.kprobes[0].returnArgAction: \"Sigkill\" is not a word; allowed: TrackSock, UntrackSock, Post"},
      {"  kprobes:\n  - call: sys_read\n    return: true\n    returnArg: {}\n",
       "8:16: spec.kprobes[0].returnArg.type: is missing"},
      {"  lsmhooks:\n  - hook: bpf_lsm_file_open\n", "6:11: spec.lsmhooks[0].hook: must be without bpf_lsm_",
       "did you mean file_open?"},
      {"  lsmhooks:\n  - hook: security_file_open\n", "6:11: spec.lsmhooks[0].hook: must be without security_"},
      {"  tracepoints:\n  - {subsystem: a/b, event: c}\n",
       "6:17: spec.tracepoints[0].subsystem: \"a/b\" is no name of a tracepoint's part"},
      {"  lsmhooks:\n  - hook: file_open\n    selectors:\n    - matchReturnArgs: [{operator: Equal, values: [0]}]\n",
       "8:25: spec.lsmhooks[0].selectors[0].matchReturnArgs: is not possible in lsmhooks"},
      {"  tracepoints:\n  - subsystem: a\n    event: b\n    selectors:\n    - matchReturnArgs: [{operator: Equal, "
       "values: [0]}]\n",
       "9:25: spec.tracepoints[0].selectors[0].matchReturnArgs: is not possible"},
      {"  kprobes:\n  - call: sys_read\n    selectors:\n    - matchReturnArgs: [{operator: Equal, values: [0]}]\n",
       "8:25: spec.kprobes[0].selectors[0].matchReturnArgs[0]: needs return: true"},
      {"  kprobes:\n  - call: sys_read\n    selectors:\n    - matchReturnActions: [{action: Post}]\n",
       "8:28: spec.kprobes[0].selectors[0].matchReturnActions: needs return: true"},
      {"  kprobes:\n  - call: sys_read\n    return: true\n    returnArg: {index: 0, type: int}\n    selectors:\n"
       "    - matchReturnArgs: [{index: 1, operator: Equal, values: [0]}]\n",
       "10:33: spec.kprobes[0].selectors[0].matchReturnArgs[0].index: 1 is not the index of returnArg"},
  });
  warnings({
      {"  kprobes:\n  - call: do_x\n", "6:11: warning: spec.kprobes[0].syscall: is true by default"},
      {"  kprobes:\n  - call: sys_read\n    returnArg: {type: int}\n",
       "7:16: warning: spec.kprobes[0].returnArg: is not used without return: true"},
  });
  CHECK_FALSE(parse_spec("  kprobes: [{call: do_x}]\n").policy.hooks[0].syscall.value);
  CHECK(parse_spec("  kprobes: [{call: sys_x}]\n").policy.hooks[0].syscall.value);
}

TEST_CASE("arguments") {
  errors({
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0}]}\n", "6:26: spec.kprobes[0].args[0].type: is missing"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: auto}]}\n",
       "6:43: spec.kprobes[0].args[0].type: auto is"},
      {"  lsmhooks:\n  - {hook: a, args: [{index: 0, type: auto}]}\n", "6:39: spec.lsmhooks[0].args[0].type: auto is"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: syscall64}]}\n",
       "6:43: spec.kprobes[0].args[0].type: syscall64 is not possible in kprobes"},
      {"  lsmhooks:\n  - {hook: a, args: [{index: 0, type: data_loc}]}\n",
       "6:39: spec.lsmhooks[0].args[0].type: data_loc is not possible in lsmhooks"},
      {"  tracepoints:\n  - {subsystem: a, event: b, args: [{index: 0, type: const_buf}]}\n",
       "6:54: spec.tracepoints[0].args[0].type: const_buf cannot be chosen"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 5, type: int}]}\n",
       "6:34: spec.kprobes[0].args[0].index: 5 is too large", "allowed: 0 to 4"},
      {"  tracepoints:\n  - {subsystem: a, event: b, raw: true, args: [{index: 12, type: int}]}\n",
       "6:56: spec.tracepoints[0].args[0].index: 12 is too large"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: strng}]}\n",
       "6:43: spec.kprobes[0].args[0].type: \"strng\" is not an argument type; did you mean string?"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: char_buf, sizeArgIndex: 16}]}\n",
       "6:67: spec.kprobes[0].args[0].sizeArgIndex: 16 is too large"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: string, maxData: true}]}\n",
       "6:60: spec.kprobes[0].args[0].maxData: is possible for char_buf only"},
      {"  tracepoints:\n  - {subsystem: a, event: b, args: [{index: 0, type: char_buf, maxData: true}]}\n",
       "6:73: spec.tracepoints[0].args[0].maxData: is not possible for tracepoints"},
      {"  lsmhooks:\n  - {hook: a, args: [{index: 0, type: file, returnCopy: true}]}\n",
       "6:57: spec.lsmhooks[0].args[0].returnCopy: is not possible in lsmhooks"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: int, source: current_task}]}\n",
       "6:56: spec.kprobes[0].args[0].source: is possible in data only"},
      {"  kprobes:\n  - {call: sys_a, data: [{type: int, resolve: pid}]}\n",
       "6:26: spec.kprobes[0].data[0]: an element of data needs source"},
      {"  kprobes:\n  - {call: sys_a, data: [{type: int, source: current_task}]}\n",
       "6:26: spec.kprobes[0].data[0]: an element of data needs resolve"},
      {"  kprobes:\n  - {call: sys_a, data: [{type: int, source: task, resolve: pid}]}\n",
       "6:46: spec.kprobes[0].data[0].source: \"task\" is not a word", "allowed: current_task, pt_regs"},
      {"  fentries:\n  - {call: sys_a, data: [{type: uint64, source: pt_regs, resolve: rax}]}\n",
       "6:49: spec.fentries[0].data[0].source: pt_regs are not there in fentries"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: int, resolve: \"a..b\"}]}\n",
       "6:57: spec.kprobes[0].args[0].resolve: the path \"a..b\" is not one"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: int, resolve: a.b.c.d.e.f.g.h.i.j.k}]}\n",
       "6:57: spec.kprobes[0].args[0].resolve: the path", "has 11 steps; at most 10"},
      {"  tracepoints:\n  - {subsystem: a, event: b, args: [{index: 0, type: int, resolve: x}]}\n",
       "6:68: spec.tracepoints[0].args[0].resolve: needs raw: true"},
      {"  tracepoints:\n  - {subsystem: a, event: b, data: []}\n",
       "6:30: spec.tracepoints[0].data: there is no such field"},
  });
  warnings({
      {"  tracepoints:\n  - {subsystem: a, event: b, args: [{index: 0, type: int, label: x}]}\n",
       "6:66: warning: spec.tracepoints[0].args[0].label: events of tracepoints do not carry labels"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: int, sizeArgIndex: 2}]}\n",
       "6:62: warning: spec.kprobes[0].args[0].sizeArgIndex: is not used by the type int"},
      {"  kprobes:\n  - {call: sys_a, args: [{index: 0, type: int, btfType: x}]}\n",
       "6:57: warning: spec.kprobes[0].args[0].btfType: is used in uprobes and usdts only"},
  });
}

TEST_CASE("programs: uprobes and usdts") {
  errors({
      {"  uprobes:\n  - path: /bin/a\n", "6:5: spec.uprobes[0]: says not where to hook"},
      {"  uprobes:\n  - {path: bin/a, symbols: [m]}\n", "6:12: spec.uprobes[0].path: must begin with '/'"},
      {"  uprobes:\n  - {path: /a, symbols: [\"m+x\"]}\n", "6:26: spec.uprobes[0].symbols[0]: offset behind '+'"},
      {"  uprobes:\n  - {path: /a, symbols: [\"+4\"]}\n", "6:26: spec.uprobes[0].symbols[0]: \"+4\" names no symbol"},
      {"  uprobes:\n  - {path: /a, symbols: [m, n], refCtrOffsets: [1]}\n",
       "6:49: spec.uprobes[0].refCtrOffsets: has 1 elements; as many as symbols (2) or offsets (0)"},
      {"  uprobes:\n  - {path: /a, addrs: [1], refCtrOffsets: [1]}\n", "6:44: spec.uprobes[0].refCtrOffsets: has 1"},
      {"  uprobes:\n  - {path: /a, symbols: []}\n  loader: true\n", "6:25: spec.uprobes[0].symbols: is empty"},
      {"  uprobes:\n  - {path: /a, offsets: [-1]}\n", "6:26: spec.uprobes[0].offsets[0]: \"-1\" does not fit"},
      {"  usdts:\n  - {path: /a, provider: b}\n", "6:5: spec.usdts[0]: the field \"name\" is missing"},
      {"  usdts:\n  - {path: /a, provider: b, name: c, args: [{index: 0, type: sock}]}\n",
       "6:62: spec.usdts[0].args[0].type: sock is not possible in usdts"},
  });
  CHECK(reason("  uprobes: [{path: /a, offsets: [0x10, 32], refCtrOffsets: [1, 2]}]\n") == "ok");
}

TEST_CASE("filters by process") {
  const auto selector = [](const std::string& line) {
    return "  kprobes:\n  - call: sys_a\n    selectors:\n    - " + line + "\n";
  };
  CHECK(has(reason(selector("matchPIDs: [{operator: Equal, values: [1]}]")), "\"Equal\" is not an operator"));
  CHECK(has(reason(selector("matchNamespaces: [{namespace: Mntt, operator: In, values: [\"1\"]}]")),
            "\"Mntt\" is not a namespace; did you mean Mnt?"));
  CHECK(has(reason(selector("matchNamespaces: [{namespace: Mnt, operator: In, values: [host]}]")),
            "\"host\" is not a namespace's number"));
  CHECK(has(reason(selector("matchNamespaces: [{namespace: Mnt, operator: In, values: [\"0x10\"]}]")), "decimal"));
  CHECK(has(reason(selector("matchNamespaceChanges: [{operator: In, values: [mnt]}]")), "\"mnt\" is not a namespace"));
  CHECK(has(reason(selector("matchCapabilities: [{operator: In, values: [CAP_SYS_ADMINN]}]")),
            "did you mean CAP_SYS_ADMIN?"));
  CHECK(has(reason(selector("matchCapabilities: [{type: Ambient, operator: In, values: [CAP_BPF]}]")),
            "allowed: Effective, Inheritable, Permitted"));
  CHECK(has(reason(selector("matchCapabilities: [{operator: In, values: [CAP_BPF]}, {type: Effective, operator: NotIn, "
                            "values: [CAP_KILL]}]")),
            "the set Effective has a filter already"));
  CHECK(has(reason(selector("matchBinaries: [{operator: Equal, values: [/a]}]")), "allowed: In, NotIn, Prefix"));
  CHECK(has(reason(selector("matchBinaries: [{operator: In, values: [/" + std::string(255, 'a') + "]}]")),
            "has 256 bytes; at most 255"));
  CHECK(reason(selector("matchBinaries: [{operator: Prefix, values: [/" + std::string(255, 'a') + "]}]")) == "ok");
  CHECK(has(reason(selector("matchBinaries: [{operator: Postfix, values: [" + std::string(128, 'a') + "]}]")),
            "has 128 bytes; at most 127"));
  CHECK(has(reason(selector("matchBinaries: [{operator: In, values: [\"\"]}]")), "is empty; a text is needed here"));
  CHECK(texts(parse_spec(selector("matchBinaries: [{operator: In, values: [cat]}]")), true).size() == 1);

  SUBCASE("several conditions on the pid become one") {
    const auto pids = [&](const std::string& list) {
      Parsed parsed = parse_spec(selector("matchPIDs: [" + list + "]"));
      REQUIRE(parsed.ok());
      REQUIRE(parsed.policy.hooks[0].selectors[0].match_pids.size() == 1);
      const PidSelector& one = parsed.policy.hooks[0].selectors[0].match_pids[0];
      std::string text = *one.op;
      for (const auto& value : one.values) text += " " + std::to_string(*value);
      return text;
    };
    CHECK(pids("{operator: In, values: [1, 2, 3]}, {operator: NotIn, values: [2]}") == "In 1 3");
    CHECK(pids("{operator: NotIn, values: [2]}, {operator: In, values: [1, 2, 3]}") == "In 1 3");
    CHECK(pids("{operator: In, values: [1, 2]}, {operator: In, values: [2, 3]}") == "In 2");
    CHECK(pids("{operator: NotIn, values: [1]}, {operator: NotIn, values: [2]}") == "NotIn 1 2");
    CHECK(has(
        reason(selector("matchPIDs: [{operator: In, values: [1], followForks: true}, {operator: In, values: [2]}]")),
        "cannot be joined"));
  }
}

TEST_CASE("values of filters") {
  const auto ok = [](const char* type, const char* op, const char* values) {
    return reason(filter(type, op, values)) == "ok";
  };
  CHECK(ok("int", "Equal", "-1, 0x7fffffff, 0o17, 017, 0b11, \"+5\", \"-2147483648\""));
  CHECK(has(reason(filter("int", "Equal", "2147483648")), "does not fit into a signed number of 32 bits"));
  CHECK(ok("int", "Mask", "0x80000000"));
  CHECK(has(reason(filter("uint32", "Equal", "-1")), "allowed: 0 to 4294967295"));
  CHECK(has(reason(filter("uint8", "GT", "256")), "allowed: 0 to 255"));
  CHECK(has(reason(filter("int", "Equal", "0x")), "is not a number"));
  CHECK(has(reason(filter("int", "Equal", "1a")), "is not a number"));
  CHECK(has(reason(filter("uint64", "Equal", "18446744073709551616")), "does not fit into 64 bits"));
  CHECK(ok("int", "InRange", "\"-5:5\", \"0x10:0x20\""));
  CHECK(has(reason(filter("int", "InRange", "5")), "write min:max"));
  CHECK(has(reason(filter("int", "InRange", "\"5:x\"")), "maximum of the range"));
  CHECK(has(reason(filter("int", "NotInRange", "\"6:5\"")), "its minimum is above its maximum"));
  CHECK(ok("uint64", "InMap", "1, \"5:7\""));
  CHECK(has(reason(filter("uint64", "InMap", "0x10")), "decimal digits are expected"));
  CHECK(has(reason(filter("uint64", "InMap", "\"0:300000\"")), "use InRange"));
  CHECK(has(reason(filter("uint64", "InMap", "\"list:x\"")), "there is no list \"x\""));
  CHECK(has(reason("  lists: [{name: x, values: [f]}]\n" + filter("uint64", "InMap", "\"list:x\"")),
            "holds no system calls"));
  CHECK(has(reason("  lists: [{name: x, type: syscalls, values: [sys_a]}]\n" + filter("int8", "InMap", "\"list:x\"")),
            "use syscall64"));
  CHECK(ok("sock", "SAddr", "10.0.0.1, \"10.0.0.0/8\", \"::1\", \"fe80::/10\", 0.0.0.0/0"));
  CHECK(has(reason(filter("sock", "SAddr", "10.0.0")), "is not an address"));
  CHECK(has(reason(filter("sock", "DAddr", "10.0.0.0/33")), "allowed: /0 to /32"));
  CHECK(has(reason(filter("sock", "NotDAddr", "\"::/129\"")), "allowed: /0 to /128"));
  CHECK(ok("sock", "DPort", "443, \"8000:9000\", 0, 65535"));
  CHECK(has(reason(filter("sock", "DPort", "65536")), "does not fit into an unsigned number of 16 bits"));
  CHECK(has(reason(filter("sock", "SPort", "0x50")), "decimal digits are expected"));
  CHECK(ok("sock", "Protocol", "IPPROTO_TCP, 17"));
  CHECK(has(reason(filter("sock", "Protocol", "TCP")), "is not a protocol"));
  CHECK(has(reason(filter("skb", "Family", "AF_INTE")), "did you mean AF_INET?"));
  CHECK(has(reason(filter("sock", "State", "TCP_ESTABLISH")), "did you mean TCP_ESTABLISHED?"));
  CHECK(has(reason(filter("sock", "State", "256")), "at most 255"));
  CHECK(ok("file", "FileType", "reg, socket, pipe, dir"));
  CHECK(has(reason(filter("file", "NotFileType", "regulr")), "allowed: sock, socket, lnk"));
  CHECK(ok("cap_effective", "Equal", "\"CAP_SYS_ADMIN,CAP_BPF\", 0x200000"));
  CHECK(has(reason(filter("kernel_cap_t", "Mask", "\"CAP_BPF,CAP_X\"")), "\"CAP_X\" is not a capability"));
  CHECK(ok("capability", "Equal", "CAP_SYS_ADMIN, 21"));
  CHECK(ok("string", "Equal", "\"\", \"a\\0\""));
  CHECK(ok("string", "Equal", (std::string(4096, 'a')).c_str()));
  CHECK(has(reason(filter("string", "Equal", std::string(4097, 'a'))), "has 4097 bytes; at most 4096"));
  CHECK(ok("string", "Prefix", (std::string(256, 'a')).c_str()));
  CHECK(has(reason(filter("string", "Prefix", std::string(257, 'a'))), "at most 256"));
  CHECK(has(reason(filter("string", "Postfix", std::string(128, 'a'))), "at most 127"));
  CHECK(has(reason(filter("string", "SubString", std::string(100, 'a'))), "at most 99"));
  CHECK(has(reason(filter("string", "Prefix", "\"\"")), "is empty, which every text has"));
  CHECK(has(reason(filter("sock", "SPortPriv", "1")), "SPortPriv takes no values"));
  CHECK(has(reason(filter("sock", "SPort", "")), "SPort needs values"));
  CHECK(has(reason(filter("int", "Equal", "")), "Equal needs values"));
  CHECK(texts(parse_spec(filter("file", "Equal", "etc/passwd")), true).size() == 1);
}

TEST_CASE("which argument a filter names") {
  const std::string hook =
      "  kprobes:\n  - call: f\n    syscall: false\n    args: [{index: 2, type: int}, {index: 0, type: cap_effective}, "
      "{index: 1, type: cap_effective}]\n    selectors:\n    - matchArgs: [";
  const auto with = [&hook](const std::string& text) { return reason(hook + text + "]\n"); };
  CHECK(with("{index: 2, operator: Equal, values: [1]}") == "ok");
  CHECK(has(with("{index: 3, operator: Equal, values: [1]}"), "no element with index 3 in args; allowed: 2, 0, 1"));
  CHECK(with("{args: [0], operator: Equal, values: [1]}") == "ok");
  CHECK(has(with("{args: [3], operator: Equal, values: [1]}"), "no element 3 in args, which has 3"));
  CHECK(has(with("{args: [0, 0], operator: Equal, values: [1]}"), "Equal compares one argument"));
  CHECK(with("{args: [1, 2], operator: CapabilitiesGained}") == "ok");
  CHECK(has(with("{args: [1], operator: CapabilitiesGained}"), "needs args: [new, old]"));
  CHECK(has(with("{args: [1, 0], operator: CapabilitiesGained}"), "has the type int; allowed: kernel_cap_t"));
  CHECK(has(with("{args: [0], operator: CelExpr, values: [\"arg0 == 1\", \"true\"]}"), "CelExpr takes at most 1"));
  CHECK(with("{args: [0], operator: CelExpr, values: [\"arg0 == 1\"]}") == "ok");
  CHECK(with("{index: 2, operator: CelExpr, values: [\"arg0 == 1\"]}") == "ok");
  CHECK(
      has(with("{args: [0], operator: CelExpr, values: [\"arg1 == 1\"]}"), "'arg1' is not known here; allowed: arg0"));
  CHECK(has(with("{args: [0], operator: CelExpr, values: [\"arg0 +\"]}"), "the expression ends"));
  CHECK(has(
      reason("  kprobes:\n  - {call: sys_a, selectors: [{matchData: [{index: 0, operator: Equal, values: [1]}]}]}\n"),
      "no element with index 0 in data, which is empty"));
  const std::string long_one =
      "{args: [0], operator: CelExpr, values: [\"arg0 == 1 || arg0 == 2 || arg0 == 3 || arg0 == "
      "4 || arg0 == 5 || arg0 == 6 || arg0 == 7 || arg0 == 8 || arg0 == 9\"]}";
  CHECK(with(long_one) == "ok");
  CHECK(has(with(long_one + ", " + long_one), "steps together; at most 64"));
}

TEST_CASE("actions") {
  const auto in = [](const std::string& hook, const std::string& action) {
    return reason(hook + "    selectors: [{matchPIDs: [{operator: In, values: [1]}], matchActions: [" + action +
                  "]}]\n");
  };
  const std::string call =
      "  kprobes:\n  - call: sys_a\n    args: [{index: 0, type: int}, {index: 1, type: sock}, "
      "{index: 2, type: file}]\n";
  const std::string function = "  kprobes:\n  - call: do_x\n    syscall: false\n";
  const std::string fentry = "  fentries:\n  - call: sys_a\n";
  const std::string trace = "  tracepoints:\n  - subsystem: a\n    event: b\n";
  const std::string lsm = "  lsmhooks:\n  - hook: file_open\n";
  const std::string uprobe = "  uprobes:\n  - path: /a\n    symbols: [m]\n";
  const std::string usdt = "  usdts:\n  - {path: /a, provider: b, name: c, args: [{index: 3, type: int}]";
  const auto in_usdt = [&usdt](const std::string& action) {
    return reason(usdt + ", selectors: [{matchPIDs: [{operator: In, values: [1]}], matchActions: [" + action +
                  "]}]}\n");
  };

  CHECK(in(call, "{action: Override, argError: -1}") == "ok");
  CHECK(in(function, "{action: Sigkill}") == "ok");
  // Which functions can be made to fail is the kernel's to say.
  CHECK(in(function, "{action: Override, argError: -1}") == "ok");
  CHECK(in("  lists: [{name: l, values: [do_x]}]\n  kprobes:\n  - call: \"list:l\"\n    syscall: false\n",
           "{action: Override, argError: -1}") == "ok");
  CHECK(in("  kprobes:\n  - call: security_file_open\n    syscall: false\n", "{action: Override, argError: -1}") ==
        "ok");
  CHECK(has(in(fentry, "{action: Sigkill}"), "Sigkill is not possible in fentries; allowed: Post"));
  CHECK(has(in(trace, "{action: Override}"), "Override is not possible in tracepoints"));
  CHECK(has(in(lsm, "{action: GetUrl, argUrl: http://a}"), "GetUrl is not possible in lsmhooks"));
  CHECK(has(in(lsm, "{action: Override, argError: 5}"), "allowed: -4095 to 0"));
  CHECK(has(in(lsm, "{action: Post, kernelStackTrace: true}"), "is not possible in lsmhooks"));
  CHECK(in(lsm, "{action: Post, imaHash: true}") == "ok");
  CHECK(has(in(call, "{action: Post, imaHash: true}"), "is possible in lsmhooks only"));
  CHECK(has(in(call, "{action: Sigkill, kernelStackTrace: true}"), "is possible for the action Post only"));
  CHECK(has(in(call, "{action: NoPost, rateLimit: 5m}"), "is possible for the action Post only"));
  CHECK(has(in(call, "{action: Post, rateLimit: 5d}"), "\"5d\" is not an interval"));
  CHECK(has(in(call, "{action: Post, rateLimitScope: global}"), "needs rateLimit"));
  CHECK(has(in(call, "{action: Post, rateLimit: 1, rateLimitScope: host}"), "allowed: thread, process, global"));
  CHECK(has(in(call, "{action: Signal}"), "Signal needs argSig"));
  CHECK(has(in(call, "{action: Signal, argSig: 65}"), "65 is no signal"));
  CHECK(has(in(call, "{action: Signal, argSig: 0}"), "0 is no signal; allowed: 1 to 64"));
  CHECK(in(call, "{action: Signal, argSig: 64}") == "ok");
  CHECK(has(in(call, "{action: GetUrl}"), "GetUrl needs argUrl"));
  CHECK(has(in(call, "{action: GetUrl, argUrl: example.com}"), "must begin with http://"));
  CHECK(has(in(call, "{action: GetUrl, argUrl: \"http://a/\\nHost: b\"}"), "a control character"));
  CHECK(in(call, "{action: GetUrl, argUrl: \"https://u:p@a.test:8443/x?y#z\"}") == "ok");
  CHECK(has(in(call, "{action: DnsLookup}"), "DnsLookup needs argFqdn"));
  CHECK(has(in(call, "{action: DnsLookup, argFqdn: \"http://a.test\"}"), "characters other than letters"));
  CHECK(in(call, "{action: DnsLookup, argFqdn: canary.example.com.}") == "ok");
  CHECK(has(in(call, "{action: TrackSock, argSock: 0}"), "argument 0 has the type int; allowed: sock"));
  CHECK(in(call, "{action: TrackSock, argSock: 1}") == "ok");
  CHECK(has(in(call, "{action: UntrackSock, argSock: 4}"), "there is no argument with index 4"));
  CHECK(in(call, "{action: FollowFD, argFd: 0, argName: 2}") == "ok");
  CHECK(has(in(call, "{action: FollowFD, argFd: 2, argName: 2}"), "argument 2 has the type file"));
  CHECK(has(in(call, "{action: NotifyEnforcer, argError: -1}"), "NotifyEnforcer needs spec.enforcers"));
  CHECK(in("  enforcers: [{calls: [sys_a]}]\n" + call, "{action: NotifyEnforcer, argError: -1}") == "ok");
  CHECK(has(in(call, "{action: Set, argValue: 1}"), "Set is not possible in kprobes"));
  CHECK(in_usdt("{action: Set, argIndex: 0, argValue: 1}") == "ok");
  CHECK(has(in_usdt("{action: Set, argIndex: 1, argValue: 1}"), "there is no element 1 in args, which has 1"));
  CHECK(has(in_usdt("{action: Set, argIndex: 0}"), "Set needs argValue"));
  CHECK(in(uprobe,
           "{action: Override, argRegs: [\"rax=0\", \"rip=(%rsp)\", \"rsp=8%rsp\", \"rdi=-8(%rbp)\", rax=%rdi]}") ==
        "ok");
  CHECK(has(in(uprobe, "{action: Override, argRegs: [\"rax\"]}"), "is not an assignment"));
  CHECK(has(in(uprobe, "{action: Override, argRegs: [\"rax=(%rsp\"]}"), "is not an assignment"));
  CHECK(has(in(uprobe, "{action: Override, argError: 1}, {action: Override, argError: 2}"), "at most one Override"));
  CHECK(has(in(call, "{action: Override, argRegs: [\"rax=0\"]}"), "is possible in uprobes only"));
  CHECK(has(in(call, "{action: Sigkil}"), "did you mean Sigkill?"));
  CHECK(has(reason("  kprobes:\n  - call: sys_a\n    return: true\n    returnArg: {type: int}\n    selectors: "
                   "[{matchPIDs: [{operator: In, values: [1]}], matchReturnActions: [{action: Override}]}]\n"),
            "comes too late"));
  const auto at_return = [](const std::string& args, const std::string& result, const std::string& action) {
    return reason("  kprobes:\n  - call: do_x\n    syscall: false\n    args: [" + args +
                  "]\n    return: true\n    returnArg: {index: 0, type: " + result +
                  "}\n    selectors: [{matchReturnActions: [" + action + "]}]\n");
  };
  const std::string kept = "{index: 0, type: int}, {index: 1, type: file, returnCopy: true}, {index: 2, type: path}";
  CHECK(at_return(kept, "int", "{action: FollowFD, argFd: 0, argName: 1}") == "ok");
  CHECK(has(at_return(kept, "int", "{action: FollowFD, argFd: 0, argName: 2}"), "argument 2 needs returnCopy: true"));
  CHECK(has(at_return(kept, "int", "{action: FollowFD, argFd: 3, argName: 1}"), "there is no argument with index 3"));
  CHECK(has(at_return(kept, "int", "{action: FollowFD, argFd: 1, argName: 1}"), "argument 1 has the type file"));
  CHECK(at_return(kept, "int", "{action: CopyFD, argFd: 0, argName: 0}") == "ok");
  CHECK(has(at_return(kept, "int", "{action: CopyFD, argFd: 0, argName: 1}"), "argument 1 has the type file"));
  CHECK(has(at_return(kept, "int", "{action: UnfollowFD, argFd: 2}"), "argument 2 has the type path"));
  CHECK(at_return(kept, "sock", "{action: TrackSock}") == "ok");
  CHECK(has(at_return(kept, "int", "{action: TrackSock}"), "returnArg has the type int; allowed: sock"));
  warnings({
      {"  enforcers: [{calls: [sys_a]}]\n  kprobes:\n  - call: sys_b\n    selectors:\n"
       "    - matchPIDs: [{operator: In, values: [1]}]\n      matchActions: [{action: NotifyEnforcer}]\n",
       "10:22: warning: spec.kprobes[0].selectors[0].matchActions[0]: has neither argError nor argSig"},
      {"  tracepoints:\n  - subsystem: a\n    event: b\n    selectors:\n"
       "    - matchActions: [{action: Post, kernelStackTrace: true}]\n",
       "9:55: warning: spec.tracepoints[0].selectors[0].matchActions[0].kernelStackTrace: is left out",
       "tracepoints report others"},
      {"  uprobes:\n  - path: /a\n    symbols: [m]\n    selectors:\n"
       "    - matchActions: [{action: Post, userStackTrace: true}]\n",
       "9:53: warning: spec.uprobes[0].selectors[0].matchActions[0].userStackTrace: is left out"},
      {"  usdts:\n  - {path: /a, provider: b, name: c, selectors: [{matchActions: [{action: Post, kernelStackTrace: "
       "true}]}]}\n",
       "6:99: warning: spec.usdts[0].selectors[0].matchActions[0].kernelStackTrace: is left out"},
      {"  kprobes:\n  - call: sys_a\n    selectors:\n    - matchActions: [{action: Sigkill}]\n",
       "8:7: warning: spec.kprobes[0].selectors[0]: has no filter, so its actions hit every process"},
      {"  kprobes:\n  - call: sys_a\n    selectors:\n    - matchPIDs: [{operator: In, values: [1]}]\n"
       "      matchActions: [{action: Sigkill, argSig: 9}]\n",
       "9:48: warning: spec.kprobes[0].selectors[0].matchActions[0].argSig: is not used by the action Sigkill"},
      {"  kprobes:\n  - call: sys_a\n    args: [{index: 0, type: string}]\n    selectors:\n"
       "    - matchArgs: [{index: 0, operator: Equal, values: [/a]}]\n",
       "9:19: warning: spec.kprobes[0].selectors[0].matchArgs[0]: raceable: the memory behind a system call's argument "
       "can "
       "change"},
      {"  kprobes:\n  - call: sys_a\n    selectors:\n    - matchActions: [{action: Post}]\n"
       "    - matchPIDs: [{operator: In, values: [1]}]\n",
       "9:7: warning: spec.kprobes[0].selectors[1]: is never reached"},
  });
}

// No policy stops the machine by an oversight.
TEST_CASE("enforcing selectors that take all, on hooks that everything passes") {
  const std::string guard = "  options: [{name: enforcement-guard, value: \"off\"}]\n";
  const auto with = [](const std::string& hook, const std::string& filters) {
    return hook + "    selectors:\n    - {" + filters + (filters.empty() ? "" : ", ") +
           "matchActions: [{action: Sigkill}]}\n";
  };
  const std::string write =
      "  kprobes:\n  - call: sys_write\n    return: true\n    returnArg: {index: 0, type: int}\n"
      "    args: [{index: 0, type: fd}, {index: 2, type: uint64}]\n"
      "    data: [{source: current_task, type: uint32, resolve: pid}]\n";
  const std::string open =
      "  lsmhooks:\n  - hook: file_open\n    args: [{index: 0, type: file}, {index: 0, type: sock, resolve: x}]\n";
  const auto call = [](const std::string& name) {
    return "  kprobes:\n  - call: " + name + "\n    syscall: false\n    args: [{index: 0, type: uint8}]\n";
  };
  // Nothing is said of what the action is for.
  for (const char* filters : {
           "",
           "matchPIDs: [{operator: NotIn, values: [0]}]",
           "matchArgs: [{index: 0, operator: Prefix, values: [/]}]",
           "matchArgs: [{index: 0, operator: Prefix, values: [/etc/, /]}]",
           "matchArgs: [{index: 0, operator: NotPrefix, values: [/etc/]}]",
           "matchArgs: [{index: 2, operator: NotEqual, values: [1]}]",
           "matchArgs: [{index: 2, operator: InRange, values: [\"0:18446744073709551615\"]}]",
           "matchArgs: [{index: 2, operator: NotInRange, values: [\"1:2\"]}]",
           "matchData: [{index: 0, operator: InRange, values: [\"0:4294967295\"]}]",
           "matchBinaries: [{operator: NotIn, values: [/bin/a]}]",
           "matchBinaries: [{operator: Prefix, values: [/]}]",
           "matchNamespaces: [{namespace: Pid, operator: In, values: [host_ns]}]",
           "matchNamespaces: [{namespace: Pid, operator: NotIn, values: [\"7\"]}]",
           "matchNamespaces: [{namespace: Pid, operator: In, values: [\"4026531836\"]}]",
           "matchCapabilities: [{operator: NotIn, values: [CAP_BPF]}]",
           "matchReturnArgs: [{index: 0, operator: Equal, values: [1]}]",  // too late for an action at the begin
           "matchPIDs: [{operator: NotIn, values: [0]}], matchBinaries: [{operator: NotIn, values: [/bin/a]}]",
       }) {
    CAPTURE(filters);
    const std::string said = reason(with(write, filters));
    CHECK(has(said, "every process of the host passes this hook"));
    CHECK(has(said, "enforcement-guard: \"off\""));
    CHECK(reason(guard + with(write, filters)) == "ok");
  }
  CHECK(has(reason(with(write, "matchReturnArgs: [{index: 0, operator: Equal, values: [1]}]")), "come too late"));
  CHECK(has(reason(with(open, "matchArgs: [{args: [1], operator: SAddr, values: [0.0.0.0/0]}]")), "whole range"));
  CHECK(has(reason(with(open, "matchArgs: [{args: [1], operator: DPort, values: [\"0:65535\"]}]")), "whole range"));
  // One that says it is enough.
  for (const char* filters : {
           "matchPIDs: [{operator: In, values: [7]}]",
           "matchArgs: [{index: 0, operator: Prefix, values: [/etc/]}]",
           "matchArgs: [{index: 2, operator: InRange, values: [\"0:5\"]}]",
           "matchData: [{index: 0, operator: Equal, values: [5]}]",
           "matchBinaries: [{operator: In, values: [/bin/a]}]",
           "matchNamespaces: [{namespace: Pid, operator: NotIn, values: [host_ns]}]",
           "matchNamespaces: [{namespace: Mnt, operator: NotIn, values: [\"4026531840\"]}]",
           "matchNamespaces: [{namespace: Pid, operator: In, values: [\"4026532500\"]}]",
           "matchBinaries: [{operator: NotIn, values: [/bin/a]}], matchArgs: [{index: 0, operator: Equal, values: "
           "[/etc/shadow]}]",
       }) {
    CAPTURE(filters);
    CHECK(reason(with(write, filters)) == "ok");
  }
  CHECK(reason(with(open, "matchArgs: [{args: [1], operator: DPort, values: [\"0:65534\"]}]")) == "ok");
  // All but what is allowed: how egress is restricted.
  CHECK(reason(with(open, "matchArgs: [{args: [1], operator: NotDAddr, values: [10.0.0.0/8]}]")) == "ok");
  CHECK(reason(with(open, "matchArgs: [{args: [1], operator: NotDPort, values: [443]}]")) == "ok");
  CHECK(reason(write +
               "    selectors: [{matchReturnArgs: [{index: 0, operator: Equal, values: [1]}], matchReturnActions: "
               "[{action: Sigkill}]}]\n") == "ok");
  for (const char* name : {"do_filp_open", "path_openat", "vfs_open", "vfs_read", "vfs_write", "do_exit", "schedule",
                           "security_file_open"}) {
    CAPTURE(name);
    CHECK(has(reason(with(call(name), "matchArgs: [{index: 0, operator: NotEqual, values: [1]}]")), "would stop"));
    CHECK(has(reason(with(call(name), "matchArgs: [{index: 0, operator: InMap, values: [\"0:255\"]}]")), "would stop"));
  }
  // Few processes pass this one.
  CHECK(reason(with(call("do_init_module"), "matchPIDs: [{operator: NotIn, values: [0]}]")) == "ok");
}

TEST_CASE("message and tags are bounded and quoted as in events") {
  const Parsed parsed =
      parse_spec("  kprobes:\n  - call: sys_a\n    message: \"say \\\"hi\\\"\\n\"\n    tags: [\"a\\tb\", cd]\n");
  REQUIRE(parsed.ok());
  CHECK(*parsed.policy.hooks[0].message == "say \\\"hi\\\"\\n");
  CHECK(*parsed.policy.hooks[0].tags[0] == "a\\tb");
  CHECK(*parsed.policy.hooks[0].tags[1] == "cd");
  CHECK(has(reason("  kprobes:\n  - call: sys_a\n    message: x\n"), "has one byte; allowed: 2 to 256"));
  CHECK(has(reason("  kprobes:\n  - call: sys_a\n    tags: [x]\n"), "has one byte; allowed: 2 to 128"));
  const Parsed cut = parse_spec("  kprobes:\n  - call: sys_a\n    message: " + std::string(300, 'm') + "\n    tags: [" +
                                std::string(129, 't') + "]\n");
  REQUIRE(cut.ok());
  CHECK(cut.policy.hooks[0].message->size() == 256);
  CHECK(cut.policy.hooks[0].tags[0]->size() == 128);
  CHECK(texts(cut, /*warnings=*/true).size() == 2);
}

TEST_CASE("macros") {
  const std::string macros =
      "  selectorsMacros:\n    shells: {matchBinaries: [{operator: In, values: [/bin/sh]}]}\n"
      "    pids: {matchPIDs: [{operator: In, values: [1]}]}\n";
  const auto with = [&macros](const std::string& selector) {
    return macros + "  kprobes:\n  - {call: sys_a, selectors: [{" + selector + "}, {macros: [shells, pids]}]}\n";
  };
  const Parsed parsed = parse_spec(with("macros: [shells, pids], matchActions: [{action: Post}]"));
  CAPTURE(all_texts(parsed));
  REQUIRE(parsed.ok());
  const Selector& selector = parsed.policy.hooks[0].selectors[0];
  CHECK(*selector.match_binaries.at(0).values.at(0) == "/bin/sh");
  CHECK(selector.match_pids.size() == 1);
  CHECK(selector.match_actions.size() == 1);
  CHECK(has(reason(with("macros: [shels]")),
            "there is no macro \"shels\" in spec.selectorsMacros; did you mean shells?"));
  CHECK(
      has(reason(with("macros: [pids], matchPIDs: [{operator: In, values: [2]}]")), "defines matchPIDs a second time"));
  CHECK(has(reason("  selectorsMacros: {a: {macros: [b]}}\n  loader: true\n"), "there is no such field in a macro"));
  CHECK(has(reason("  selectorsMacros: {a: {}, a: {}}\n  loader: true\n"), "this macro is defined twice"));
  warnings({{"  selectorsMacros: {a: {}}\n  loader: true\n",
             "5:21: warning: spec.selectorsMacros.a: no selector uses this macro"}});
}

TEST_CASE("all errors of a file are reported, in its order, without their consequences") {
  const Parsed parsed = parse_spec(
      "  kprobes:\n"
      "  - call: sys_a\n"
      "    args: [{index: 0, type: imt}, {index: 9, type: int}]\n"
      "    selectors:\n"
      "    - matchArgs: [{index: 0, operator: Equal, values: [x]}, {index: 9, operator: Prefix, values: [x]}]\n"
      "      matchActions: [{action: Sigkil}, {action: Signal}]\n"
      "  nonsense: 1\n");
  const auto found = texts(parsed, /*warnings=*/false);
  CAPTURE(all_texts(parsed));
  REQUIRE(found.size() == 6);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const char* begins[] = {"p.yaml:7:29", "p.yaml:7:43", "p.yaml:9:82", "p.yaml:10:31", "p.yaml:10:40", "p.yaml:11:3"};
    CHECK(found[i].substr(0, std::string(begins[i]).size()) == begins[i]);
  }
}
