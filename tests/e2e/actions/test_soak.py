# SPDX-License-Identifier: Apache-2.0
"""A policy that enforces, added and deleted again and again: nothing of it stays, neither in the kernel nor in the daemon."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from acting import MARK, asks, attempt, backend, eventually
from lib import Skip, scaled, sensor, timeout
from lib.policies import policy

NUMBER = MARK + 22000
GETSID = 124 if os.uname().machine == "x86_64" else 156
KINDS = ("prog", "map", "link")
WARM_UP = 100
GROWTH_KB = 2048


def enforcing(name: str, number: int) -> str:
    """System calls by their tracepoint and a raw tracepoint: two dispatchers, four actions."""
    actions = '[{action: Post, rateLimit: "1m", rateLimitScope: global}, {action: Sigkill}]'
    return policy(name, f"""
  options: [{backend("syscall-tracepoint")}]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{{index: 0, type: int}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: {actions}
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 0, type: int64, resolve: di}}, {{index: 1, type: int64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number + 1}"]}}, {{index: 1, operator: Equal, values: ["{GETSID}"]}}]
      matchActions: {actions}
""")


def listed(kind: str) -> list[dict]:
    return json.loads(subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=True).stdout)


def shared_maps(daemon) -> set[int]:
    """Those that the daemon holds while no policy is loaded."""
    found = set()
    for path in Path(f"/proc/{daemon.process.pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except FileNotFoundError:
            continue
        found.update(int(line.split()[1]) for line in lines if line.startswith("map_id:"))
    return found


def of_daemon(maps: set[int]) -> dict[str, set[int]]:
    """By the kernel's own lists: what works on these maps. Another daemon on the machine does not count."""
    programs = [one for one in listed("prog") if maps & set(one.get("map_ids", []))]
    numbers = {one["id"] for one in programs}
    there = {one["id"] for one in listed("map")}
    return {"prog": numbers,
            "map": ({number for one in programs for number in one["map_ids"]} | maps) & there,
            "link": {one["id"] for one in listed("link") if one.get("prog_id") in numbers}}


def memory(daemon) -> dict[str, int]:
    """In kB: all that is mapped, and what is the daemon's own. It drops what only compiling needs after 10 s: then the
    figures say most, in the long version."""
    if os.environ.get("TETRAGON_TEST_SLOW"):
        time.sleep(15)
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) for name in ("VmRSS", "RssAnon")} | {
        "fds": len(os.listdir(f"/proc/{daemon.process.pid}/fd")), "threads": int(lines["Threads"])}


def cycles(daemon, file: Path, number: int, every: int) -> None:
    for n in range(number):
        daemon.tetra("tracingpolicy", "add", file)
        if n % every == 0:
            for asked in (NUMBER, NUMBER + 1):
                assert attempt(asks(asked))[1] == "SIGKILL", (n, asked)
        daemon.tetra("tracingpolicy", "delete", "soak")
        if n % every == 0:
            assert attempt(asks(NUMBER))[1] == attempt(asks(NUMBER + 1))[1] == "done", n


@sensor
@timeout(900)
def test_added_and_deleted(env):
    if shutil.which("bpftool") is None:
        raise Skip("no bpftool")
    if os.environ.get("TETRAGON_TEST_IN_VM"):
        raise Skip("too slow in a guest, and no matter of the kernel's version")
    rounds = 1000 if os.environ.get("TETRAGON_TEST_SLOW") else scaled(100, 20)
    warm_up = min(WARM_UP, rounds)
    file = env.tmp / "soak.yaml"
    file.write_text(enforcing("soak", NUMBER))
    with env.daemon() as daemon:
        # Maps that all policies share, and the dispatcher of system calls, come with the first one and stay.
        cycles(daemon, file, warm_up, 20)
        maps = shared_maps(daemon)
        before = eventually(lambda: settled(maps), "no two equal lists")
        # Else the lists would not show what is left.
        daemon.tetra("tracingpolicy", "add", file)
        assert all(len(after) > len(before[kind]) for kind, after in of_daemon(maps).items()), (before, of_daemon(maps))
        daemon.tetra("tracingpolicy", "delete", "soak")
        begin = memory(daemon)
        since = time.monotonic()
        cycles(daemon, file, rounds, 20)
        seconds, end = time.monotonic() - since, memory(daemon)
        print(f"    {rounds} cycles, {seconds * 1000 / rounds:.0f} ms each; {', '.join(f'{len(before[kind])} {kind}s' for kind in KINDS)}; "
              + "; ".join(f"{name} {begin[name]} -> {end[name]}" for name in begin), flush=True)
        assert shared_maps(daemon) == maps
        eventually(lambda: of_daemon(maps) == before, "left in the kernel: " + str(
            {kind: sorted(of_daemon(maps)[kind] ^ before[kind]) for kind in KINDS}))
        assert end["fds"] == begin["fds"] and end["threads"] <= begin["threads"] + 1, (begin, end)
        assert end["RssAnon"] - begin["RssAnon"] <= GROWTH_KB and end["VmRSS"] - begin["VmRSS"] <= GROWTH_KB, (begin, end)


def settled(maps: set[int]) -> dict[str, set[int]] | None:
    """The kernel frees programs a moment after the last who used them."""
    first = of_daemon(maps)
    time.sleep(0.3)
    return first if of_daemon(maps) == first else None
