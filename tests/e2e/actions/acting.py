# SPDX-License-Identifier: Apache-2.0
"""What the cases of actions share: processes that try one thing and say how it went."""

import errno
import json
import os
import signal
import time

from lib import TIME_SCALE
from lib.policies import check_loaded, folder_of, hits, policy, syscall

MARK = 7690000  # no process has a number from here on


def attempt(action) -> tuple[int, str]:
    """Runs the action in a process of its own: its pid, and 'done', the name of the error, or of the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            action()
            code = 0
        except OSError as error:
            code = error.errno
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return pid, signal.Signals(os.WTERMSIG(status)).name
    code = os.WEXITSTATUS(status)
    return pid, "done" if code == 0 else errno.errorcode.get(code, f"exit code {code}")


def asks(number: int):
    """A system call that only this number of a policy matches, and then the process goes on."""
    def use():
        syscall("getsid", number)
        # The signal of a program that runs with interrupts off comes a moment later.
        for _ in range(100):
            os.getppid()
    return use


def on_getsid(name: str, number: int, actions: str, options: str = "", more: str = "", selector: str = "") -> str:
    return policy(name, f"""
  options: [{options}]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{{index: 0, type: int}}]
    {more}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: [{actions}]
      {selector}
""")


def backend(name: str) -> str:
    return f"{{name: backend, value: {name}}}" if name else ""


def actions_of(daemon, name: str, pid: int, kind: str = "process_kprobe") -> list[str]:
    return [event["action"].removeprefix("KPROBE_ACTION_") for event in hits(daemon, name, pid, kind)]


def counts(daemon, name: str) -> dict:
    """What `tetra tracingpolicy list` counts."""
    listed = json.loads(daemon.tetra("tracingpolicy", "list", "-o", "json").stdout)
    one, = [one for one in listed["policies"] if one["name"] == name]
    return one.get("stats", {}).get("action_counters", {})


def add(env, daemon, text: str, check: bool = True):
    file = env.tmp / f"policy-{time.monotonic_ns()}.yaml"
    file.write_text(text)
    return daemon.tetra("tracingpolicy", "add", file, check=check, timeout=60)


class Shared:
    """Policies of one file of cases, in one daemon."""

    def __init__(self, make):
        self.make, self.folder = make, None

    def daemon(self, env):
        if self.folder is None:
            self.folder = folder_of(self.make())
        return env.shared_daemon(f"--tracing-policy-dir={self.folder}")

    def check(self, env):
        return check_loaded(self.daemon(env))


def eventually(question, what: str, seconds: float = 10):
    deadline = time.monotonic() + seconds * TIME_SCALE
    while not (answer := question()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return answer
