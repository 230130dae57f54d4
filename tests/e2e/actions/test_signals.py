# SPDX-License-Identifier: Apache-2.0
"""Sigkill and Signal behind every kind of hook: who is meant is hit, the neighbours go on, and the event says it."""

import json
import os
import signal
import subprocess
import time

from acting import MARK, Shared, actions_of, add, asks, attempt, backend, counts, eventually, on_getsid
from lib import Skip, requires, sensor
from lib.features import probe
from lib.policies import check_loaded, new_folder, policy, syscall

PLACE = new_folder()
KILL, SIGNAL = "{action: Sigkill}", f"{{action: Signal, argSig: {int(signal.SIGUSR1)}}}"
GETSID = 124 if os.uname().machine == "x86_64" else 156


def backends() -> list[str]:
    ways = ["syscall-tracepoint"]
    if probe("kprobes")[0]:
        ways += ["kprobe"] + ["kprobe-multi"] * probe("fprobe")[0] + ["fentry"] * probe("trampolines")[0]
    return ways


def numbers() -> dict[tuple[str, str], int]:
    """The number that each way and action is asked with."""
    pairs = [(way, action) for way in [*backends(), "raw", "classic"] for action in ("kill", "signal")]
    return {pair: MARK + n for n, pair in enumerate(pairs)}


def raw_tracepoint(name: str, number: int, action: str) -> str:
    return policy(name, f"""
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 0, type: int64, resolve: di}}, {{index: 1, type: int64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}, {{index: 1, operator: Equal, values: ["{GETSID}"]}}]
      matchActions: [{action}]
""")


def classic_tracepoint(name: str, number: int, action: str) -> str:
    return policy(name, f"""
  tracepoints:
  - subsystem: syscalls
    event: sys_enter_getsid
    args: [{{index: 5, type: int64}}]
    selectors:
    - matchArgs: [{{index: 5, operator: Equal, values: ["{number}"]}}]
      matchActions: [{action}]
""")


def policies() -> list[str]:
    made = []
    for (way, action), number in numbers().items():
        name, text = f"{way}-{action}", KILL if action == "kill" else SIGNAL
        if way == "raw":
            if os.uname().machine == "x86_64":
                made.append(raw_tracepoint(name, number, text))
        elif way == "classic":
            if probe("syscall_tracepoints")[0]:
                made.append(classic_tracepoint(name, number, text))
        else:
            made.append(on_getsid(name, number, text, backend(way)))
    if probe("bpf_lsm")[0]:
        for action, text in (("kill", KILL), ("signal", SIGNAL)):
            made.append(policy(f"lsm-{action}", f"""
  lsmhooks:
  - hook: file_open
    args: [{{index: 0, type: file}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{PLACE}/{action}"]}}]
      matchActions: [{text}]
"""))
    return made


SHARED = Shared(policies)


def is_hit_and_told(daemon, name: str, use, wanted: str, kind: str) -> None:
    pid, end = attempt(use)
    assert end == wanted, (name, end)
    assert actions_of(daemon, name, pid, kind) == ["SIGKILL" if wanted == "SIGKILL" else "SIGNAL"], name


def check_way(env, way: str, kind: str) -> None:
    daemon = SHARED.daemon(env)
    for action, wanted in (("kill", "SIGKILL"), ("signal", "SIGUSR1")):
        is_hit_and_told(daemon, f"{way}-{action}", asks(numbers()[way, action]), wanted, kind)
    done = counts(daemon, f"{way}-kill")
    assert done.get("signal") == "1", done


@sensor
def test_loaded(env):
    assert len(SHARED.check(env)) == len(policies())


@sensor
def test_by_system_call_tracepoint(env):
    check_way(env, "syscall-tracepoint", "process_kprobe")


@requires("kprobes")
def test_by_functions(env):
    for way in backends()[1:]:
        check_way(env, way, "process_kprobe")


