# SPDX-License-Identifier: Apache-2.0
"""Post with stack traces and rate limits, on a system call that fails."""

import re
import shutil
import subprocess
import time

from lib import sensor
from lib.policies import check_loaded, child, hits, policy, syscall

CALLS = 4


def posts(name: str, number: int, action: str) -> str:
    """prctl(number, text), which is refused."""
    return policy(name, f"""
  kprobes:
  - call: sys_prctl
    args: [{{index: 0, type: int}}, {{index: 1, type: string}}]
    selectors:
    - matchArgs:
      - {{index: 0, operator: Equal, values: ["{number}"]}}
      matchActions: [{{action: Post, {action}}}]
""")


def call(number: int, text: bytes = b"text") -> None:
    syscall("prctl", number, text, 0, 0, 0)


@sensor
def test_stack_traces(env):
    daemon = env.daemon("--expose-stack-addresses", policies=[
        posts("both", 0x7d0001, "kernelStackTrace: true, userStackTrace: true"),
        posts("kernel", 0x7d0002, "kernelStackTrace: true"),
        posts("none", 0x7d0003, "rateLimit: \"1\"")])
    check_loaded(daemon)

    def action():
        for number in (0x7d0001, 0x7d0002, 0x7d0003):
            call(number)
        time.sleep(1)  # its mappings are read when the event arrives

    pid = child(action)
    (both,) = hits(daemon, "both", pid)
    kernel = both["kernel_stack_trace"]
    assert re.search("sys|entry", kernel[-1]["symbol"]), kernel
    assert not re.match("bpf_|__bpf_", kernel[0].get("symbol", "")), kernel
    assert all(int(frame["address"]) >> 63 for frame in kernel), kernel
    user = both["user_stack_trace"]
    assert user[0]["symbol"] == "syscall" and "libc" in user[0]["module"], user
    noted = subprocess.run(["file", "-L", user[0]["module"]], capture_output=True, text=True).stdout if shutil.which("file") else ""
    wanted = re.search(r"BuildID\[\w+\]=(\w+)", noted)
    assert user[0]["build_id"] == (wanted[1] if wanted else user[0]["build_id"]), (user[0], noted)
    # The offset is the one in the file: so is the function's.
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps if " r-xp " in line]
    here = int(user[0]["address"])
    (line,) = [one for one in lines if int(one[0].split("-")[0], 16) <= here < int(one[0].split("-")[1], 16)]
    assert line[5] == user[0]["module"], (line, user)
    assert int(user[0]["offset"]) == here - int(line[0].split("-")[0], 16) + int(line[2], 16), (line, user)
    (only,) = hits(daemon, "kernel", pid)
    assert "user_stack_trace" not in only and only["kernel_stack_trace"], only
    (plain,) = hits(daemon, "none", pid)
    assert "user_stack_trace" not in plain and "kernel_stack_trace" not in plain, plain


@sensor
def test_addresses_are_hidden(env):
    daemon = env.daemon(policies=[posts("hidden", 0x7d0004, "kernelStackTrace: true, userStackTrace: true")])
    check_loaded(daemon)

    def action():
        call(0x7d0004)
        time.sleep(1)

    (event,) = hits(daemon, "hidden", child(action))
    frames = event["kernel_stack_trace"] + event["user_stack_trace"]
    assert frames and not any("address" in frame for frame in frames), frames
    assert any("symbol" in frame for frame in event["kernel_stack_trace"]), frames


@sensor
def test_process_that_ended(env):
    """Its event comes all the same, with as many frames."""
    daemon = env.daemon(policies=[posts("ended", 0x7d0005, "userStackTrace: true")])
    check_loaded(daemon)
    for _ in range(20):
        (event,) = hits(daemon, "ended", child(lambda: call(0x7d0005)))
        assert event["user_stack_trace"], event


@sensor
def test_rate_limit(env):
    daemon = env.daemon(policies=[
        posts("thread", 0x7d0011, "rateLimit: 10m"),
        posts("process", 0x7d0012, "rateLimit: 10m, rateLimitScope: process"),
        posts("global", 0x7d0013, "rateLimit: 10m, rateLimitScope: global"),
        posts("short", 0x7d0014, "rateLimit: \"1\"")])
    check_loaded(daemon)

    def action():
        for number in (0x7d0011, 0x7d0012, 0x7d0013):
            for _ in range(CALLS):
                call(number, b"one")
                call(number, b"two")
        # Alike in the first bytes that are looked at, the length in front of them included.
        call(0x7d0013, b"x" * 60 + b"1")
        call(0x7d0013, b"x" * 60 + b"2")
        for _ in range(3):
            call(0x7d0014)
        time.sleep(1.2)
        call(0x7d0014)

    first, second = child(action), child(action)
    count = {name: [len(hits(daemon, name, pid)) for pid in (first, second)]
             for name in ("thread", "process", "global", "short")}
    assert count == {"thread": [2, 2], "process": [2, 2], "global": [3, 0], "short": [2, 2]}, count


@sensor
def test_returns_of_what_is_held_back_are_not_sent(env):
    daemon = env.daemon("--rb-size-total=1M", policies=[policy("slow", """
  kprobes:
  - call: sys_prctl
    return: true
    args: [{index: 0, type: int}]
    returnArg: {index: 0, type: int}
    selectors:
    - matchArgs:
      - {index: 0, operator: Equal, values: ["8192007"]}
      matchActions: [{action: Post, rateLimit: "10m"}]
""")])
    check_loaded(daemon)

    def action():
        for _ in range(500):
            call(8192007)

    (event,) = hits(daemon, "slow", child(action))
    assert event["return"] == {"int_arg": -22}, event
    assert daemon.stop() == 0
    assert daemon.balance()["produced"] < 100, daemon.balance()
