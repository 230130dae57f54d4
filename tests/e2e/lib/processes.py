# SPDX-License-Identifier: Apache-2.0
"""Starts processes exactly as a case says, byte by byte, and names them as the events do."""

import base64
import os
import time

from .case import requires

# What the process plugin needs; without it there is nothing to see.
sensor = requires("bpf", "btf", "ringbuf")


class Child:
    """A process of ours until wait() has fetched its status."""

    def __init__(self, pid: int):
        self.pid = pid
        self.status: int | None = None

    def wait(self, timeout: float = 60) -> int:
        """The status as waitpid(2) tells it. One that does not end in time is killed."""
        deadline = time.monotonic() + timeout
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > deadline:
                os.kill(self.pid, 9)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"process {self.pid} did not end within {timeout:.0f} s")
            else:
                time.sleep(0.002)
        return self.status


def spawn(argv, executable=None, cwd=None, env=None, before=None, check: bool = True) -> Child:
    """fork and execve, nothing else: no shell, no search in PATH. executable may be a descriptor. before runs in the child.

    check: returns when the exec has succeeded, raises when it has not."""
    argv = [os.fsencode(part) for part in argv]
    target = argv[0] if executable is None else executable
    env = {b"PATH": b"/usr/bin:/bin"} if env is None else env
    # Closed by a successful exec; else it brings the reason.
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            if cwd is not None:
                os.chdir(cwd)
            if before is not None:
                before()
            os.execve(target, argv, env)
        except BaseException as error:
            os.write(writer, str(error).encode())
        os._exit(127)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        problem = pipe.read().decode(errors="replace")
    child = Child(pid)
    if problem and check:
        child.wait()
        raise AssertionError(f"cannot start {target!r}: {problem}")
    return child


def exec_id(node: str, start_ns: int, pid: int) -> str:
    return base64.b64encode(f"{node}:{start_ns}:{pid}".encode()).decode()


def exec_id_parts(text: str) -> tuple[str, int, int]:
    """Node name, start in nanoseconds, pid."""
    node, start, pid = base64.b64decode(text, validate=True).decode().rsplit(":", 2)
    return node, int(start), int(pid)
