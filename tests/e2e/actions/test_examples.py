# SPDX-License-Identifier: Apache-2.0
"""Actions that only the SDK knows, behind every kind of hook that this kernel has: one program in the kernel for all of
them, one function in the daemon. control/test_sdk.py builds the same sources with the installed SDK."""

import os
import shutil

from acting import MARK
from lib import Skip, requires, sensor
from lib.examples import (Noting, check_frozen, on_classic_tracepoint, on_lsm, on_program, on_raw_tracepoint, on_system_call)
from lib.features import probe
from lib.policies import check_loaded, new_folder, states, syscall

FIRST = MARK + 20000
GETSID = 124 if os.uname().machine == "x86_64" else 156


def plugin_folder(env):
    """The build's plugins, and the examples, compiled in the tree."""
    modules = env.build / "tests/integration/plugins/modules"
    plugins = env.tmp / "lib" / "tetragon"
    shutil.copytree(env.build / "lib" / "tetragon", plugins)
    for name in ("freeze", "note"):
        if not (modules / f"{name}.so").exists():
            raise Skip(f"no {modules}/{name}.so; build the target plugin_host_integration")
        shutil.copy(modules / f"{name}.so", plugins / "actions")
        shutil.copy(env.build.parent.parent / f"sdk/examples/actions/{name}.yaml", plugins / "actions")
    for path in (env.tmp / "lib").rglob("*"):
        path.chmod(0o755)  # plugins that others could change are refused
    return plugins


def ways() -> list[str]:
    """Those of a system call."""
    found = ["syscall-tracepoint"]
    if probe("kprobes")[0]:
        found += ["kprobe"] + ["kprobe-multi"] * probe("fprobe")[0] + ["fentry"] * probe("trampolines")[0]
    return found


@sensor
def test_every_kind_of_hook(env):
    plugins, place, program = plugin_folder(env), new_folder(), env.program("answers")
    numbers = env.copy_program("numbers", place / "victim")
    place.chmod(0o755)
    cases = []  # name, text, kind of event, what hits it
    for n, way in enumerate(ways()):
        number = FIRST + n
        cases.append((way, on_system_call(way, way, number), "process_kprobe", lambda number=number: syscall("getsid", number)))
    cases.append(("raw", on_raw_tracepoint("raw", numbers, GETSID), "process_tracepoint",
                  lambda: os.execv(numbers, [str(numbers), str(GETSID)])))
    if probe("syscall_tracepoints")[0]:
        cases.append(("classic", on_classic_tracepoint("classic", FIRST + 100), "process_tracepoint",
                      lambda: syscall("getsid", FIRST + 100)))
    if probe("uprobes")[0]:
        cases.append(("uprobe", on_program("uprobe", program, 1001), "process_uprobe",
                      lambda: os.execv(program, [str(program), "number", "1001"])))
    if probe("bpf_lsm")[0]:
        (place / "file").write_text("")
        cases.append(("lsm", on_lsm("lsm", place / "file"), "process_lsm", lambda: os.open(place / "file", os.O_RDONLY)))
    with Noting(env.tmp / "notes") as notes:
        with env.daemon(f"--plugin-dir={plugins}", policies=[text for _, text, _, _ in cases]) as daemon:
            daemon.wait_log("policy loaded")
            assert len(check_loaded(daemon)) == len(cases)
            for name, _, kind, use in cases:
                check_frozen(daemon, notes, name, use, kind)
                daemon.tetra("tracingpolicy", "set-mode", name, "monitor")
                check_frozen(daemon, notes, name, use, kind, monitor=True)
            for name, one in states(daemon).items():
                assert "plugins' own actions done: 1" in one["info"] and "left out in monitor mode: 1" in one["info"], (name, one)
            # The guard knows that Freeze enforces.
            file = env.tmp / "all.yaml"
            file.write_text(on_raw_tracepoint("all", numbers, GETSID).partition("    selectors:")[0] +
                            "    selectors:\n    - matchActions: [{action: Freeze}]\n")
            refused = daemon.tetra("tracingpolicy", "add", file, check=False)
            assert refused.returncode != 0 and "the machine would stop" in refused.stderr, refused.stderr
            print(f"    {', '.join(name for name, *_ in cases)}", flush=True)


@requires("bpf", "btf")
def test_without_the_plugins(env):
    """The words mean nothing, and the message says what is missing."""
    with env.daemon() as daemon:
        file = env.tmp / "policy.yaml"
        file.write_text(on_system_call("missing", "syscall-tracepoint", FIRST + 200))
        refused = daemon.tetra("tracingpolicy", "add", file, check=False)
        assert refused.returncode != 0 and '"Freeze" is not an action' in refused.stderr, refused.stderr
        # Two places, each word once.
        assert refused.stderr.count("Sigkill") == 2, refused.stderr
