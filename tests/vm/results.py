# SPDX-License-Identifier: Apache-2.0
"""The per-case result file: one line 'PASS|FAIL|SKIP name reason' per case."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Case:
    status: str
    name: str
    reason: str = ""


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def read(path: Path) -> list[Case]:
    cases = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return cases
    for number, line in enumerate(lines, 1):
        status, _, rest = line.partition(" ")
        name, _, reason = rest.partition(" ")
        if status not in ("PASS", "FAIL", "SKIP") or not name:
            # A torn line means the guest died while writing: never lose a case silently.
            cases.append(Case("FAIL", f"results.line{number}", f"not a result line: {line!r}"))
            continue
        cases.append(Case(status, name, reason))
    return cases


def write(path: Path, cases: list[Case]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{case.status} {case.name} {case.reason}".rstrip() + "\n" for case in cases))


def report(cases: list[Case], title: str) -> Tally:
    tally = Tally()
    for case in cases:
        print(f"{case.status} {case.name}" + (f": {case.reason}" if case.reason else ""))
        tally.passed += case.status == "PASS"
        tally.failed += case.status == "FAIL"
        tally.skipped += case.status == "SKIP"
    print(f"{title}: {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return tally
