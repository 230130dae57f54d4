# SPDX-License-Identifier: Apache-2.0
"""The same hook by every way a kernel has: the same events. What is deleted leaves nothing attached."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from lib import TIME_SCALE, Skip, requires, timeout
from lib.features import probe
from lib.policies import check_loaded, child, folder_of, hits, new_folder, policy, syscall
from lib.programs import programs

PLACE = new_folder()
FOLDER: list[str] = []
MARK = 7680000


def on_call(name: str, backend: str, section: str = "kprobes") -> str:
    return policy(name, f"""
  options: [{{name: backend, value: {backend}}}]
  {section}:
  - call: sys_getsid
    syscall: true
    return: true
    args: [{{index: 0, type: int, label: who}}]
    returnArg: {{index: 0, type: int}}
    selectors:
    - matchArgs: [{{index: 0, operator: InRange, values: ["{MARK}:{MARK + 9}"]}}]
""")


def on_function(name: str, backend: str, section: str = "kprobes") -> str:
    return policy(name, f"""
  options: [{{name: backend, value: {backend}}}]
  {section}:
  - call: security_inode_rmdir
    syscall: false
    return: true
    args:
    - {{index: 1, type: dentry}}
    - {{index: 1, type: string, resolve: d_name.name}}
    returnArg: {{index: 0, type: int}}
    selectors:
    - matchArgs: [{{index: 1, args: [1], operator: Prefix, values: ["backends-of-tetragon"]}}]
""")


def backends() -> list[str]:
    return ["kprobe"] + ["kprobe-multi"] * probe("fprobe")[0] + ["fentry"] * probe("trampolines")[0]


def daemon_of(env):
    if not FOLDER:
        policies = [on_call("call-syscall-tracepoint", "syscall-tracepoint")]
        for backend in backends():
            policies += [on_call(f"call-{backend}", backend), on_function(f"function-{backend}", backend)]
        if probe("trampolines")[0]:
            policies += [on_call("call-fentries", "fentry", "fentries"), on_function("function-fentries", "fentry", "fentries")]
        FOLDER.append(folder_of(policies))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


def by_policy(daemon, pid: int) -> dict[str, list[dict]]:
    """What each policy told, without its own name."""
    daemon.events.wait_exit(pid)
    found: dict[str, list[dict]] = {}
    for event in daemon.events.find(lambda e: e.get("process_kprobe", {}).get("process", {}).get("pid") == pid):
        inner = event["process_kprobe"]
        found.setdefault(inner["policy_name"], []).append(
            {key: one for key, one in inner.items() if key in ("function_name", "args", "return", "action")})
    return found


@requires("kprobes")
def test_loaded(env):
    for name, one in check_loaded(daemon_of(env)).items():
        wanted = name.partition("-")[2].replace("fentries", "fentry")
        assert f"backend={wanted}" in one["info"].replace('"', ""), (name, one["info"])


@requires("kprobes")
def test_the_same_events(env):
    def use():
        for number in (0, 1, 10, 2):
            syscall("getsid", MARK + number)
        for name in ("other", "backends-of-tetragon-1", "backends-of-tetragon-2"):
            os.mkdir(PLACE / name)
            os.rmdir(PLACE / name)
    found = by_policy(daemon_of(env), child(use))
    ways = backends() + ["fentries"] * probe("trampolines")[0]
    assert sorted(found) == sorted(["call-syscall-tracepoint", *(f"{kind}-{way}" for kind in ("call", "function") for way in ways)]), found
    calls, functions = found["call-kprobe"], found["function-kprobe"]
    assert [event["args"][0]["int_arg"] for event in calls] == [MARK, MARK + 1, MARK + 2], calls
    assert [event["return"]["int_arg"] for event in calls] == [-3] * 3, calls
    assert [event["args"][1]["string_arg"] for event in functions] == ["backends-of-tetragon-1", "backends-of-tetragon-2"], functions
    for name, events in found.items():
        assert events == (calls if name.startswith("call") else functions), (name, events)


@requires("kprobes")
def test_32_bit_call_by_function(env):
    if os.uname().machine != "x86_64" or "__ia32_sys_getpgid" not in Path("/proc/kallsyms").read_text():
        raise Skip("this kernel has no 32-bit calls of this name")
    daemon = daemon_of(env)
    file = env.tmp / "compat.yaml"
    file.write_text(policy("compat", """
  options: [{name: backend, value: kprobe}]
  kprobes:
  - call: __ia32_sys_getpgid
    syscall: true
    args: [{index: 0, type: int}]
    return: true
    returnArg: {index: 0, type: int}
