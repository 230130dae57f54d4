# SPDX-License-Identifier: Apache-2.0
"""What selectors choose by: processes, their programs, namespaces and capabilities, and values by every operator."""

import os
import shutil
import subprocess

from lib import sensor
from lib.policies import (CLONE_NEWPID, CLONE_NEWUTS, LIBC, check_loaded, child, folder_of, hits, new_folder, policy, syscall,
                          value)

PLACE = new_folder()
PYTHON = os.path.realpath("/proc/self/exe")
MARK = 7650000  # no process has this number
FOLDER: list[str] = []


def on_getpgid(name: str, selector: str) -> str:
    """The helper program asks for getpgid(0)."""
    return policy(name, f"""
  kprobes:
  - call: sys_getpgid
    args: [{{index: 0, type: int}}]
    selectors:
    - {selector}
      matchArgs: [{{index: 0, operator: Equal, values: ["0"]}}]
""")


def on_getsid(name: str, number: int, selector: str, call: str = "sys_getsid") -> str:
    return policy(name, f"""
  kprobes:
  - call: {call}
    args: [{{index: 0, type: int}}]
    selectors:
    - {selector}
      matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
""")


BINARIES = [
    on_getpgid("b-in", f'matchBinaries: [{{operator: In, values: ["/no/such", "{PLACE}/one"]}}]'),
    on_getpgid("b-not-in", f'matchBinaries: [{{operator: NotIn, values: ["{PLACE}/one"]}}]'),
    on_getpgid("b-prefix", f'matchBinaries: [{{operator: Prefix, values: ["{PLACE}/pre"]}}]'),
    on_getpgid("b-not-prefix", f'matchBinaries: [{{operator: NotPrefix, values: ["{PLACE}/pre"]}}]'),
    on_getpgid("b-postfix", 'matchBinaries: [{operator: Postfix, values: [".tail"]}]'),
    on_getpgid("b-not-postfix", 'matchBinaries: [{operator: NotPostfix, values: [".tail"]}]'),
    on_getpgid("b-follow", f'matchBinaries: [{{operator: In, values: ["{PLACE}/parent"], followChildren: true}}]'),
    on_getpgid("parent-in", f'matchParentBinaries: [{{operator: In, values: ["{PLACE}/parent"]}}]'),
]
OTHERS = [
    on_getsid("b-before", MARK, f'matchBinaries: [{{operator: In, values: ["{PYTHON}"]}}]'),
    on_getsid("ns-pid", MARK + 1, "matchPIDs: [{operator: In, values: [1, 2, 3, 4, 5, 6], isNamespacePID: true}]"),
    on_getsid("ns-host", MARK + 2, 'matchNamespaces: [{namespace: Uts, operator: In, values: ["host_ns"]}]'),
    on_getsid("ns-other", MARK + 2, 'matchNamespaces: [{namespace: Uts, operator: NotIn, values: ["host_ns"]}]'),
    on_getsid("ns-changed", MARK + 2, "matchNamespaceChanges: [{operator: In, values: [Uts, Ipc]}]"),
    on_getsid("caps-in", MARK + 3, "matchCapabilities: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]"),
    on_getsid("caps-not-in", MARK + 3, "matchCapabilities: [{type: Effective, operator: NotIn, values: [CAP_SYS_ADMIN]}]"),
    on_getsid("caps-changed", MARK + 3,
              "matchCapabilityChanges: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]"),
    policy("first", """
  kprobes:
  - call: sys_setpriority
    args: [{index: 0, type: int}, {index: 1, type: int}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["801"]}, {index: 1, operator: Equal, values: ["500"]}]
      matchActions: [{action: NoPost}]
    - matchArgs: [{index: 0, operator: Equal, values: ["801"]}, {index: 1, operator: InRange, values: ["500:600"]}]
"""),
    policy("returned", f"""
  kprobes:
  - call: sys_getsid
    return: true
    args: [{{index: 0, type: int}}]
    returnArg: {{index: 0, type: int}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["0", "{MARK + 4}"]}}]
      matchReturnArgs: [{{index: 0, operator: Equal, values: ["-3"]}}]
"""),
    policy("data", f"""
  kprobes:
  - call: sys_getsid
    args: [{{index: 0, type: int}}]
    data:
    - {{index: 0, type: int, source: current_task, resolve: tgid}}
    - {{index: 0, type: string, source: current_task, resolve: group_leader.comm}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{MARK + 5}"]}}]
      matchData: [{{index: 0, operator: GT, values: ["1"]}}]
"""),
]

