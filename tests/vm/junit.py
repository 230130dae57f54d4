#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns ctest's JUnit file into result lines: junit.py FILE.xml RESULTS."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

STATUS = {"run": "PASS", "fail": "FAIL", "notrun": "SKIP", "disabled": "SKIP"}


def main() -> int:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    failed = False
    lines = []
    try:
        cases = list(ElementTree.parse(source).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        cases = []
        failed = True
        lines.append(f"FAIL kernel.results {error}")
    for case in cases:
        status = STATUS.get(case.get("status", ""), "FAIL")
        detail = case.find("skipped") if status == "SKIP" else case.find("failure")
        reason = (detail.get("message") or "") if detail is not None else ""
        # A test whose program was not built is 'notrun' as well, but it is no decision of the test.
        if case.get("status") == "notrun" and "SKIP_" not in reason:
            status = "FAIL"
        if status == "FAIL":
            reason = reason or "see output.log"
        output = case.findtext("system-out") or ""
        if status == "SKIP":
            # A test that skips says why in its last line.
            reason = (output.strip().splitlines() or [reason])[-1]
        failed |= status == "FAIL"
        lines.append(f"{status} {case.get('name')} {' '.join(reason.split())}".rstrip())
    with target.open("a", encoding="utf-8") as out:
        out.write("".join(line + "\n" for line in lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
