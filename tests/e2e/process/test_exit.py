# SPDX-License-Identifier: Apache-2.0
"""What an exit event says: one per process, with the status that wait(2) tells, of the right image."""

import os
import signal
import subprocess

from lib import Skip, exec_id_parts, sensor, spawn


def check_exit(daemon, pid: int, status: int) -> dict:
    """The one exit event of pid, compared with what waitpid told."""
    event = daemon.events.wait_exit(pid)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        assert event.get("signal") == name and "status" not in event, (event, status)
    else:
        assert event.get("status", 0) == os.WEXITSTATUS(status) and "signal" not in event, (event, status)
    return event


def lineage(daemon, pid: int) -> list[dict]:
    """The exec events of a pid, checked to be a chain that begins with a clone."""
    execs = daemon.events.execs(pid)
    for index, event in enumerate(execs):
        assert ("clone" in event["process"]["flags"].split()) == (index == 0), event
        if index:
            assert event["process"]["parent_exec_id"] == execs[index - 1]["process"]["exec_id"], execs
            assert event["parent"]["exec_id"] == execs[index - 1]["process"]["exec_id"], execs
    return execs


def families(env, *arguments) -> tuple[int, list[str]]:
    """Runs the helper; its pid and the numbers it printed."""
    process = subprocess.Popen([env.program("families"), *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, (process.returncode, output)
    return process.pid, output.split()


@sensor
def test_status(env):
    daemon = env.shared_daemon()
    for how, value in (("exit", 0), ("exit", 7), ("exit", 255), ("signal", signal.SIGKILL), ("signal", signal.SIGTERM),
                       ("signal", signal.SIGSEGV), ("signal", signal.SIGRTMIN)):
        child = spawn([env.program("exitor"), how, str(int(value))])
        status = child.wait()
        if value == signal.SIGRTMIN:
            # No name the contract knows: told as a signal or not at all, but never as a status.
            event = daemon.events.wait_exit(child.pid)
            assert "status" not in event, event
            continue
        event = check_exit(daemon, child.pid, status)
        execution = daemon.events.wait_exec(child.pid)
        assert event["process"]["exec_id"] == execution["process"]["exec_id"], event
        assert event["process"]["binary"] == str(env.program("exitor")), event
        assert event["parent"]["pid"] == os.getpid(), event
        assert len(daemon.events.exits(child.pid)) == 1
    assert "time" in event, event


@sensor
def test_core_dump(env):
    """The core flag of the status is no part of the signal's number."""
    daemon = env.shared_daemon()
    child = spawn([env.program("exitor"), "core", str(int(signal.SIGSEGV))], cwd=env.tmp)
    status = child.wait()
    check_exit(daemon, child.pid, status)
    if not os.WCOREDUMP(status):
        raise Skip("no core is written here (core_pattern); the signal was right all the same")


@sensor
def test_leader_ends_first(env):
    """One event, when the last thread has ended, with the status the parent gets."""
    daemon = env.shared_daemon()
    child = spawn([env.program("threads"), "leader-first", "300", "7"])
    status = child.wait()
    assert os.WEXITSTATUS(status) in (7, 99)  # the leader's or, on newer kernels, the last thread's
    check_exit(daemon, child.pid, status)
    assert len(daemon.events.exits(child.pid)) == 1


@sensor
def test_thread_ends_the_process(env):
    daemon = env.shared_daemon()
    child = spawn([env.program("threads"), "group-exit", "9"])
    status = child.wait()
    assert os.WEXITSTATUS(status) == 9
    check_exit(daemon, child.pid, status)


@sensor
def test_threads_are_no_processes(env):
    daemon = env.shared_daemon()
    child = spawn([env.program("threads"), "many", "50", "4"])
    check_exit(daemon, child.pid, child.wait())
    assert len(daemon.events.execs(child.pid)) == 1 and len(daemon.events.exits(child.pid)) == 1


@sensor
def test_exec_from_a_thread(env):
    """The kernel gives the thread the leader's id; the new image follows the old one of the same pid."""
    daemon = env.shared_daemon()
    child = spawn([env.program("threads"), "exec", env.program("exitor"), "exit", "6"])
    event = check_exit(daemon, child.pid, child.wait())
    execs = lineage(daemon, child.pid)
    assert [one["process"]["binary"] for one in execs] == [str(env.program("threads")), str(env.program("exitor"))], execs
    assert execs[1]["process"]["tid"] == child.pid, execs[1]
    assert event["process"]["exec_id"] == execs[1]["process"]["exec_id"], event
    assert len(daemon.events.exits(child.pid)) == 1


@sensor
def test_exec_again_and_again(env):
    daemon = env.shared_daemon()
    child = spawn([env.program("exitor"), "again", "5", "3"])
    event = check_exit(daemon, child.pid, child.wait())
    execs = lineage(daemon, child.pid)
    assert [one["process"]["arguments"] for one in execs] == [f"again {left} 3" for left in (5, 4, 3, 2, 1, 0)], execs
    assert len({one["process"]["exec_id"] for one in execs}) == 6
    assert event["process"]["exec_id"] == execs[-1]["process"]["exec_id"], event


@sensor
def test_vfork(env):
    daemon = env.shared_daemon()
    parent, (child, status) = families(env, "vfork", env.program("exitor"), "exit", 8)
    event = check_exit(daemon, int(child), int(status))
    assert event["parent"]["pid"] == parent, event
    assert [one["process"]["binary"] for one in lineage(daemon, int(child))] == [str(env.program("exitor"))]


@sensor
def test_clone_without_exec(env):
    """No exec event; the exit event has the image it was cloned from."""
    daemon = env.shared_daemon()
    parent, (child, status) = families(env, "without-exec", 12)
    event = check_exit(daemon, int(child), int(status))
    origin = daemon.events.wait_exec(parent)["process"]
    process = event["process"]
    assert process["flags"] == "clone" and process["binary"] == str(env.program("families")), event
    assert process["arguments"] == origin["arguments"] and process["parent_exec_id"] == origin["exec_id"], event
    assert process["exec_id"] != origin["exec_id"] and exec_id_parts(process["exec_id"])[2] == int(child), event
    assert not daemon.events.execs(int(child))


@sensor
def test_daemonised(env):
    """The parent is who forked it, not who adopted it."""
    daemon = env.shared_daemon()
    first, (middle, last) = families(env, "daemonise", env.program("exitor"), "exit", 5)
    execution = daemon.events.wait_exec(int(last))
    assert execution["parent"]["pid"] == int(middle), execution
    middle_exit = daemon.events.wait_exit(int(middle))
    assert execution["process"]["parent_exec_id"] == middle_exit["process"]["exec_id"], (execution, middle_exit)
    assert middle_exit["parent"]["pid"] == first, middle_exit
    last_exit = daemon.events.wait_exit(int(last))
    assert last_exit["status"] == 5 and last_exit["process"]["exec_id"] == execution["process"]["exec_id"], last_exit


@sensor
def test_pid_reused(env):
    """The same pid several times at once: each life has its own exec_id, and its exit names it."""
    daemon = env.shared_daemon()
    times = 20
    parent, output = families(env, "reuse", times, env.program("exitor"), "reused")
    if output[0] == "refused:":
        raise Skip(" ".join(output))
    pid = int(output[0])
    exits = [e["process_exit"] for e in daemon.events.wait_count(
        lambda e: e.get("process_exit", {}).get("process", {}).get("pid") == pid
        and e["process_exit"]["process"].get("arguments", "").endswith(" reused"), times, what="exits of the reused pid")]
    execs = [one for one in daemon.events.execs(pid) if one["process"].get("arguments", "").endswith(" reused")]
    assert len(exits) == times and len(execs) == times, (len(exits), len(execs))
    for number, (execution, end) in enumerate(zip(execs, exits)):
        assert execution["process"]["arguments"] == f"exit {number} reused", execution
        assert end["process"]["exec_id"] == execution["process"]["exec_id"] and end.get("status", 0) == number, end
        assert execution["parent"]["pid"] == parent, execution
    assert len({one["process"]["exec_id"] for one in execs}) == times


@sensor
def test_zombie(env):
    """A process is over when it ends, not when somebody asks for its status."""
    daemon = env.shared_daemon()
    process = subprocess.Popen([env.program("families"), "zombie", env.program("exitor"), "exit", "11"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        child = int(process.stdout.readline())
        assert daemon.events.wait_exit(child)["status"] == 11
    finally:
        process.communicate("", timeout=60)
    daemon.events.wait_exit(process.pid)
    assert len(daemon.events.exits(child)) == 1


@sensor
def test_killed_by_its_parent(env):
    daemon = env.shared_daemon()
    child = spawn([env.program("exitor"), "pause"])
    daemon.events.wait_exec(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    check_exit(daemon, child.pid, child.wait())