NUMBERS = {
    "GT": (["10"], lambda n: n > 10), "LT": (["10"], lambda n: n < 10), "Equal": (["5", "-7"], lambda n: n in (5, -7)),
    "NotEqual": (["5", "-7"], lambda n: n not in (5, -7)), "Mask": (["0x30"], lambda n: n & 0x30 != 0),
    "InRange": (["5:9", "-8:-6"], lambda n: 5 <= n <= 9 or -8 <= n <= -6), "NotInRange": (["5:9"], lambda n: not 5 <= n <= 9),
    "InMap": (["5", "9:11"], lambda n: n in (5, 9, 10, 11)), "NotInMap": (["5", "9:11"], lambda n: n not in (5, 9, 10, 11)),
    "CelExpr": (["arg1 == 5 || arg1 > 40 && arg0 < 1000"], lambda n: n == 5 or n > 40),
}
TEXTS = {
    "Equal": (["/tg/equal", "/tg/other"], lambda t: t in ("/tg/equal", "/tg/other")),
    "NotEqual": (["/tg/equal"], lambda t: t != "/tg/equal"),
    "Prefix": (["/tg/e", "/usr/no"], lambda t: t.startswith(("/tg/e", "/usr/no"))),
    "NotPrefix": (["/tg/e"], lambda t: not t.startswith("/tg/e")),
    "Postfix": (["tail", "other"], lambda t: t.endswith(("tail", "other"))),
    "NotPostfix": (["tail"], lambda t: not t.endswith("tail")),
}


def operators(name: str, call: str, kind: str, first: int, table: dict) -> str:
    """One selector per operator, five per hook; the first argument chooses the selector."""
    rows = list(enumerate(table.items()))
    text = "\n  kprobes:\n"
    for begin in range(0, len(rows), 5):
        text += f"  - call: {call}\n    args: [{{index: 0, type: int32}}, {{index: 1, type: {kind}}}]\n    selectors:\n"
        for number, (operator, (values, _)) in rows[begin:begin + 5]:
            quoted = ", ".join(f'"{one}"' for one in values)
            place = "" if operator == "CelExpr" else "index: 1, "
            text += (f'    - matchArgs: [{{index: 0, operator: Equal, values: ["{first + number}"]}}, '
                     f'{{{place}operator: {operator}, values: [{quoted}]}}]\n')
    return policy(name, text)


def daemon_of(env):
    if not FOLDER:
        for name in ("one", "two", "prefixed", "some.tail"):
            shutil.copy(env.program("calls"), PLACE / name)
        for name in ("parent", "late"):
            shutil.copy(os.path.realpath("/bin/sh"), PLACE / name)
        FOLDER.append(folder_of([*BINARIES, *OTHERS, operators("numbers", "sys_getpriority", "int32", 900, NUMBERS),
                                 operators("texts", "sys_openat", "string", 72000, TEXTS)]))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}", "--parents-map-enabled")


def names(daemon, pid: int) -> list[str]:
    daemon.events.wait_exit(pid)
    return sorted(event["process_kprobe"]["policy_name"] for event in daemon.events.find(
        lambda e: e.get("process_kprobe", {}).get("process", {}).get("pid") == pid))


def run(name: str) -> int:
    process = subprocess.Popen([PLACE / name, "/etc/hostname", PLACE / "written"], stdout=subprocess.DEVNULL)
    process.wait()
    return process.pid


@sensor
def test_loaded(env):
    check_loaded(daemon_of(env))


