# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the daemon under test, away from one that may run on the machine."""

import functools
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from .events import Events


class DaemonError(Exception):
    """The daemon did not start, did not stop or died; the text has the end of its log."""


@functools.cache
def help_text(binary: Path) -> str:
    return subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60).stdout


def environment() -> dict[str, str]:
    """Without the tests' own variables: the daemon warns of TETRAGON_... it does not know."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TETRAGON_")}


class Daemon:
    """Options given win over the defaults here. A keyword of None drops a default: export_filename=None."""

    def __init__(self, build: Path, folder: Path, options=(), policies=(), time_scale: float = 1, **settings):
        self.binary = build / "bin" / "tetragon"
        self.tetra_binary = build / "bin" / "tetra"
        self.folder = folder
        self.scale_ = time_scale
        self.socket_path = folder / "tetragon.sock"
        self.log_path = folder / "tetragon.log"
        self.export_path = Path(settings.get("export_filename") or folder / "events.json")
        self.policy_dir = folder / "policies"
        self.process: subprocess.Popen | None = None
        self.events = Events(self.export_path, time_scale)
        if policies:
            self.policy_dir.mkdir()
        for number, text in enumerate(policies):
            (self.policy_dir / f"{number:02}.yaml").write_text(text)
        # One file, whatever the machine does meanwhile: cases read it from the beginning to the end.
        defaults = {"server_address": f"unix://{self.socket_path}", "export_filename": str(self.export_path),
                    "export_file_max_size_mb": "100000", "bpf_dir": f"tetragon-test-{os.getpid()}-{folder.name}", "health_server_address": "",
                    "tracing_policy_dir": str(self.policy_dir) if policies else None, "run_dir": str(folder / "run")}
        defaults.update(settings)
        self.command = [str(self.binary)]
        given = {option.split("=")[0] for option in options}
        for name, value in defaults.items():
            option = "--" + name.replace("_", "-")
            if value is None or option in given:
                continue
            # An option of ours alone: without it, the run folder is the fixed one of the contract.
            if name == "run_dir" and option not in help_text(self.binary):
                continue
            self.command.append(f"{option}={value}")
        self.command += [str(option) for option in options]

    def start(self, timeout: float = 20) -> None:
        if not self.binary.exists():
            raise DaemonError(f"no {self.binary}; build it first or name another folder with --build")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True, env=environment())
        deadline = time.monotonic() + timeout * self.scale_
        while not self.answers():
            if self.process.poll() is not None:
                raise DaemonError(f"{' '.join(self.command)}\nexited with {self.process.returncode} during its start:\n"
                                  f"{self.log_tail()}")
            if time.monotonic() > deadline:
                raise DaemonError(f"{' '.join(self.command)}\ndid not listen on {self.socket_path} within "
                                  f"{timeout * self.scale_:.0f} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Ready is: the API works. The socket alone may exist before the policies are loaded."""
        if not self.socket_path.exists():
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.connect(str(self.socket_path))
        except OSError:
            return False
        if not self.tetra_binary.exists():
            return True
        status = self.tetra("status", check=False)
        return "running" in status.stdout

    def tetra(self, *arguments: str, check: bool = True, timeout: float = 20) -> subprocess.CompletedProcess:
        """The client, talking to this daemon."""
        command = [str(self.tetra_binary), "--server-address", f"unix://{self.socket_path}", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout * self.scale_)
        if check and done.returncode != 0:
            raise DaemonError(f"{' '.join(command)}\nexited with {done.returncode}: {done.stderr.strip()}")
        return done

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout: float = 15) -> int:
        """Ends it as an administrator would; its exit code. Not stopping in time is an error."""
        if self.process is None:
            raise DaemonError("stop() of a daemon that was never started")
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout * self.scale_)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonError(f"did not stop within {timeout * self.scale_:.0f} s of SIGTERM:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """For clean-up: nothing of it is left, whatever state it is in."""
        if self.process is None:
            return
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5 * self.scale_)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # A case that already failed keeps its own error.
        if kind is None:
            self.stop()
        else:
            self.kill()

    def balance(self) -> dict[str, int]:
        """The last account of records the daemon wrote to its log; complete when it has stopped."""
        values: dict[str, int] = {}
        for line in self.log().splitlines():
            if 'msg="records"' in line or 'msg="events"' in line:
                values.update({name: int(value) for name, value in re.findall(r" ([a-z_]+)=(\d+)", line)})
        assert "produced" in values, f"no balance in the log:\n{self.log_tail()}"
        return values

    def log(self) -> str:
        try:
            return self.log_path.read_text(errors="replace")
        except OSError:
            return ""

    def wait_log(self, text: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout * self.scale_
        while text not in self.log():
            if time.monotonic() > deadline:
                raise DaemonError(f"no '{text}' in the log within {timeout * self.scale_:.0f} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log().splitlines()[-lines:])
