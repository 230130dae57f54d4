# SPDX-License-Identifier: Apache-2.0
"""Enforcement does not wait for anybody: it goes on when nobody reads the records, and when there is no room for one."""

import os
import signal
import subprocess
import sys

from acting import MARK, actions_of, add, asks, attempt, backend, counts, eventually, on_getsid
from lib import Skip, scaled, sensor, timeout
from lib.policies import policy

OFFENCE, NOISE = MARK + 21000, MARK + 21001
KILL = "{action: Sigkill}"
WAY = backend("syscall-tracepoint")
HAMMER = """
import ctypes, os
call, number, times = ctypes.CDLL(None).getsid, {number}, {times}
for _ in range(times): call(number)
"""


def hammer(times: int) -> subprocess.Popen:
    """Reports of a policy, as fast as one process can."""
    return subprocess.Popen([sys.executable, "-c", HAMMER.format(number=NOISE, times=times)])


def noisy() -> str:
    return policy("noisy", f"""
  options: [{WAY}]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{{index: 0, type: int}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{NOISE}"]}}]
""")


def offenders(number: int) -> None:
    """Each is hit; and who does something else is not."""
    ends = [attempt(asks(OFFENCE))[1] for _ in range(number)]
    assert ends == ["SIGKILL"] * number, [one for one in ends if one != "SIGKILL"][:5]
    assert attempt(asks(OFFENCE + 100))[1] == "done"


def load(env, daemon) -> None:
    if os.environ.get("TETRAGON_TEST_IN_VM"):
        raise Skip("too slow in a guest, and no matter of the kernel's version")
    add(env, daemon, on_getsid("strict", OFFENCE, KILL, WAY))
    add(env, daemon, noisy())


def check_counted(daemon, number: int) -> None:
    eventually(lambda: counts(daemon, "strict").get("signal") == str(number), f"{number} are not counted: {counts(daemon, 'strict')}")


@sensor
@timeout(120)
def test_full_process_map(env):
    """Those for whom there is no room in the kernel's map of processes are hit like the others."""
    entries = sum(name.isdigit() for name in os.listdir("/proc")) + 40
    with env.daemon(f"--execve-map-entries={entries}") as daemon:
        load(env, daemon)
        crowd = [subprocess.Popen([env.program("exitor"), "pause"]) for _ in range(120)]
        try:
            eventually(lambda: "process map is full" in daemon.log(), "the map is not full")
            offenders(20)
        finally:
            for one in crowd:
                one.kill()
                one.wait()
        check_counted(daemon, 20)


@sensor
@timeout(120)
def test_nobody_reads(env):
    """The daemon stands still. Afterwards all of it is reported: there was room."""
    number = scaled(200, 50)
    with env.daemon() as daemon:
        load(env, daemon)
        os.kill(daemon.process.pid, signal.SIGSTOP)
        try:
            offenders(number)
            pid = attempt(asks(OFFENCE))[0]
        finally:
            os.kill(daemon.process.pid, signal.SIGCONT)
        assert actions_of(daemon, "strict", pid) == ["SIGKILL"]
        check_counted(daemon, number + 1)


@sensor
@timeout(120)
def test_no_room_for_a_record(env):
    number = scaled(300, 50)
    daemon = env.daemon("--rb-size-total=4096")
    load(env, daemon)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        assert hammer(scaled(20000, 2000)).wait(60) == 0
        offenders(number)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    check_counted(daemon, number)
    assert daemon.stop() == 0
    balance = daemon.balance()
    # Else there was room. At most the buffer's share of the offences is told.
    assert balance["lost_ring_full"] >= number, balance
    assert balance["produced"] == balance["received"] + balance["lost_ring_full"] + balance["lost_no_scratch"], balance


@sensor
@timeout(120)
def test_in_the_middle_of_a_flood(env):
    """The daemon reads, and cannot keep up."""
    number = scaled(300, 50)
    with env.daemon("--rb-size-total=65536") as daemon:
        load(env, daemon)
        floods = [hammer(10 ** 9) for _ in range(os.cpu_count() or 1)]
        try:
            offenders(number)
        finally:
            for flood in floods:
                flood.kill()
                flood.wait()
        check_counted(daemon, number)