@sensor
def test_binaries(env):
    daemon = daemon_of(env)
    assert names(daemon, run("one")) == ["b-in", "b-not-postfix", "b-not-prefix"]
    assert names(daemon, run("two")) == ["b-not-in", "b-not-postfix", "b-not-prefix"]
    assert names(daemon, run("prefixed")) == ["b-not-in", "b-not-postfix", "b-prefix"]
    assert names(daemon, run("some.tail")) == ["b-not-in", "b-not-prefix", "b-postfix"]


@sensor
def test_children_and_parents(env):
    daemon = daemon_of(env)
    calls = f"{PLACE}/one /etc/hostname {PLACE}/written > /dev/null & echo $!; wait"

    def pid_of(command):
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    common = ["b-in", "b-not-postfix", "b-not-prefix"]
    assert names(daemon, pid_of([PLACE / "parent", "-c", calls])) == sorted([*common, "b-follow", "parent-in"])
    # A grandchild follows, its parent is another program.
    assert names(daemon, pid_of([PLACE / "parent", "-c", f"/bin/sh -c '{calls}'; true"])) == sorted([*common, "b-follow"])
    assert names(daemon, pid_of(["/bin/sh", "-c", calls])) == common


@sensor
def test_programs_that_run_already(env):
    """Older than the daemon: this one. Older than the policy: a shell that waits."""
    daemon = daemon_of(env)
    assert names(daemon, child(lambda: syscall("getsid", MARK))) == ["b-before"]
    script = "read word; kill -0 $$; (kill -0 1); true"
    late = subprocess.Popen([PLACE / "late", "-c", script], stdin=subprocess.PIPE, text=True)
    other = subprocess.Popen([PLACE / "parent", "-c", script], stdin=subprocess.PIPE, text=True)
    daemon.events.wait_exec(other.pid)
    file = env.tmp / "late.yaml"
    file.write_text(policy("late", f"""
  kprobes:
  - call: sys_kill
    args: [{{index: 0, type: int}}, {{index: 1, type: int}}]
    selectors:
    - matchBinaries: [{{operator: In, values: ["{PLACE}/late"]}}]
      matchArgs: [{{index: 1, operator: Equal, values: ["0"]}}]
"""))
    daemon.tetra("tracingpolicy", "add", file)
    for process in (late, other):
        process.communicate("go\n")
    daemon.events.wait_exit(other.pid)
    daemon.events.wait_exit(late.pid)
    found = [event["process_kprobe"] for event in daemon.events.find(
        lambda e: e.get("process_kprobe", {}).get("policy_name") == "late")]
    assert [event["args"][0]["int_arg"] for event in found] == [late.pid, 1], found
    daemon.tetra("tracingpolicy", "delete", "late")


@sensor
def test_pids(env):
    """More values than fit into the hook itself, and processes that follow."""
    daemon = daemon_of(env)
    reader, writer = os.pipe()

    def wait_and_ask():
        os.close(writer)
        os.read(reader, 1)
        syscall("getpriority", MARK + 10, 0)
        pid = os.fork()
        syscall("getpriority", MARK + 11, 0)
        if pid:
            os.waitpid(pid, 0)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                wait_and_ask()
            finally:
                os._exit(0)
        pids.append(pid)
    fill = ", ".join(str(9000000 + n) for n in range(6))
    # One system call has at most 12 hooks where only its tracepoint is there: these ask for another one.
    added = [on_getsid(name, MARK + number, f"matchPIDs: [{rule}]", "sys_getpriority") for name, number, rule in (
        ("pids", 10, f"{{operator: In, values: [{fill}, {pids[0]}]}}"),
        ("not-pids", 10, f"{{operator: NotIn, values: [{pids[0]}, {fill}]}}"),
        ("follow", 11, f"{{operator: In, values: [{pids[1]}], followForks: true}}"),
        ("alone", 11, f"{{operator: In, values: [{pids[1]}]}}"))]
    for number, text in enumerate(added):
        file = env.tmp / f"{number}.yaml"
        file.write_text(text)
        daemon.tetra("tracingpolicy", "add", file)
    os.close(reader)
    os.close(writer)
    for pid in pids:
        os.waitpid(pid, 0)
    assert [names(daemon, pid) for pid in pids] == [["pids"], ["alone", "follow", "not-pids"], ["not-pids"]]
    followed = daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == "follow")
    assert len(followed) == 2 and len({event["process_kprobe"]["process"]["pid"] for event in followed}) == 2, followed
    for name in ("pids", "not-pids", "follow", "alone"):
        daemon.tetra("tracingpolicy", "delete", name)


