# SPDX-License-Identifier: Apache-2.0
"""The example actions Freeze (kernel) and Note (daemon) of the SDK behind hooks: stopped, noted, reported; or, in monitor
mode, noted and reported only. For the case that builds them out of the tree, and for those of guests, which have no compiler."""

import os
import signal
import time
from pathlib import Path

from .case import TIME_SCALE
from .policies import hits, policy


def actions(text: str) -> str:
    return f'[{{action: Freeze}}, {{action: Note, argUrl: "{text}"}}]'


def on_system_call(name: str, backend: str, number: int, options: str = "") -> str:
    return policy(name, f"""
  options: [{{name: backend, value: {backend}}}{options}]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{{index: 0, type: int}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: {actions(name)}
""")


def on_raw_tracepoint(name: str, program: Path, number: int) -> str:
    """All system calls of this program that have the number of this one."""
    return policy(name, f"""
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 1, type: int64}}]
    selectors:
    - matchBinaries: [{{operator: In, values: ["{program}"]}}]
      matchArgs: [{{index: 1, operator: Equal, values: ["{number}"]}}]
      matchActions: {actions(name)}
""")


def on_classic_tracepoint(name: str, number: int) -> str:
    return policy(name, f"""
  tracepoints:
  - subsystem: syscalls
    event: sys_enter_getsid
    args: [{{index: 5, type: int64}}]
    selectors:
    - matchArgs: [{{index: 5, operator: Equal, values: ["{number}"]}}]
      matchActions: {actions(name)}
""")


def on_program(name: str, path: Path, number: int) -> str:
    return policy(name, f"""
  uprobes:
  - path: "{path}"
    symbols: [answers_number]
    args: [{{index: 0, type: int64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: {actions(name)}
""")


def on_lsm(name: str, path: Path) -> str:
    return policy(name, f"""
  lsmhooks:
  - hook: file_open
    args: [{{index: 0, type: file}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{path}"]}}]
      matchActions: {actions(name)}
""")


class Noting:
    """The file of Note while a daemon starts: the plugin reads the variable when it is made."""

    def __init__(self, file: Path):
        self.file = file

    def __enter__(self):
        os.environ["EXAMPLE_NOTE_FILE"] = str(self.file)
        return self

    def __exit__(self, *_):
        del os.environ["EXAMPLE_NOTE_FILE"]

    def lines(self, pid: int) -> list[str]:
        try:
            text = self.file.read_text()
        except FileNotFoundError:
            return []
        return [line.removeprefix(f"{pid} ") for line in text.splitlines() if line.startswith(f"{pid} ")]

    def wait(self, pid: int, wanted: list[str]) -> None:
        deadline = time.monotonic() + 10 * TIME_SCALE
        while (found := self.lines(pid)) != wanted:
            assert time.monotonic() < deadline, (pid, found, wanted)
            time.sleep(0.02)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def start(use) -> int:
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            use()
            # The signal of a program that runs with interrupts off comes a moment later.
            for _ in range(100):
                os.getppid()
            code = 0
        finally:
            os._exit(code)
    return pid


def check_frozen(daemon, notes: Noting, name: str, use, kind: str, monitor: bool = False) -> dict:
    """Does it in a process of its own; the event."""
    pid = start(use)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if monitor:
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, (name, status)
    else:
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP, (name, status)
        # Noted while it stands still: nobody waits for it.
        notes.wait(pid, [f"{name} {name}"])
        assert state_of(pid) == "T", (name, state_of(pid))
        os.kill(pid, signal.SIGCONT)
        _, status = os.waitpid(pid, 0)
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, (name, status)
    notes.wait(pid, [f"{name} {name}"])
    found = hits(daemon, name, pid, kind)
    assert len(found) == 1, (name, found)
    return found[0]