@sensor
def test_raw_tracepoint(env):
    if os.uname().machine == "x86_64":
        check_way(env, "raw", "process_tracepoint")


@requires("syscall_tracepoints")
def test_classic_tracepoint(env):
    check_way(env, "classic", "process_tracepoint")


@requires("bpf_lsm")
def test_lsm(env):
    daemon = SHARED.daemon(env)
    for action, wanted in (("kill", "SIGKILL"), ("signal", "SIGUSR1")):
        # Who opens it here is hit, too.
        (PLACE / "new").write_text("")
        os.rename(PLACE / "new", PLACE / action)
        is_hit_and_told(daemon, f"lsm-{action}", lambda: os.open(PLACE / action, os.O_RDONLY), wanted, "process_lsm")
    (PLACE / "other").write_text("")
    assert attempt(lambda: os.open(PLACE / "other", os.O_RDONLY))[1] == "done"


@sensor
def test_neighbours_go_on(env):
    SHARED.daemon(env)
    assert attempt(asks(MARK + 999))[1] == "done"
    # A process whose thread is not the one that is hit ends as a whole; its parent does not.
    pid, end = attempt(lambda: attempt(asks(numbers()["syscall-tracepoint", "kill"])))
    assert end == "done", pid


@sensor
def test_the_signal_is_the_one_named(env):
    SHARED.daemon(env)
    seen = []

    def use():
        signal.signal(signal.SIGUSR1, lambda number, _frame: seen.append(number))
        asks(numbers()["syscall-tracepoint", "signal"])()
        os._exit(17 if seen == [signal.SIGUSR1] else 18)
    pid = os.fork()
    if pid == 0:
        use()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 17


def probe_policy(name: str, section: str, path, place: str, number: int, action: str) -> str:
    argument = 0 if section == "uprobes" else 1
    return policy(name, f"""
  {section}:
  - path: "{path}"
    {place}
    args: [{{index: {argument}, type: int64}}]
    selectors:
    - matchArgs: [{{index: {argument}, operator: Equal, values: ["{number}"]}}]
      matchActions: [{action}]
""")


@requires("btf", "uprobes")
def test_programs(env):
    path = env.program("answers")
    places = {"uprobes": "symbols: [answers_number, answers_middle]", "usdts": "provider: answers\n    name: memory"}
    texts = []
    for section, place in places.items():
        texts.append(probe_policy(f"{section}-kill", section, path, place, 1001, KILL))
        texts.append(probe_policy(f"{section}-signal", section, path, place, 1002, SIGNAL))
    with env.daemon(policies=texts) as daemon:
        daemon.wait_log("policy loaded")
        check_loaded(daemon)
        for section, call in (("uprobes", "number"), ("usdts", "usdt")):
            for name, number, wanted, action in (("kill", 1001, signal.SIGKILL, "SIGKILL"), ("signal", 1002, signal.SIGUSR1, "SIGNAL"),
                                                 ("none", 1003, 0, None)):
                process = subprocess.Popen([path, call, str(number)], stdout=subprocess.PIPE, text=True)
                printed = process.communicate(timeout=30)[0]
                assert process.returncode == -wanted, (section, name, process.returncode)
                assert (printed == "") == (wanted != 0), (section, name, printed)
                if action:
                    kind = "process_" + section.removesuffix("s")
                    assert actions_of(daemon, f"{section}-{name}", process.pid, kind) == [action], (section, name)


@sensor
def test_monitor_mode_is_switched_live(env):
    number = MARK + 500
    with env.daemon() as daemon:
        add(env, daemon, on_getsid("mode", number, KILL, "{name: policy-mode, value: monitor}, " + backend("syscall-tracepoint")))
        pid, end = attempt(asks(number))
        assert end == "done" and actions_of(daemon, "mode", pid) == ["SIGKILL"], end
        assert counts(daemon, "mode").get("monitor_signal") == "1", counts(daemon, "mode")
        daemon.tetra("tracingpolicy", "set-mode", "mode", "enforce")
        assert attempt(asks(number))[1] == "SIGKILL"
        daemon.tetra("tracingpolicy", "set-mode", "mode", "monitor")
        assert attempt(asks(number))[1] == "done"
        assert counts(daemon, "mode").get("signal") == "1", counts(daemon, "mode")


