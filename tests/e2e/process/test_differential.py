# SPDX-License-Identifier: Apache-2.0
"""Every process of a large mixed workload, compared with what wait(2) told of it; then the same events out of a recording."""

import json
import re
import subprocess
from datetime import datetime

from lib import scaled, sensor, timeout
from lib.workload import Problems, check_graph, compare, run_shells, run_workload

# All of a workload fits: losing nothing is part of what is tested.
RING = "--rb-size-total=32M"


def run_all(env, daemon) -> list:
    known = run_workload(env, scaled(2000, 80), parallel=24)
    known += run_shells(env, scaled(40, 4))
    assert daemon.alive()
    code = daemon.stop()
    assert code == 0, code
    daemon.events.poll()
    return known


def check_balance(daemon) -> None:
    balance = daemon.balance()
    assert balance["produced"] == balance["received"] and balance["produced"] > 0, balance
    for name in ("lost_ring_full", "lost_no_scratch", "process_map_full", "undecodable"):
        assert balance[name] == 0, balance
    assert balance["published"] == len(daemon.events.all), (balance, len(daemon.events.all))


def comparable(event: dict) -> dict:
    """Without the user-space cache's counter, which depends on what else it holds."""
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(part) for key, part in value.items() if key != "refcnt"}
        return [strip(part) for part in value] if isinstance(value, list) else value
    return strip(event)


def same_time(left, right) -> bool:
    """A recording has the clock of its beginning; the daemon follows the wall clock when it is set or slewed."""
    try:
        # Nanoseconds are more than Python's parser takes.
        times = [datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text.removesuffix("Z"))) for text in (left, right)]
    except (AttributeError, ValueError):
        return False
    return abs((times[0] - times[1]).total_seconds()) < 0.1


def differences(left, right, path: str = "") -> str:
    """Only what is not the same, with its place."""
    if isinstance(left, dict) and isinstance(right, dict):
        parts = [differences(left.get(key), right.get(key), f"{path}.{key}") for key in sorted(left.keys() | right.keys())]
        return " ".join(part for part in parts if part)
    return "" if left == right or same_time(left, right) else f"{path} was {str(left)[:200]} and is {str(right)[:200]};"


def identity(event: dict) -> tuple[str, str]:
    kind = next(key for key in event if key.startswith("process_"))
    return kind, event[kind]["process"]["exec_id"]


@sensor
@timeout(90)
def test_every_process_once(env):
    daemon = env.daemon(RING, "--process-cache-size=262144")
    known = run_all(env, daemon)
    check_balance(daemon)
    compare(daemon.events.all, known)
    # Of other processes of this machine some ended before the daemon could know them.
    check_graph(daemon.events.all, allow_unknown=True)


@sensor
@timeout(90)
def test_small_cache(env):
    """Ended processes are forgotten early, and nothing becomes wrong by it."""
    daemon = env.daemon(RING, "--process-cache-size=300", "--process-cache-gc-interval=1s")
    known = run_workload(env, scaled(1000, 80), parallel=4)
    daemon.stop()
    daemon.events.poll()
    compare(daemon.events.all, known)


@sensor
@timeout(120)
def test_recording(env):
    """--record, then --replay and tetra replay: the same events, field by field."""
    recording = env.tmp / "recording"
    daemon = env.daemon(RING, f"--record={recording}", "--enable-process-cred", "--enable-process-ns")
    known = run_workload(env, scaled(600, 80), parallel=8)
    env.run("/bin/echo", "x" * 100000, "long and separate")
    daemon.stop()
    daemon.events.poll()
    live = daemon.events.all
    compare(live, known)
    assert recording.stat().st_mode & 0o777 == 0o600, oct(recording.stat().st_mode)

    replayed = env.run(daemon.binary, "--replay", recording, "--enable-process-cred", "--enable-process-ns",
                       "--log-level=warn", timeout=60).stdout
    again = [json.loads(line) for line in replayed.splitlines() if line.startswith("{")]
    compare(again, known)
    problems = Problems()
    first, second = {identity(e): comparable(e) for e in live}, {identity(e): comparable(e) for e in again}
    for key in sorted(first.keys() | second.keys()):
        different = differences(first.get(key), second.get(key))
        problems.add(not different, f"{key}: {different}")
    problems.check()
    assert len(again) == len(live), (len(again), len(live))

    lines = env.run(daemon.tetra_binary, "replay", recording, timeout=60).stdout.splitlines()
    assert sorted(identity(json.loads(line)) for line in lines) == sorted(first), len(lines)
    compact = env.run(daemon.tetra_binary, "replay", recording, "-o", "compact", "--color=never", "-e", "PROCESS_EXIT",
                      timeout=60).stdout.splitlines()
    exits = sum("process_exit" in event for event in live)
    assert len(compact) == exits and all("exit" in line for line in compact), (len(compact), exits)
    # The export filters apply to a replay as to a live stream.
    filtered = env.run(daemon.binary, "--replay", recording, '--export-allowlist={"event_set":["PROCESS_EXIT"]}',
                       "--log-level=warn", timeout=60).stdout
    assert filtered.count("\n") == exits, (filtered.count("\n"), exits)


@sensor
def test_damaged_recording(env):
    """Cut or changed: what can be read is told, then the place of the damage; never a crash."""
    recording = env.tmp / "recording"
    daemon = env.daemon(RING, f"--record={recording}")
    run_workload(env, 40)
    daemon.stop()
    data = recording.read_bytes()
    cut = env.tmp / "cut"
    for size in (0, 1, 20, 100, len(data) // 2, len(data) - 3):
        cut.write_bytes(data[:size])
        done = subprocess.run([daemon.binary, "--replay", cut], capture_output=True, text=True, timeout=60)
        # In the middle the cut may fall between two records, which is how a killed daemon leaves the file.
        assert done.returncode == 1 or size == len(data) // 2 and done.returncode == 0, (size, done.returncode, done.stderr[-500:])
        assert done.returncode == 0 or str(cut) in done.stderr, (size, done.stderr[-500:])
    for position in range(0, len(data), max(1, len(data) // scaled(40, 6))):
        cut.write_bytes(data[:position] + bytes([data[position] ^ 0xff]) + data[position + 1:])
        done = subprocess.run([daemon.binary, "--replay", cut, "--log-level=fatal"], capture_output=True, timeout=60)
        assert done.returncode in (0, 1), (position, done.returncode, done.stderr[-500:])
    missing = subprocess.run([daemon.binary, "--replay", env.tmp / "absent"], capture_output=True, text=True, timeout=60)
    assert missing.returncode == 1 and "absent" in missing.stderr + missing.stdout, missing
