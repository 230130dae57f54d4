# SPDX-License-Identifier: Apache-2.0
"""More than can be taken: nothing breaks, and what is missing is counted and said."""

import os
import subprocess
import time
from pathlib import Path

from lib import Skip, TIME_SCALE, scaled, sensor, spawn, timeout
from lib.stream import Stream
from lib.workload import run_workload


def storm(env, daemon, seconds: float):
    """Many more records than a small buffer holds, of the largest kind."""
    script = f"i=0; while [ $i -lt {scaled(400, 60)} ]; do {env.program('exitor')} exit 0 {'x' * 15000} & i=$((i+1)); done; wait"
    shells = [subprocess.Popen(["/bin/sh", "-c", script]) for _ in range(2)]
    run_workload(env, scaled(2000, 200), parallel=32)
    for shell in shells:
        shell.wait(seconds * TIME_SCALE)
    assert daemon.alive(), daemon.log_tail()


@sensor
@timeout(90)
def test_full_ring_buffer(env):
    daemon = env.daemon("--rb-size-total=4096")
    # The daemon stands still, as it would on an overloaded machine: only then is it certain that there is a loss.
    os.kill(daemon.process.pid, 19)
    try:
        storm(env, daemon, 60)
    finally:
        os.kill(daemon.process.pid, 18)
    last = spawn([env.program("exitor"), "exit", "0", "last"])
    last.wait()
    daemon.events.wait_for(lambda e: "lost_events" in e, what="notice of the loss in the stream")
    wait_for_log(daemon, "events lost: the ring buffer was full")
    assert daemon.stop() == 0
    daemon.events.poll()
    balance = daemon.balance()
    lost = balance["lost_ring_full"] + balance["lost_no_scratch"]
    assert lost > 0, balance
    assert balance["produced"] == balance["received"] + lost, balance
    told = [event["lost_events"] for event in daemon.events.all if "lost_events" in event]
    assert sum(int(one["count"]) for one in told) == lost, (told[:5], balance)
    assert {one["cause"] for one in told} == {"ring_buffer_full"}, told[:5]


@sensor
@timeout(90)
def test_after_an_overflow(env):
    """When the storm is over all is as before: processes that came meanwhile are not mixed up with later ones."""
    daemon = env.daemon("--rb-size-total=4096")
    os.kill(daemon.process.pid, 19)
    try:
        run_workload(env, scaled(1000, 200), parallel=8)
    finally:
        os.kill(daemon.process.pid, 18)
    daemon.events.wait_for(lambda e: "lost_events" in e, what="notice of the loss in the stream")
    for number in range(5):
        child = spawn([env.program("exitor"), "exit", str(number), "after"])
        child.wait()
        start, end = daemon.events.wait_exec(child.pid), daemon.events.wait_exit(child.pid)
        assert start["parent"]["pid"] == os.getpid() and end["status" if number else "process"], (start, end)
        assert start["process"]["exec_id"] == end["process"]["exec_id"], (start, end)
        # The next one is started when this one is through: a buffer this small is never full by one process.


@sensor
@timeout(120)
def test_full_process_map(env):
    """No room for new processes in the kernel: events still come, parents are found by their pid, the state is told, and
    it ends when there is room again."""
    kept = 160
    # Kernel threads have entries too, so it depends on the machine what is too small.
    entries = sum(name.isdigit() for name in os.listdir("/proc")) + 60
    daemon = env.daemon(f"--execve-map-entries={entries}", "--rb-size-total=8M")
    children = [spawn([env.program("exitor"), "pause", "kept"]) for _ in range(kept)]
    try:
        for child in children:
            event = daemon.events.wait_exec(child.pid)
            assert event["process"]["pid"] == child.pid and event["process"]["arguments"] == "pause kept", event
            assert event.get("parent", {}).get("pid") == os.getpid(), event
        wait_for_log(daemon, "process map is full")
    finally:
        for child in children:
            os.kill(child.pid, 9)
            child.wait()
    for child in children:
        end = daemon.events.wait_exit(child.pid)
        assert end["signal"] == "SIGKILL", end
    wait_for_log(daemon, "has room again", 30)
    child = spawn([env.program("exitor"), "exit", "3"])
    child.wait()
    start, end = daemon.events.wait_exec(child.pid), daemon.events.wait_exit(child.pid)
    assert start["process"]["exec_id"] == end["process"]["exec_id"], (start, end)
    assert daemon.stop() == 0
    balance = daemon.balance()
    assert balance["process_map_full"] > 0 and balance["produced"] == balance["received"], balance


def process_map_entries(daemon) -> int:
    """Of the hash with pids as keys and the largest values among the daemon's."""
    best = (0, 0)
    for path in Path(f"/proc/{daemon.process.pid}/fdinfo").iterdir():
        info = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
        if info.get("map_type") == "1" and info.get("key_size") == "4":
            best = max(best, (int(info["value_size"]), int(info["max_entries"])))
    return best[1]


@sensor
def test_process_map_holds_all_processes(env):
    """Whatever the machine runs, the map is not full: what selectors on binaries decide does not depend on a fork bomb."""
    limits = [int(Path("/proc/sys/kernel", name).read_text()) for name in ("pid_max", "threads-max")]
    assert process_map_entries(env.daemon()) == max(32768, min(1 << 20, *limits)), limits
    small = env.daemon("--execve-map-entries=300")
    assert process_map_entries(small) == 300
    wait_for_log(small, "smaller than what this kernel can have")


def wait_for_log(daemon, text: str, seconds: float = 15, again=lambda: None) -> None:
    deadline = time.monotonic() + seconds * TIME_SCALE
    while text not in daemon.log():
        again()
        if time.monotonic() > deadline:
            raise AssertionError(f"'{text}' is not in the log within {seconds * TIME_SCALE:.0f} s:\n{daemon.log_tail()}")
        time.sleep(0.05)


@sensor
@timeout(60)
def test_slow_disk(env):
    """An export file on a full file system: the loss is counted, other readers go on, and so does the file when there is
    room again."""
    place = env.tmp / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True).returncode:
        raise Skip("cannot mount a small tmpfs")
    try:
        daemon = env.daemon(export_filename=str(place / "events.json"))
        run_workload(env, scaled(400, 100), parallel=8)
        with Stream(daemon, env.tmp, "-e", "PROCESS_EXEC") as stream:
            stream.wait(lambda line: "on a full disk" in line,
                        again=lambda: spawn([env.program("exitor"), "exit", "0", "on a full disk"]).wait())
        wait_for_log(daemon, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        spawn([env.program("exitor"), "exit", "0", "room again"]).wait()
        daemon.events.wait_for(lambda e: "room again" in e.get("process_exec", {}).get("process", {}).get("arguments", ""),
                               what="event written after the disk had room again")
        wait_for_log(daemon, "events are written again", again=lambda: spawn([env.program("exitor"), "exit", "0"]).wait())
        assert daemon.stop() == 0
    finally:
        subprocess.run(["umount", "-l", place], check=False)
