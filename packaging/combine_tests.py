#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes one ctest folder that runs the tests of several builds, so that one summary counts everything.

  combine_tests.py --programs BUILD LABELS          programs of a configured build's tests, relative to it, one per line
  combine_tests.py --write FOLDER SOURCE SELECTION...  SELECTION: PRESET=LABEL,LABEL or PRESET=* or PRESET=!LABEL

Tests of the release build keep their names; the others' get the preset in front (asan.unit.x)."""

import json
import re
import subprocess
import sys
from pathlib import Path

# Instrumented programs report everything, and fail for it.
ENVIRONMENT = {
    "asan": ["ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1", "UBSAN_OPTIONS=print_stacktrace=1"],
    "tsan": ["TSAN_OPTIONS=second_deadlock_stack=1:history_size=4"],
    "fuzz": ["UBSAN_OPTIONS=print_stacktrace=1"],
}
OWN_NAMES = ("DEPENDS", "FIXTURES_SETUP", "FIXTURES_CLEANUP", "FIXTURES_REQUIRED")


def tests_of(build: Path) -> list[dict]:
    done = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"combine: ctest cannot list the tests of {build}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return []
    return json.loads(done.stdout)["tests"]


def properties(test: dict) -> dict:
    return {item["name"]: item["value"] for item in test.get("properties", [])}


def selected(test: dict, labels: str) -> bool:
    own = set(properties(test).get("LABELS", []))
    if labels == "*":
        return True
    if labels.startswith("!"):
        return not own & set(labels[1:].split(","))
    return bool(own & set(labels.split(",")))


def programs(build: Path, labels: str) -> list[str]:
    """From the generated files: ctest's own listing leaves out programs that are not built yet."""
    paths = {}
    for file in build.rglob("CTestTestfile.cmake"):
        for name, program in re.findall(r'^add_test\(\[=*\[(.*?)\]=*\] "([^"]+)"', file.read_text(), re.MULTILINE):
            paths[name] = Path(program)
    wanted = [test["name"] for test in tests_of(build) if selected(test, labels)]
    return sorted({str(paths[name].relative_to(build)) for name in wanted
                   if name in paths and paths[name].is_relative_to(build)})


def quote(text) -> str:
    text = str(text)
    fence = "="
    while f"]{fence}]" in text:
        fence += "="
    # A newline right after the opening bracket is dropped by CMake; nothing of ours begins with one.
    return f"[{fence}[{text}]{fence}]"


def value_text(value) -> str:
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if isinstance(value, list):
        return ";".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def no_randomisation() -> list[str]:
    """gcc 12's and clang 14's sanitizers cannot place their shadow when the kernel randomises 32 bits."""
    prefix = ["setarch", "-R"]
    try:
        return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else []
    except OSError:
        return []


def entry(test: dict, preset: str, build: Path, wrap: list[str]) -> str:
    prefix = "" if preset == "release" else f"{preset}."
    name = prefix + test["name"]
    settings = properties(test)
    command = test.get("command")
    # ctest then says 'Not Run' and counts a failure.
    command = [*wrap, *command] if command else [str(build / f"not-built-{test['name']}")]
    if prefix:
        for key in OWN_NAMES:
            if key in settings:
                settings[key] = [prefix + item for item in settings[key]]
        settings["LABELS"] = [*settings.get("LABELS", []), preset]
        settings["ENVIRONMENT"] = [*settings.get("ENVIRONMENT", []), *ENVIRONMENT.get(preset, [])]
    settings.setdefault("WORKING_DIRECTORY", str(build))
    lines = [f"add_test({quote(name)} {' '.join(map(quote, command))})"]
    pairs = " ".join(f"{key} {quote(value_text(value))}" for key, value in sorted(settings.items()))
    lines.append(f"set_tests_properties({quote(name)} PROPERTIES {pairs})")
    return "\n".join(lines)


def simple_test(name: str, command: list[str], label: str, folder: Path, limit: int) -> str:
    return (f"add_test({quote(name)} {' '.join(map(quote, command))})\n"
            f"set_tests_properties({quote(name)} PROPERTIES LABELS {label} TIMEOUT {limit} "
            f"WORKING_DIRECTORY {quote(folder)})")


def write(folder: Path, source: Path, selections: list[str]) -> int:
    parts = [simple_test("format", [str(source / "packaging" / "format.sh"), "--check"], "format", source, 300)]
    for selection in selections:
        preset, _, labels = selection.partition("=")
        build = source / "build" / preset
        # The build happened before; this shows its outcome in the summary and costs nothing when it was good.
        target_file = build / "test-targets"
        targets = target_file.read_text().split() if target_file.exists() else []
        command = ["cmake", "--build", str(build)] + (["--target", *targets] if targets else [])
        parts.append(simple_test(f"build.{preset}", command, "build", source, 1800))
        wrap = [] if preset == "release" else no_randomisation()
        tests = [test for test in tests_of(build) if selected(test, labels)] if build.is_dir() else []
        parts += [entry(test, preset, build, wrap) for test in tests]
        print(f"combine: {len(tests)} tests of {preset}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CTestTestfile.cmake").write_text("\n".join(parts) + "\n")
    return 0


def main() -> int:
    if len(sys.argv) == 4 and sys.argv[1] == "--programs":
        for program in programs(Path(sys.argv[2]), sys.argv[3]):
            print(program)
        return 0
    if len(sys.argv) > 4 and sys.argv[1] == "--write":
        return write(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
