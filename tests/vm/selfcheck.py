#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""First cases of every guest: the kernel has the features kernels.json promises, and the host root is really usable."""

import argparse
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "e2e"))

from lib import features  # noqa: E402


def check_features(expected: dict):
    for name, wanted in expected.items():
        present, reason = features.probe(name)
        if present == wanted:
            yield name, True, "" if present else f"absent as expected: {reason}"
        else:
            yield name, False, f"expected {'present' if wanted else 'absent'}, is {'present' if present else 'absent: ' + reason}"


def check_root(build: Path):
    with open("/proc/mounts", encoding="utf-8") as table:
        mounts = {fields[1]: fields[2] for fields in map(str.split, table)}
    yield "overlay_root", mounts.get("/") == "overlay", f"/ is {mounts.get('/')}"
    yield "build_folder", build.is_dir(), f"{build}"
    probe = HERE / f".written-by-guest-{os.getpid()}"
    try:
        probe.write_text("x")
        written = probe.read_text() == "x"
        probe.unlink()
        yield "root_writable", written, ""
    except OSError as error:
        yield "root_writable", False, str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    expected = json.loads((HERE / "kernels.json").read_text())["kernels"][args.kernel]["expect"]
    failed = False
    print(f"{os.uname().release} {os.uname().version}")
    with args.out.open("a", encoding="utf-8") as out:
        for name, passed, reason in [*check_features(expected), *check_root(args.build)]:
            line = f"{'PASS' if passed else 'FAIL'} guest.{name} {reason}".rstrip()
            out.write(line + "\n")
            failed |= not passed
            print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
