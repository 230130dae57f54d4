# SPDX-License-Identifier: Apache-2.0
"""Processes that run already when the daemon starts, and those that come while it does."""

import os
import subprocess
import time

from lib import TIME_SCALE, exec_id, exec_id_parts, scaled, sensor, spawn, timeout
from lib.events import pid_of
from lib.workload import check_graph, compare, run_workload


def running() -> dict[int, int]:
    """pid -> parent of all processes, kernel threads left out."""
    processes = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()
            except OSError:
                continue
            if fields[0] not in (b"Z", b"X") and not int(fields[6]) & 0x00200000:  # PF_KTHREAD
                processes[int(name)] = int(fields[1])
    return processes


def by_pid(events) -> dict[int, list[dict]]:
    found = {}
    for event in events:
        if "process_exec" in event and "procFS" in event["process_exec"]["process"]["flags"].split():
            found.setdefault(event["process_exec"]["process"].get("pid", 0), []).append(event["process_exec"])
    return found


@sensor
def test_running_processes(env):
    """Each process once, the kernel as pid 0, kernel threads not as events; parents as /proc has them."""
    lines = ["first argument", "b"]
    child = spawn([env.program("exitor"), "pause", *lines], cwd=env.tmp)
    nested = subprocess.Popen(["/bin/sh", "-c", f"{env.program('exitor')} read in shell; :"], stdin=subprocess.PIPE)
    try:
        before = running()
        with env.daemon() as daemon:
            after = running()
            # The scan is over when something that came later is seen.
            marker = spawn([env.program("exitor"), "exit", "0"])
            marker.wait()
            daemon.events.wait_exec(marker.pid)
            found = by_pid(daemon.events.all)
            node = daemon.events.all[0]["node_name"]
            doubled = {pid: events for pid, events in found.items() if len(events) != 1}
            assert not doubled, doubled
            missing = {pid for pid in before if after.get(pid) == before[pid]} - found.keys()
            missing.discard(daemon.process.pid)
            assert not missing, (missing, [(pid, open(f"/proc/{pid}/cmdline").read()) for pid in missing])
            for pid, parent in before.items():
                if after.get(pid) == parent and pid in found and pid != daemon.process.pid:
                    assert found[pid][0]["parent"]["pid"] == parent, found[pid]
                    assert found[pid][0]["parent"]["binary"], found[pid]
            assert found[0][0]["process"]["binary"] == "<kernel>", found[0]
            assert found[0][0]["process"]["exec_id"] == exec_id(node, 1, 0) == found[0][0]["process"]["parent_exec_id"], found[0]
            threads = found.keys() - before.keys() - after.keys() - {0}
            kernel = [found[pid] for pid in threads if found[pid][0]["parent"]["pid"] == 2 or pid == 2]
            assert not kernel, kernel[:3]

            process = found[child.pid][0]["process"]
            assert process["binary"] == str(env.program("exitor")) and process["cwd"] == str(env.tmp), process
            assert process["arguments"] == 'pause "first argument" b', process
            assert exec_id_parts(process["exec_id"])[2] == child.pid, process
            inner = next(pid for pid, parent in after.items() if parent == nested.pid)
            assert found[inner][0]["process"]["parent_exec_id"] == found[nested.pid][0]["process"]["exec_id"], found[inner]

            # What they do from now on is told with the identity of the scan.
            os.kill(child.pid, 9)
            child.wait()
            end = daemon.events.wait_exit(child.pid)
            assert end["process"]["exec_id"] == process["exec_id"] and end["signal"] == "SIGKILL", end
            nested.communicate(b"", timeout=30)
            end = daemon.events.wait_exit(inner)
            assert end["process"]["exec_id"] == found[inner][0]["process"]["exec_id"], end
            assert not daemon.events.execs(child.pid)[1:], daemon.events.execs(child.pid)
    finally:
        nested.kill()
        nested.communicate()
        if child.status is None:
            os.kill(child.pid, 9)
            child.wait()


@sensor
def test_parent_in_the_kernel(env):
    """A kernel thread is no event of its own, but may be a parent: kthreadd's children say so."""
    with env.daemon() as daemon:
        first = daemon.events.wait_for(lambda e: "process_exec" in e and e["process_exec"]["process"].get("pid") == 1,
                                       what="the event of pid 1")["process_exec"]
        assert first["parent"]["binary"] == "<kernel>" and first["parent"].get("pid", 0) == 0, first
        daemon.events.expect_none(lambda e: "process_exec" in e and e["process_exec"]["process"].get("pid") == 2, 0.1,
                                  "event of kthreadd")


@sensor
@timeout(120)
def test_start_in_a_storm(env):
    """While processes come and go all the time: those that started after the daemon answered are all there, once; those
    that ended before it are not; of those in between each is told at most once, and parents are right."""
    command = [env.program("workload"), "100000000", "8", f"storm{os.getpid()}", env.program("exitor"), env.program("threads")]
    # Two drivers with known pids of their own; what they start is endless until they are killed.
    storms = [subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) for _ in range(2)]
    try:
        time.sleep(0.2 * TIME_SCALE)
        daemon = env.daemon("--rb-size-total=64M", "--process-cache-size=262144", start_timeout=60)
        known = run_workload(env, scaled(300, 40), parallel=8)
        # The API answers before the running processes are read.
        for storm in storms:
            daemon.events.wait_exec(storm.pid)
    finally:
        for storm in storms:
            os.killpg(storm.pid, 9)
            storm.wait()
    daemon.stop(timeout=60)
    daemon.events.poll()
    balance = daemon.balance()
    assert balance["produced"] == balance["received"] + balance["lost_ring_full"] + balance["lost_no_scratch"], balance
    if balance["lost_ring_full"] == 0:
        compare(daemon.events.all, known)
        storm_pids = {storm.pid for storm in storms}
        execs = [e["process_exec"] for e in daemon.events.all if "process_exec" in e]
        identifiers = [one["process"]["exec_id"] for one in execs]
        doubled = {one for one in identifiers if identifiers.count(one) > 1} if len(set(identifiers)) != len(identifiers) else set()
        assert not doubled, [one for one in execs if one["process"]["exec_id"] in doubled][:4]
        found = by_pid(daemon.events.all)
        for pid in storm_pids:
            told = [event for event in daemon.events.all if pid in (pid_of(event, "process_exec"), pid_of(event, "process_exit"))]
            assert len(found.get(pid, ())) == 1, (pid, told, [one for one in execs if one.get("parent", {}).get("pid") == pid][:2])
        # An exec of the same tag twice is a process told twice under two names.
        tags = {}
        for one in execs:
            arguments = one["process"].get("arguments", "").split(" ")
            if arguments[-1].startswith(f"storm{os.getpid()}-"):
                tags.setdefault((one["parent"]["pid"], *arguments), []).append(one)
        both = [ones for ones in tags.values() if len(ones) > 1]
        assert not both, both[:2]
        check_graph(daemon.events.all, allow_unknown=True)