@sensor
def test_pids_of_namespaces(env):
    def inside():
        LIBC.unshare(CLONE_NEWPID)
        pid = os.fork()
        syscall("getsid", MARK + 1)
        if pid:
            os.waitpid(pid, 0)
    daemon = daemon_of(env)
    outer = child(inside)
    assert names(daemon, outer) == []
    found = daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == "ns-pid")
    assert len(found) == 1 and found[0]["process_kprobe"]["parent"]["pid"] == outer, found


@sensor
def test_namespaces(env):
    def changed():
        LIBC.unshare(CLONE_NEWUTS)
        syscall("getsid", MARK + 2)
    daemon = daemon_of(env)
    assert names(daemon, child(lambda: syscall("getsid", MARK + 2))) == ["ns-host"]
    assert names(daemon, child(changed)) == ["ns-changed", "ns-other"]


@sensor
def test_capabilities(env):
    def dropped():
        os.setresuid(12345, 12345, 12345)
        syscall("getsid", MARK + 3)
    daemon = daemon_of(env)
    assert names(daemon, child(lambda: syscall("getsid", MARK + 3))) == ["caps-in"]
    assert names(daemon, child(dropped)) == ["caps-changed", "caps-not-in"]


@sensor
def test_first_match_decides(env):
    def use():
        for who in (500, 501, 601):
            LIBC.setpriority(801, who, 0)
    found = hits(daemon_of(env), "first", child(use))
    assert [event["args"][1]["int_arg"] for event in found] == [501], found


@sensor
def test_return_decides(env):
    def use():
        syscall("getsid", 0)
        syscall("getsid", MARK + 4)
    found = hits(daemon_of(env), "returned", child(use))
    assert [(event["args"][0]["int_arg"], event["return"]["int_arg"]) for event in found] == [(MARK + 4, -3)], found


@sensor
def test_data(env):
    pid = child(lambda: syscall("getsid", MARK + 5))
    event, = hits(daemon_of(env), "data", pid)
    assert value(event["data"][0]) == pid and value(event["data"][1]).startswith("python"), event


@sensor
def test_operators_of_numbers(env):
    tried = (-100, -7, -1, 0, 4, 5, 7, 9, 10, 11, 16, 48, 101)

    def use():
        for number in range(len(NUMBERS)):
            for who in tried:
                syscall("getpriority", 900 + number, who)
    found = hits(daemon_of(env), "numbers", child(use))
    for number, (operator, (values, matches)) in enumerate(NUMBERS.items()):
        chosen = [event["args"][1]["int_arg"] for event in found if event["args"][0]["int_arg"] == 900 + number]
        assert chosen == [who for who in tried if matches(who)], (operator, values, chosen)


@sensor
def test_operators_of_texts(env):
    tried = ("/tg/equal", "/tg/equals", "/tg/other", "/tg/e", "/tg/", "/usr/nowhere", "/tg/with-tail", "tail", "ail", "/tg/e" + "x" * 400,
             "/tg/" + "y" * 400 + "tail")

    def use():
        for number in range(len(TEXTS)):
            for path in tried:
                syscall("openat", 72000 + number, path.encode(), 0)
    found = hits(daemon_of(env), "texts", child(use))
    for number, (operator, (values, matches)) in enumerate(TEXTS.items()):
        chosen = [event["args"][1]["string_arg"] for event in found if event["args"][0]["int_arg"] == 72000 + number]
        assert chosen == [path for path in tried if matches(path)], (operator, values, chosen)
