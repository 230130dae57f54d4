# SPDX-License-Identifier: Apache-2.0
"""A workload in which every process is known from wait(2), and the comparison of its events with that knowledge."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Known:
    """One process as its parent saw it."""
    pid: int
    parent: int
    kind: str
    tag: str
    execs: int
    status: int


def run_workload(env, count: int, parallel: int = 16) -> list[Known]:
    """Starts count processes of all kinds of programs/workload.c."""
    tag = f"w{os.getpid()}x{os.urandom(4).hex()}"
    process = subprocess.Popen([env.program("workload"), str(count), str(parallel), tag, env.program("exitor"),
                                env.program("threads")], stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    assert process.returncode == 0, process.returncode
    known = []
    for line in output.splitlines():
        pid, kind, name, execs, status = line.split("\t")
        known.append(Known(int(pid), process.pid, kind, name, int(execs), int(status)))
    assert len(known) == count, (len(known), count)
    return known


def run_shells(env, count: int) -> list[Known]:
    """Pipelines, subshells and background jobs of a shell: pids and parents are the shell's business, status is known."""
    tag = f"s{os.getpid()}x{os.urandom(4).hex()}"
    exitor = env.program("exitor")
    script, expected = [], []

    def program(code: int) -> str:
        name = f"{tag}-{len(expected)}"
        expected.append(Known(0, 0, "shell", name, 1, code << 8))
        return f"{exitor} exit {code} {name}"
    for number in range(count):
        script.append(f"{program(number % 7)} | {program(3)} | ( {program(4)}; {program(5)} )")
        script.append(f"{program(1)} & {program(2)}; x=$({program(6)})")
        script.append(f"( {program(9)} & ) ; wait")
    path = Path(env.tmp) / f"script-{tag}"
    path.write_text("#!/bin/sh\n" + "\n".join(script) + "\nwait\n")
    path.chmod(0o755)
    # The end of the pipe is the end of the last of them, also of those the shell does not wait for.
    subprocess.run([path], check=True, stdout=subprocess.PIPE)
    return expected


def status_of(event: dict) -> tuple[str, int]:
    return event.get("signal", ""), event.get("status", 0)


def expected_status(status: int) -> tuple[str, int]:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name, 0
    return "", os.WEXITSTATUS(status)


class Problems(list):
    """Collected, so that a failure shows what they have in common."""

    def add(self, condition: bool, text) -> None:
        if not condition:
            self.append(str(text() if callable(text) else text)[:400])

    def check(self) -> None:
        assert not self, f"{len(self)} problems, the first:\n" + "\n".join(self[:10])


def compare(events: list[dict], known: list[Known]) -> None:
    """Each exec and each exit exactly once, with the right parent, status and arguments."""
    problems = Problems()
    execs, exits, exits_of_pid = {}, {}, {}
    for event in events:
        if "process_exec" in event:
            member = event["process_exec"]
            execs.setdefault(member["process"].get("arguments", "").rsplit(" ", 1)[-1], []).append(member)
        elif "process_exit" in event:
            member = event["process_exit"]
            exits.setdefault(member["process"].get("arguments", "").rsplit(" ", 1)[-1], []).append(member)
            exits_of_pid.setdefault(member["process"].get("pid"), []).append(member)
    for process in known:
        started, ended = execs.get(process.tag, []), exits.get(process.tag, [])
        problems.add(len(started) == process.execs, f"{process}: {len(started)} exec events")
        if process.execs == 0:
            ended = [one for one in exits_of_pid.get(process.pid, [])
                     if one["process"]["flags"] == "clone" and one["parent"]["pid"] == process.parent]
        problems.add(len(ended) == 1, f"{process}: {len(ended)} exit events")
        if len(started) != process.execs or len(ended) != 1:
            continue
        end = ended[0]
        problems.add(status_of(end) == expected_status(process.status), lambda: f"{process}: exit {status_of(end)}")
        if process.kind != "shell":
            problems.add(end["process"]["pid"] == process.pid, lambda: f"{process}: exit of {end['process']}")
        if not started:
            continue
        problems.add(end["process"]["exec_id"] == started[-1]["process"]["exec_id"], lambda: f"{process}: exit of {end['process']}")
        if process.kind != "shell":
            problems.add(started[0]["parent"]["pid"] == process.parent, lambda: f"{process}: parent {started[0]['parent']}")
        for earlier, later in zip(started, started[1:]):
            problems.add(later["process"]["parent_exec_id"] == earlier["process"]["exec_id"], lambda: f"{process}: chain {started}")
        for member in started:
            problems.add(member["process"]["pid"] == end["process"]["pid"], lambda: f"{process}: pid {member['process']}")
    problems.check()


def check_graph(events: list[dict], allow_unknown: bool = False) -> None:
    """Of the whole stream: exec_ids are unique, each parent is one that was seen, each exit has its exec.

    allow_unknown: processes that ended before the daemon could learn of them have an exit without identity."""
    problems = Problems()
    executed, ended, seen = {}, {}, set()
    members = [(kind, event[kind]) for event in events for kind in ("process_exec", "process_exit") if kind in event]
    for kind, member in members:
        process = member["process"]
        if allow_unknown and process["flags"] == "unknown":
            continue
        table = executed if kind == "process_exec" else ended
        problems.add(process["exec_id"] not in table, f"{kind} twice: {process}")
        table[process["exec_id"]] = member
        seen.add(process["exec_id"])
        parent = member.get("parent", {})
        problems.add(parent.get("exec_id") == process.get("parent_exec_id"), f"parent is not the one of parent_exec_id: {member}")
        # A clone that execs later is the parent of what it forked before, and has no event of its own till then.
        if parent.get("flags") == "clone":
            seen.add(parent["exec_id"])
    for _, member in members:
        parent = member.get("parent", {})
        # A kernel thread is no event, but may be a parent.
        quiet = parent.get("flags", "").startswith("procFS") and "cwd" in parent
        problems.add(member["process"].get("parent_exec_id") in seen or quiet or allow_unknown and not parent,
                     f"parent never seen: {member}")
    for exec_id, member in ended.items():
        problems.add(exec_id in executed or "clone" in member["process"].get("flags", ""), f"exit without exec: {member}")
    problems.check()