"""))
    daemon.tetra("tracingpolicy", "add", file)
    process = subprocess.Popen([env.program("calls"), "/etc/hostname", env.tmp / "written"], stdout=subprocess.PIPE, text=True)
    printed = process.communicate()[0].strip()
    if process.returncode != 0:
        raise Skip(f"this kernel has no 32-bit calls (status {process.returncode})")
    event, = hits(daemon, "compat", process.pid)
    assert event["args"][0]["int_arg"] == 0 and str(event["return"]["int_arg"]) == printed, event


@requires("kprobes", "fprobe")
@timeout(120)
def test_a_thousand_functions(env):
    functions = Path("/sys/kernel/tracing/available_filter_functions").read_text().split("\n")
    families = ("sock_", "skb_", "tcp_", "udp_", "inet_", "ip_")
    count = len({line for line in functions if line.startswith(families) and " " not in line})
    if count < 1000:
        raise Skip(f"this kernel has {count} of them only")
    daemon = daemon_of(env)
    file = env.tmp / "many.yaml"
    shutil.copy(env.program("calls"), PLACE / "many")
    file.write_text(policy("many", f"""
  lists: [{{name: net, type: generated_ftrace, pattern: "^(sock|skb|tcp|udp|inet|ip)_"}}]
  kprobes:
  - call: "list:net"
    syscall: false
    selectors:
    - matchBinaries: [{{operator: In, values: ["{PLACE}/many"]}}]
