# SPDX-License-Identifier: Apache-2.0
"""What a case is given (Env) and how it says what it needs."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import features
from .daemon import Daemon

# Emulated guests are several times slower; every wait is multiplied with this.
TIME_SCALE = float(os.environ.get("TETRAGON_TEST_TIME_SCALE", "1"))
# So is their work: storms and workloads take this part of their full number of processes.
COUNT_SCALE = float(os.environ.get("TETRAGON_TEST_COUNT_SCALE", "1"))


class Skip(Exception):
    """The case cannot be tried here; the text is the reason."""


def requires(*names: str):
    """Skips the case, with the probe's reason, where a feature of lib.features is missing."""
    unknown = set(names) - set(features.PROBES)
    if unknown:
        raise KeyError(f"unknown feature {', '.join(sorted(unknown))}; known: {', '.join(sorted(features.PROBES))}")

    def mark(function):
        function.required_features = (*getattr(function, "required_features", ()), *names)
        return function
    return mark


def timeout(seconds: float):
    """Another limit than the runner's default for this case, before time scaling."""
    def mark(function):
        function.time_limit = seconds
        return function
    return mark


def check_features(function) -> None:
    for name in ("root", *getattr(function, "required_features", ())):
        present, reason = features.probe(name)
        if not present:
            raise Skip(f"needs {name}: {reason}")


def scaled(number: int, least: int = 1) -> int:
    """How many of a full number to do on this machine."""
    return max(least, round(number * COUNT_SCALE))


def start_daemon(build: Path, tmp: Path, options, policies, start_timeout: float, settings: dict) -> Daemon:
    folder = Path(tempfile.mkdtemp(dir=tmp, prefix="daemon-"))
    daemon = Daemon(build, folder, options, policies, time_scale=TIME_SCALE, **settings)
    try:
        daemon.start(start_timeout)
    except BaseException:
        daemon.kill()
        raise
    return daemon


class SharedDaemons:
    """Daemons that serve the cases of one file, one per set of options: starting costs more than most cases do.

    Cases stay independent: each looks at the processes of its own only."""

    def __init__(self, build: Path):
        self.build = build
        self.tmp: Path | None = None
        self.running_: dict[tuple[str, ...], Daemon] = {}

    def get(self, options: tuple[str, ...]) -> Daemon:
        daemon = self.running_.get(options)
        if daemon is None or not daemon.alive():
            if self.tmp is None:
                self.tmp = Path(tempfile.mkdtemp(prefix="tetragon-e2e-shared-"))
            daemon = self.running_[options] = start_daemon(self.build, self.tmp, options, (), 30, {})
        return daemon

    def running(self) -> bool:
        return bool(self.running_)

    def died(self) -> list[Daemon]:
        """Those that are not running any more; each is told once."""
        gone = [options for options, daemon in self.running_.items() if not daemon.alive()]
        return [self.running_.pop(options) for options in gone]

    def stop(self) -> list[str]:
        """What went wrong while they stopped."""
        problems = []
        for options, daemon in self.running_.items():
            try:
                code = daemon.stop()
                if code != 0:
                    problems.append(f"daemon {' '.join(options)} ended with {code}:\n{daemon.log_tail()}")
            except Exception as error:
                problems.append(f"daemon {' '.join(options)}: {error}")
        self.running_.clear()
        if self.tmp is not None:
            shutil.rmtree(self.tmp, ignore_errors=True)
            self.tmp = None
        return problems


class Env:
    """One case's world: a folder of its own, the build under test, daemons that end with the case."""

    def __init__(self, build: Path, shared: SharedDaemons | None = None):
        self.build = build
        self.tmp = Path(tempfile.mkdtemp(prefix="tetragon-e2e-"))
        # Programs of other users are started from here.
        self.tmp.chmod(0o755)
        self.daemons_: list[Daemon] = []
        self.shared_ = shared

    def program(self, name: str) -> Path:
        """A helper program of tests/e2e/programs."""
        path = self.build / "e2e" / "programs" / name
        if not path.exists():
            raise FileNotFoundError(f"no {path}; build the target e2e_programs")
        return path

    def copy_program(self, name: str, to: Path) -> Path:
        """The same under another name or in another place."""
        shutil.copy(self.program(name), to)
        return to

    def shared_daemon(self, *options: str) -> Daemon:
        """A running daemon with these options that other cases use too; never stop it."""
        assert self.shared_ is not None
        return self.shared_.get(options)

    def daemon(self, *options: str, policies: list[str] | tuple = (), start_timeout: float = 20, **settings) -> Daemon:
        """Starts a daemon and waits until it answers. policies: YAML texts, loaded from its policy folder."""
        daemon = self.prepare_daemon(*options, policies=policies, **settings)
        daemon.start(start_timeout)
        return daemon

    def prepare_daemon(self, *options: str, policies: list[str] | tuple = (), **settings) -> Daemon:
        """The same, not started yet."""
        folder = Path(tempfile.mkdtemp(dir=self.tmp, prefix="daemon-"))
        daemon = Daemon(self.build, folder, options, policies, time_scale=TIME_SCALE, **settings)
        self.daemons_.append(daemon)
        return daemon

    def run(self, *command: str, check: bool = True, timeout: float = 30, **settings) -> subprocess.CompletedProcess:
        """A trigger: runs a program, captures its output."""
        return subprocess.run([str(part) for part in command], check=check, capture_output=True, text=True,
                              timeout=timeout * TIME_SCALE, **settings)

    def close(self) -> str:
        """Ends what the case left; the daemons' logs, for the report of a failure."""
        logs = []
        for daemon in self.daemons_:
            daemon.kill()
            logs.append(f"--- {daemon.log_path}\n{daemon.log_tail()}")
        # Not rmtree: it cannot remove folders a thousand levels deep.
        subprocess.run(["rm", "-rf", "--", self.tmp], check=False, stderr=subprocess.DEVNULL)
        return "\n".join(logs)