@sensor
def test_daemon_is_spared(env):
    """A policy that means the daemon: it is reported, and nothing else."""
    with env.daemon() as daemon:
        add(env, daemon, policy("suicide", f"""
  options: [{backend("syscall-tracepoint")}]
  kprobes:
  - call: sys_openat
    syscall: true
    args: [{{index: 1, type: string}}]
    selectors:
    - matchPIDs: [{{operator: In, followForks: false, isNamespacePID: false, values: [{daemon.process.pid}]}}]
      matchActions: [{KILL}]
"""))
        # Loading a policy makes it open files.
        for n in range(3):
            add(env, daemon, on_getsid(f"more-{n}", MARK + 600 + n, KILL, backend("syscall-tracepoint")))
        assert daemon.alive()
        event = daemon.events.wait_for(lambda e: e.get("process_kprobe", {}).get("policy_name") == "suicide", what="the daemon's own call")
        assert event["process_kprobe"]["process"]["pid"] == daemon.process.pid, event
        assert event["process_kprobe"]["action"] == "KPROBE_ACTION_POST", event  # nothing was done, and nothing else is said
        assert counts(daemon, "suicide").get("signal") is None, counts(daemon, "suicide")


@sensor
def test_as_many_actions_as_one_call_can_have(env):
    """The kernel ends a run after 33 tail calls: all that was loaded is done up to there, and what would come after is refused."""
    number, harmless = MARK + 60, "{action: Signal, argSig: 18}"
    text = {f"many-{n}": on_getsid(f"many-{n}", number, ", ".join([harmless] * 3), backend("syscall-tracepoint")) for n in range(6)}
    text["last"] = on_getsid("last", number, harmless, backend("syscall-tracepoint"))  # 6 * (1 + 3 + 1) + (1 + 1 + 1)
    beyond = on_getsid("beyond", number, "{action: Post}", backend("syscall-tracepoint"))
    with env.daemon() as daemon:
        for one in text.values():
            add(env, daemon, one)
        refused = add(env, daemon, beyond, check=False)
        assert refused.returncode != 0, refused.stdout
        assert "on the entry of system call number" in refused.stderr and "would be 34 programs" in refused.stderr, refused.stderr
        daemon.tetra("tracingpolicy", "delete", "beyond")
        pid, how = attempt(asks(number))
        assert how == "done", how
        for name in text:
            assert actions_of(daemon, name, pid) == ["SIGNAL"], name
            assert int(counts(daemon, name)["signal"]) == (1 if name == "last" else 3), (name, counts(daemon, name))
        listed = daemon.tetra("tracingpolicy", "list", "-o", "json").stdout
        assert "actions lost" not in listed, listed
        # With room again, there is no need to start anew.
        daemon.tetra("tracingpolicy", "delete", "many-0")
        add(env, daemon, beyond)
        pid, how = attempt(asks(number))
        assert (how, actions_of(daemon, "beyond", pid), actions_of(daemon, "last", pid)) == ("done", ["POST"], ["SIGNAL"])


