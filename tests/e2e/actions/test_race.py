# SPDX-License-Identifier: Apache-2.0
"""A denied file stays closed while threads try, and another thread rewrites the path under them."""

import os
import subprocess

from acting import add, counts
from lib import TIME_SCALE, Skip, requires, timeout
from lib.policies import new_folder, policy

ATTEMPTS, SECONDS, THREADS = 100_000, 60, int(os.environ.get("TETRAGON_TEST_RACE_THREADS", "4"))


def race(env, daemon, name: str, place, text: str) -> None:
    (place / "file-a").write_text("allowed")
    (place / "file-b").write_text("denied")
    add(env, daemon, text)
    process = subprocess.run([env.program("race"), place / "file-a", place / "file-b", str(ATTEMPTS), str(SECONDS), str(THREADS)],
                             capture_output=True, text=True, timeout=SECONDS + 60 * TIME_SCALE)
    assert process.returncode == 0, (process.returncode, process.stderr)
    attempts, allowed, denied, refused, others = map(int, process.stdout.split())
    print(f"    {name}: {attempts} attempts, {allowed} allowed, {refused} refused, {denied} opened what is denied", flush=True)
    assert denied == 0 and attempts >= ATTEMPTS, process.stdout
    # Else it was no race.
    assert allowed > 0 and refused > 0 and others == 0, process.stdout
    done = counts(daemon, name)
    assert int(done.get("override", 0)) >= refused, (done, process.stdout)
    daemon.tetra("tracingpolicy", "delete", name)


@requires("bpf_lsm")
@timeout(150)
def test_lsm_file_open(env):
    place = new_folder()
    with env.daemon() as daemon:
        race(env, daemon, "race-lsm", place, policy("race-lsm", f"""
  lsmhooks:
  - hook: file_open
    args: [{{index: 0, type: file}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{place}/file-b"]}}]
      matchActions: [{{action: Override, argError: -13}}, {{action: NoPost}}]
"""))


@requires("kprobes", "trampolines")
@timeout(150)
def test_security_function(env):
    place = new_folder()
    with env.daemon() as daemon:
        if "uninterrupted_trampolines: false" in daemon.log():
            raise Skip("this kernel interrupts trampolines (preempt=full), which leaves out calls; Override warns of it")
        race(env, daemon, "race-function", place, policy("race-function", f"""
  kprobes:
  - call: security_file_open
    syscall: false
    args: [{{index: 0, type: file}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{place}/file-b"]}}]
      matchActions: [{{action: Override, argError: -13}}, {{action: NoPost}}]
"""))
