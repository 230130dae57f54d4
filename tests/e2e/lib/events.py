# SPDX-License-Identifier: Apache-2.0
"""Reads the daemon's JSON lines while they are written."""

import json
import time
from pathlib import Path


class EventTimeout(AssertionError):
    """No event matched in time; the text has what came instead."""


def pid_of(event: dict, kind: str) -> int | None:
    return event.get(kind, {}).get("process", {}).get("pid")


class Events:
    def __init__(self, path: Path, time_scale: float = 1):
        self.path = path
        self.all: list[dict] = []
        self.scale_ = time_scale
        self.offset_ = 0

    def poll(self) -> list[dict]:
        """Events since the last call. A line that is not JSON is a failure of the daemon, so it raises."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset_)
                data = stream.read()
        except FileNotFoundError:
            return []
        complete, newline, _ = data.rpartition(b"\n")
        self.offset_ += len(complete) + len(newline)
        fresh = []
        for line in complete.split(b"\n") if newline else []:
            try:
                fresh.append(json.loads(line))
            except ValueError as error:
                raise AssertionError(f"{self.path}: not one JSON document per line: {error}: {line[:300]!r}") from error
        self.all += fresh
        return fresh

    def execs(self, pid: int) -> list[dict]:
        """The process_exec members of this pid, in order."""
        return [event["process_exec"] for event in self.find(lambda e: pid_of(e, "process_exec") == pid)]

    def exits(self, pid: int) -> list[dict]:
        return [event["process_exit"] for event in self.find(lambda e: pid_of(e, "process_exit") == pid)]

    def wait_exec(self, pid: int, number: int = 0) -> dict:
        """The process_exec of this pid; number: of several, which."""
        found = self.wait_count(lambda e: pid_of(e, "process_exec") == pid, number + 1, what=f"exec events of pid {pid}")
        return found[number]["process_exec"]

    def wait_exit(self, pid: int) -> dict:
        return self.wait_for(lambda e: pid_of(e, "process_exit") == pid, what=f"exit event of pid {pid}")["process_exit"]

    def find(self, predicate) -> list[dict]:
        """All events so far that match."""
        self.poll()
        return [event for event in self.all if predicate(event)]

    def wait_for(self, predicate, timeout: float = 10, what: str = "a matching event") -> dict:
        """First event, past or coming, that matches."""
        deadline = time.monotonic() + timeout * self.scale_
        seen = 0
        while True:
            self.poll()
            for event in self.all[seen:]:
                if predicate(event):
                    return event
            seen = len(self.all)
            if time.monotonic() > deadline:
                raise EventTimeout(f"no {what.removeprefix('a ')} within {timeout * self.scale_:.0f} s; {self.summary()}")
            time.sleep(0.05)

    def wait_count(self, predicate, count: int, timeout: float = 10, what: str = "matching events") -> list[dict]:
        deadline = time.monotonic() + timeout * self.scale_
        while True:
            found = self.find(predicate)
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise EventTimeout(f"{len(found)} of {count} {what} within {timeout * self.scale_:.0f} s; {self.summary()}")
            time.sleep(0.05)

    def expect_none(self, predicate, seconds: float = 1, what: str = "event") -> None:
        """Nothing may match, now or within the time. Trigger a known event afterwards to be sure the stream is alive."""
        deadline = time.monotonic() + seconds * self.scale_
        while time.monotonic() < deadline:
            for event in self.find(predicate):
                raise AssertionError(f"unexpected {what}: {json.dumps(event)[:1000]}")
            time.sleep(0.05)

    def summary(self) -> str:
        kinds: dict[str, int] = {}
        for event in self.all:
            kind = next((key for key in event if key.startswith(("process_", "rate_", "test"))), "?")
            kinds[kind] = kinds.get(kind, 0) + 1
        last = "\n".join(json.dumps(event)[:500] for event in self.all[-5:])
        return f"{len(self.all)} events in {self.path}: {kinds}; the last:\n{last}"