@sensor
def test_pid_1_is_spared(env):
    """It gets an orphan to wait for, by a call that a policy kills for. (The kernel would not kill it either, but say so.)"""
    hooks = "".join(f"""
  - call: sys_{call}
    syscall: true
    selectors:
    - matchPIDs: [{{operator: In, followForks: false, isNamespacePID: false, values: [1]}}]
      matchActions: [{KILL}]
""" for call in ("wait4", "waitid", "rt_sigreturn"))
    with env.daemon() as daemon:
        add(env, daemon, policy("regicide", f"  kprobes:{hooks}"))

        def orphan():
            if os.fork() == 0:
                time.sleep(0.2)
                os._exit(0)

        def hit():
            attempt(orphan)
            time.sleep(0.3)
            return daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == "regicide")
        try:
            event = eventually(hit, "")[0]["process_kprobe"]
        except AssertionError:
            if "TETRAGON_TEST_IN_VM" in os.environ:
                raise
            raise Skip("pid 1 of this machine does not wait for orphans by these calls") from None
        assert event["process"]["pid"] == 1 and event["action"] == "KPROBE_ACTION_POST", event
        listed = daemon.tetra("tracingpolicy", "list", "-o", "json").stdout
        assert "actions kept from pid 1 and from the daemon" in listed, listed
        assert counts(daemon, "regicide").get("signal") is None, counts(daemon, "regicide")


@sensor
def test_return_actions(env):
    number = MARK + 700
    with env.daemon() as daemon:
        add(env, daemon, policy("at-return", f"""
  options: [{backend("syscall-tracepoint")}]
  kprobes:
  - call: sys_getsid
    syscall: true
    return: true
    args: [{{index: 0, type: int}}]
    returnArg: {{index: 0, type: int}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchReturnArgs: [{{operator: Equal, values: ["-3"]}}]
      matchReturnActions: [{SIGNAL}]
"""))
        pid, end = attempt(asks(number))
        assert end == "SIGUSR1", end
        event = eventually(lambda: daemon.events.find(lambda e: e.get("process_kprobe", {}).get("process", {}).get("pid") == pid),
                           "no event of the return")[0]["process_kprobe"]
        assert event["return_action"] == "KPROBE_ACTION_SIGNAL" and event["action"] == "KPROBE_ACTION_POST", event
        assert event["return"]["int_arg"] == -3, event


@sensor
def test_several_actions(env):
    """The last one that ran is what the event says; NoPost acts without an event."""
    with env.daemon() as daemon:
        add(env, daemon, on_getsid("both", MARK + 800, f"{SIGNAL}, {KILL}", backend("syscall-tracepoint")))
        add(env, daemon, on_getsid("silent", MARK + 801, f"{KILL}, {{action: NoPost}}", backend("syscall-tracepoint")))
        pid, end = attempt(asks(MARK + 800))
        assert end in ("SIGKILL", "SIGUSR1") and actions_of(daemon, "both", pid) == ["SIGKILL"], end
        pid, end = attempt(asks(MARK + 801))
        assert end == "SIGKILL" and actions_of(daemon, "silent", pid) == [], end
        listed = json.loads(daemon.tetra("tracingpolicy", "list", "-o", "json").stdout)["policies"]
        assert {one["name"] for one in listed} == {"both", "silent"}
        assert syscall("getsid", MARK + 802) == -1


@sensor
def test_disabled_policy_enforces_nothing(env):
    number = MARK + 850
    for way in ("syscall-tracepoint", "raw"):
        name, kind = f"disabled-{way}", "process_tracepoint" if way == "raw" else "process_kprobe"
        text = on_getsid(name, number, KILL, backend(way)) if way != "raw" else raw_tracepoint(name, number, KILL)
        if way == "raw" and os.uname().machine != "x86_64":
            continue
        with env.daemon() as daemon:
            add(env, daemon, text)
            assert attempt(asks(number))[1] == "SIGKILL"
            for _ in range(2):
                daemon.tetra("tracingpolicy", "disable", name)
                pid, end = attempt(asks(number))
                assert end == "done", end
                daemon.tetra("tracingpolicy", "enable", name)
                killed, end = attempt(asks(number))
                assert end == "SIGKILL", end
                assert actions_of(daemon, name, killed, kind) == ["SIGKILL"]
                assert actions_of(daemon, name, pid, kind) == []
