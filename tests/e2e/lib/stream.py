# SPDX-License-Identifier: Apache-2.0
"""tetra getevents while it runs."""

import subprocess
import time
from pathlib import Path


class Stream:
    """Its output goes to a file, so that reading it never blocks and a slow case never slows the client."""

    def __init__(self, daemon, folder: Path, *arguments: str):
        self.scale_ = daemon.scale_
        self.path = folder / f"stream-{time.monotonic_ns()}"
        self.command = [str(daemon.tetra_binary), "--server-address", f"unix://{daemon.socket_path}", "getevents", *arguments]
        with self.path.open("wb") as out, open(f"{self.path}.err", "wb") as err:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def lines(self) -> list[str]:
        # Split at line feeds only: events may hold other characters that Python takes for an end of line.
        return self.path.read_bytes().decode(errors="replace").split("\n")[:-1]

    def wait(self, predicate, what: str = "a matching line", again=None, timeout: float = 15) -> str:
        """First line that matches. again: called from time to time, until then (a client may still be connecting)."""
        deadline = time.monotonic() + timeout * self.scale_
        while True:
            if again is not None:
                again()
            for line in self.lines():
                if predicate(line):
                    return line
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {what.removeprefix('a ')} from {' '.join(self.command)} (exit code "
                                     f"{self.process.poll()}): {Path(str(self.path) + '.err').read_text()[-500:]}; last lines: "
                                     f"{self.lines()[-3:]}")
            time.sleep(0.05)

    def errors(self) -> str:
        return Path(f"{self.path}.err").read_text(errors="replace")

    def stop(self) -> int:
        """Ends it as Ctrl-C would."""
        if self.process.poll() is None:
            self.process.send_signal(2)
        return self.process.wait(15 * self.scale_)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
