# SPDX-License-Identifier: Apache-2.0
"""Tracepoints by policy: raw ones by their arguments, classic ones by the fields of their record."""

import os
import subprocess

from lib import requires, sensor
from lib.policies import check_loaded, child, folder_of, hit, hits, policy, states, syscall

FOLDER: list[str] = []
KIND = "process_tracepoint"

RAW = [policy("raw-exec", """
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    message: "an exec"
    args:
    - {index: 0, type: string, resolve: comm}
    - {index: 0, type: int, resolve: real_parent.tgid}
    - {index: 1, type: int}
    - {index: 2, type: linux_binprm}
    - {index: 2, type: int, resolve: argc}
    selectors:
    - matchArgs: [{index: 2, operator: Postfix, values: ["/true", "/true.tetragon"]}]
"""), policy("raw-enter", """
  lists:
  - {name: calls, type: syscalls, values: [sys_getsid, sys_getpriority]}
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args:
    - {index: 0, type: int64, resolve: di}
    - {index: 1, type: syscall64}
    selectors:
    - matchArgs:
      - {index: 1, operator: InMap, values: ["list:calls"]}
      - {index: 0, operator: Equal, values: ["7660001"]}
""" if os.uname().machine == "x86_64" else """
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{index: 1, type: syscall64}]
    selectors:
    - matchArgs: [{index: 1, operator: Equal, values: ["156"]}]
"""), policy("raw-exit", """
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_exit
    raw: true
    args: [{index: 1, type: int64}]
    selectors:
    - matchArgs: [{index: 1, operator: Equal, values: ["-3"]}]
""")]
CLASSIC = [policy("classic-exec", """
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    args: [{index: 4}, {index: 5, type: int}]
    selectors:
    - matchArgs: [{index: 4, operator: Postfix, values: ["/true"]}]
"""), policy("classic-enter", """
  lists:
  - {name: calls, type: syscalls, values: [sys_getsid]}
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    args: [{index: 4, type: syscall64}]
    selectors:
    - matchArgs: [{index: 4, operator: InMap, values: ["list:calls"]}]
""")]


def daemon_of(env):
    if not FOLDER:
        from lib.features import probe
        FOLDER.append(folder_of(RAW + CLASSIC * probe("syscall_tracepoints")[0]))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


@sensor
def test_loaded(env):
    check_loaded(daemon_of(env))


@sensor
def test_raw_arguments(env):
    process = subprocess.Popen(["/bin/true", "one", "two"])
    process.wait()
    event = hit(daemon_of(env), "raw-exec", process.pid, kind=KIND)
    assert (event["subsys"], event["event"], event["message"]) == ("sched", "sched_process_exec", "an exec"), event
    assert event["args"][0]["string_arg"] == "true" and event["args"][1]["int_arg"] == os.getpid(), event
    assert event["args"][2]["int_arg"] == process.pid and event["args"][4]["int_arg"] == 3, event
    assert event["args"][3]["linux_binprm_arg"]["path"].endswith("/true"), event


@sensor
def test_raw_syscalls(env):
    daemon = daemon_of(env)
    pid = child(lambda: (syscall("getsid", 7660001), syscall("getsid", 7660002), syscall("getpgid", 7660001)))
    event, = hits(daemon, "raw-enter", pid, KIND)[:1]
    call = next(arg["syscall_id"] for arg in event["args"] if "syscall_id" in arg)
    assert call == {"x86_64": {"id": 124, "abi": "x64"}, "aarch64": {"id": 156, "abi": "arm64"}}[os.uname().machine], event
    returned = hits(daemon, "raw-exit", pid, KIND)
    assert [found["args"][0]["long_arg"] for found in returned] == ["-3"] * 3, returned


@requires("bpf", "btf", "ringbuf", "syscall_tracepoints")
def test_fields(env):
    daemon = daemon_of(env)
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    event = hit(daemon, "classic-exec", process.pid, kind=KIND)
    assert event["args"][0]["string_arg"] == "/bin/true" and event["args"][1]["int_arg"] == process.pid, event
    pid = child(lambda: (syscall("getsid", 7660002), syscall("getpgid", 7660001)))
    event, = hits(daemon, "classic-enter", pid, KIND)
    assert event["args"][0]["syscall_id"]["abi"] in ("x64", "arm64"), event


def opens(name: str, type_: str, operator: str = "Equal") -> str:
    return policy(name, f"""
  tracepoints:
  - subsystem: syscalls
    event: sys_enter_openat
    args: [{{index: 6{type_}}}]
    selectors:
    - matchArgs: [{{index: 6, operator: {operator}, values: ["/no/such/file"]}}]
""")


@requires("tracefs", "syscall_tracepoints")
def test_raceable_is_listed(env):
    """A decision on user memory: also when the type is the tracepoint's own."""
    quiet = opens("numbers", "").replace("index: 6", "index: 7").replace("/no/such/file", "7660201")
    with env.daemon(policies=[opens("written", ", type: string"), opens("auto", ""), quiet]) as daemon:
        notes = {name: one["info"].count("raceable: tracepoints[0] decides on user memory") for name, one in states(daemon).items()}
        assert notes == {"written": 1, "auto": 1, "numbers": 0}, notes
        assert daemon.log().count("raceable: the memory behind") == 2


@sensor
def test_raceable_calls_are_listed(env):
    text = policy("call", """
  kprobes:
  - call: sys_openat
    args: [{index: 1, type: string}]
    selectors:
    - matchArgs: [{index: 1, operator: Equal, values: ["/no/such/file"]}]
""")
    with env.daemon(policies=[text]) as daemon:
        assert "raceable: kprobes[0] decides on user memory" in states(daemon)["call"]["info"]
