# SPDX-License-Identifier: Apache-2.0
"""tracepoints: classic ones by their record, raw ones by their arguments, system call numbers by lists."""

from tracepoint_hooks import Hooks, arg, by_calls, policy
from lib import requires, sensor
from lib.features import TRACEFS


def fields(subsystem: str, event: str) -> list[str]:
    """Names in the order of the format file, which is how policies count them."""
    lines = (TRACEFS / "events" / subsystem / event / "format").read_text().splitlines()
    return [line.split(";")[0].split()[-1].split("[")[0] for line in lines if line.strip().startswith("field:")]


@sensor
@requires("tracefs", "syscall_tracepoints")
def test_classic(env):
    rename = fields("task", "task_rename")
    execs = fields("sched", "sched_process_exec")
    hooks = Hooks(
        env,
        policy("rename", "tracepoints", {
            "subsystem": "task", "event": "task_rename", "selectors": [by_calls(env)],
            "args": [arg(rename.index("newcomm"), "auto"), arg(rename.index("oom_score_adj"), "auto")]}),
        policy("exec", "tracepoints", {
            "subsystem": "sched", "event": "sched_process_exec",
            "args": [arg(execs.index("filename"), "auto"), arg(execs.index("pid"), "int32")],
            "selectors": [{"matchArgs": [{"index": execs.index("filename"), "operator": "Postfix", "values": ["/calls"]}]}]}),
        policy("numbers", "tracepoints", {
            "subsystem": "raw_syscalls", "event": "sys_enter", "args": [arg(4, "syscall64"), arg(5, "auto")],
            "selectors": [{**by_calls(env),
                           "matchArgs": [{"index": 4, "operator": "InMap", "values": ["list:some"]}]}]},
            lists=[{"name": "some", "type": "syscalls", "values": ["sys_getpgid", "sys_writev"]}]))
    run = hooks.run()
    rename = run.one("rename")
    assert rename["subsys"] == "task" and rename["event"] == "task_rename", rename
    assert rename["args"][0] == {"string_arg": "calls-renamed"}, rename
    executed = run.one("exec")
    assert executed["args"] == [{"string_arg": str(env.program("calls"))}, {"int_arg": run.pid}], executed
    numbers = [e["args"][0]["syscall_id"] for e in run.of("numbers")]
    assert len(numbers) == 2 and len({n["abi"] for n in numbers}) == 1, numbers
    # An array of integers is its elements: writev with two pieces.
    writes = [e["args"] for e in run.of("numbers") if e["args"][1:4][-1] == {"size_arg": "2"}]
    assert len(writes) == 1 and [list(one) for one in writes[0][1:]] == [["size_arg"]] * 6, writes
    for name in ("rename", "exec", "numbers"):
        hooks.delete(name)
    hooks.wait_idle()


@sensor
def test_raw(env):
    hooks = Hooks(
        env,
        policy("raw", "tracepoints", {
            "subsystem": "raw_syscalls", "event": "sys_enter", "raw": True, "args": [arg(1, "syscall64")],
            "selectors": [{**by_calls(env), "matchArgs": [{"index": 1, "operator": "InMap", "values": ["list:some"]}]}]},
            lists=[{"name": "some", "type": "syscalls", "values": ["sys_getpgid", "sys_writev"]}]),
        policy("binprm", "tracepoints", {
            "subsystem": "sched", "event": "sched_process_exec", "raw": True, "args": [arg(2, "linux_binprm")],
            "selectors": [{"matchArgs": [{"index": 2, "operator": "Postfix", "values": ["/calls"]}]}]}))
    run = hooks.run()
    assert len(run.of("raw")) == 2, run.events
    assert run.one("binprm")["args"][0]["linux_binprm_arg"]["path"] == str(env.program("calls")), run.events
    for name in ("raw", "binprm"):
        hooks.delete(name)
    hooks.wait_idle()
