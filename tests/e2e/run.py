#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end cases: every function test_*(env) in tests/e2e/**/test_*.py and plugins/**/tests/**/test_*.py.

Prints one line per case (PASS, FAIL or SKIP with its reason) and a count; exit code 1 when a case failed or none ran.
--out FILE appends 'PASS|FAIL|SKIP name reason' lines as the cases end. Names: <folder>.<file>.<function>."""

import argparse
import importlib.util
import os
import re
import signal
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from lib import features  # noqa: E402
from lib.case import TIME_SCALE, Env, SharedDaemons, Skip, check_features  # noqa: E402

DEFAULT_LIMIT = 60
CASE_SKIPPED = 77


class CaseTimeout(BaseException):
    """Not an Exception: a case's own 'except Exception' must not swallow it."""


def case_files() -> list[Path]:
    files = {*HERE.rglob("test_*.py"), *(ROOT / "plugins").rglob("tests/**/test_*.py")}
    return sorted(files)


def discover() -> list[tuple[str, object]]:
    """A file that cannot be imported becomes a case that fails, so it is never overlooked."""
    cases = []
    for path in case_files():
        base = HERE if path.is_relative_to(HERE) else ROOT / "plugins"
        prefix = ".".join(part for part in path.relative_to(base).with_suffix("").parts if part not in ("tests", "e2e"))
        spec = importlib.util.spec_from_file_location("case_" + re.sub(r"\W", "_", prefix), path)
        module = importlib.util.module_from_spec(spec)
        # Helpers beside the cases can be imported by name.
        sys.path.insert(1, str(path.parent))
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            cases.append((f"{prefix}.import", failing_import(path, error)))
            continue
        finally:
            sys.path.remove(str(path.parent))
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function) and function.__module__ == module.__name__:
                cases.append((f"{prefix}.{name.removeprefix('test_')}", function))
    return cases


def failing_import(path: Path, error: Exception):
    def fail(_env):
        raise ImportError(f"{path}: {error!r}") from error
    return fail


def run_case(function, build: Path, shared: SharedDaemons) -> tuple[str, str, str]:
    """Status, one-line reason, details for a failure."""
    def on_alarm(*_):
        raise CaseTimeout
    limit = getattr(function, "time_limit", DEFAULT_LIMIT) * TIME_SCALE
    env = None
    status, reason, details = "PASS", "", ""
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        check_features(function)
        env = Env(build, shared)
        signal.setitimer(signal.ITIMER_REAL, limit)
        function(env)
    except Skip as skip:
        status, reason = "SKIP", str(skip)
    except CaseTimeout:
        status, reason, details = "FAIL", f"not finished within {limit:.0f} s", traceback.format_exc()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        status, reason, details = "FAIL", f"{type(error).__name__}: {first}"[:300], traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    for daemon in shared.died():
        if status == "PASS":
            status, reason = "FAIL", f"the shared daemon ended during the case ({daemon.process.returncode})"
        details += f"--- {daemon.log_path}\n{daemon.log_tail()}\n"
    if env is not None:
        logs = env.close()
        if status == "FAIL":
            details += logs
    return status, " ".join(reason.split()), details


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="*", help="only cases whose name contains one of these")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--out", type=Path, help="append result lines to this file")
    parser.add_argument("--truncate", action="store_true", help="empty the --out file first")
    parser.add_argument("--list", action="store_true", help="print the names only")
    parser.add_argument("--features", action="store_true", help="print what this kernel can do and why not")
    args = parser.parse_args()
    if args.features:
        for name in sorted(features.PROBES):
            present, reason = features.probe(name)
            print(f"{name}: {'yes' if present else 'no: ' + reason}")
        return 0
    cases = [(name, function) for name, function in discover()
             if not args.pattern or any(text in name for text in args.pattern)]
    if args.list:
        print("\n".join(name for name, _ in cases))
        return 0
    if args.out and args.truncate:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("")
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    shared = SharedDaemons(args.build.resolve())

    def stop_shared(_env):
        problems = shared.stop()
        assert not problems, "\n".join(problems)
    # Shared by the cases of one file only: the storms of the others are not for them.
    with_stops = []
    for name, function in cases:
        if with_stops and with_stops[-1][1].__module__ != function.__module__:
            with_stops.append((with_stops[-1][0].rpartition(".")[0] + ".stop_shared_daemons", stop_shared))
        with_stops.append((name, function))
    if cases:
        with_stops.append((cases[-1][0].rpartition(".")[0] + ".stop_shared_daemons", stop_shared))
    for name, function in with_stops:
        if function is stop_shared and not shared.running():
            continue
        begin = time.monotonic()
        status, reason, details = run_case(function, args.build.resolve(), shared)
        count[status] += 1
        print(f"{status} {name} ({time.monotonic() - begin:.1f} s){': ' + reason if reason else ''}", flush=True)
        if details:
            print("    " + details.replace("\n", "\n    "), flush=True)
        if args.out:
            with args.out.open("a") as out:
                out.write(f"{status} {name} {reason}".rstrip() + "\n")
                out.flush()
                os.fsync(out.fileno())
    print(f"e2e: {count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped")
    if count["FAIL"]:
        return 1
    if count["PASS"]:
        return 0
    if not cases:
        print("e2e: no case found; nothing was tested")
        return 1
    return CASE_SKIPPED


if __name__ == "__main__":
    sys.exit(main())