"""))
    daemon.tetra("tracingpolicy", "add", file, timeout=60)
    process = subprocess.Popen([PLACE / "many", "/etc/hostname", env.tmp / "written"], stdout=subprocess.DEVNULL)
    process.wait()
    names = {event["function_name"] for event in hits(daemon, "many", process.pid)}
    assert {"tcp_v4_connect", "inet_stream_connect"} & names and len(names) > 5, names
    daemon.tetra("tracingpolicy", "delete", "many", timeout=60)


def attached() -> dict[str, int]:
    found = {kind: len(json.loads(subprocess.run(["bpftool", kind, "show", "-j"], capture_output=True, text=True, check=True).stdout))
             for kind in ("prog", "link", "map")}
    for name, path in (("functions", "/sys/kernel/tracing/enabled_functions"), ("kprobes", "/sys/kernel/debug/kprobes/list")):
        if os.path.exists(path):
            found[name] = len(Path(path).read_text().splitlines())
    return found


@requires("kprobes")
def test_nothing_is_left(env):
    if shutil.which("bpftool") is None:
        raise Skip("no bpftool")
    # Every way is in use already, so what the daemon keeps for policies to come, shared maps, is there.
    daemon = daemon_of(env)
    before = attached()
    ways = [*backends(), "syscall-tracepoint"]
    for backend in ways:
        file = env.tmp / f"{backend}.yaml"
        file.write_text(on_call(f"one-{backend}", backend))
        daemon.tetra("tracingpolicy", "add", file)
    during = attached()
    assert during["prog"] >= before["prog"] + 2 * len(ways), (before, during)
    found = by_policy(daemon, child(lambda: syscall("getsid", MARK)))
    assert all(len(found[f"one-{backend}"]) == 1 for backend in ways), found
    for backend in ways:
        daemon.tetra("tracingpolicy", "delete", f"one-{backend}")
    # The kernel frees some of it a moment later.
    deadline = time.monotonic() + 5 * TIME_SCALE
    while (after := attached()) != before and any(after[kind] > before[kind] for kind in before):
        assert time.monotonic() < deadline, (before, during, after)
        time.sleep(0.2)


def other_hooks() -> dict[str, str]:
    """Of every other section, with what ends a call where it can."""
    libc = next(Path("/lib").glob("*-linux-gnu/libc.so.6")).resolve()
    hooks = {
        "tracepoint": "tracepoints:\n  - {subsystem: sched, event: sched_process_exec, raw: true}",
        "uprobe": f"uprobes:\n  - {{path: {libc}, symbols: [getsid]}}",
        "loader": "loader: true",
        "killer": """enforcers:
  - calls: [sys_getsid]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{index: 0, type: int}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["7680100"]}]
      matchActions: [{action: NotifyEnforcer, argSig: 9}]""",
    }
    if probe("tracefs")[0]:
        hooks["classic"] = "tracepoints:\n  - {subsystem: sched, event: sched_process_exec}"
    denies = """
    args: [{index: 1, type: string, resolve: d_name.name}]
    selectors:
    - matchArgs: [{index: 0, args: [0], operator: Prefix, values: ["backends-of-tetragon-denied"]}]
      matchActions: [{action: Override, argError: -1}]"""
    if probe("bpf_lsm")[0]:
        hooks["lsm"] = f"lsmhooks:\n  - hook: inode_rmdir{denies}"
    if probe("trampolines")[0]:
        hooks["override"] = f"kprobes:\n  - call: security_inode_rmdir\n    syscall: false{denies}"
    return {name: policy(f"other-{name}", f"  {text}") for name, text in hooks.items()}


def check_verified() -> None:
    """Programs of every object are in the kernel now: how much work each was for the verifier, of a million at most."""
    most: dict[str, int] = {}
    for one in programs():
        if one.name.startswith("tg_"):
            most[one.name] = max(most.get(one.name, 0), one.verified)
    for name, verified in sorted(most.items()):
        print(f"    {name}: {verified} instructions verified", flush=True)
    wanted = {"tg_exec", "tg_exit", "tg_fork", "tg_dispatch_enter", "tg_syscall_enter", "tg_raw_tracepoint", "tg_loader_exec",
              "tg_kprobe", "tg_kretprobe", "tg_notify"}
    wanted |= {"tg_tracepoint"} if probe("tracefs")[0] else set()
    wanted |= {"tg_lsm"} if probe("bpf_lsm")[0] else set()
    wanted |= {"tg_fentry", "tg_fexit", "tg_modify"} if probe("trampolines")[0] else set()
    wanted |= {"tg_kprobe_multi", "tg_kret_multi"} if probe("fprobe")[0] else set()
    assert any(name.startswith("tg_uprobe") for name in most), sorted(most)
    assert {name[:15] for name in wanted} <= set(most), ({name[:15] for name in wanted} - set(most), sorted(most))
    assert max(most.values()) < 500_000, most


@timeout(120)
@requires("kprobes")
def test_nothing_is_left_of_other_hooks(env):
    if shutil.which("bpftool") is None:
        raise Skip("no bpftool")
    daemon, texts = daemon_of(env), other_hooks()
    files = {name: env.tmp / f"other-{name}.yaml" for name in texts}
    # What the daemon keeps for policies to come is there after the first round.
    before = {}
    for _ in range(2):
        for name, file in files.items():
            file.write_text(texts[name])
            daemon.tetra("tracingpolicy", "add", file, timeout=60)
        during = attached()
        if before:
            assert during["prog"] >= before["prog"] + len(texts) and during["link"] > before["link"], (before, during)
            check_verified()
        for name in texts:
            daemon.tetra("tracingpolicy", "delete", f"other-{name}")
        if before:
            break
        time.sleep(1)
        before = attached()
    deadline = time.monotonic() + 5 * TIME_SCALE
    while any((after := attached())[kind] > before[kind] for kind in before):
        assert time.monotonic() < deadline, (before, during, after)
        time.sleep(0.2)
