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


class Env:
    """One case's world: a folder of its own, the build under test, daemons that end with the case."""

    def __init__(self, build: Path):
        self.build = build
        self.tmp = Path(tempfile.mkdtemp(prefix="tetragon-e2e-"))
        self.daemons_: list[Daemon] = []

    def daemon(self, *options: str, policies: list[str] | tuple = (), start_timeout: float = 20, **settings) -> Daemon:
        """Starts a daemon and waits until it answers. policies: YAML texts, loaded from its policy folder."""
        folder = Path(tempfile.mkdtemp(dir=self.tmp, prefix="daemon-"))
        daemon = Daemon(self.build, folder, options, policies, time_scale=TIME_SCALE, **settings)
        self.daemons_.append(daemon)
        daemon.start(start_timeout)
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
        shutil.rmtree(self.tmp, ignore_errors=True)
        return "\n".join(logs)
