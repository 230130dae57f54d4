# SPDX-License-Identifier: Apache-2.0
"""What the cases of policies share: policies as text, processes that do one thing, and the events that come of it."""

import atexit
import ctypes
import json
import os
import shutil
import tempfile
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWPID = 0x4000000, 0x40000000, 0x20000000
# The calls that C libraries do not pass on unchanged.
NUMBERS = {"x86_64": {"openat": 257, "read": 0, "write": 1, "writev": 20, "prctl": 157, "lseek": 8, "getpgid": 121,
                      "getsid": 124, "getpriority": 140, "capget": 125, "capset": 126, "delete_module": 176, "bpf": 321, "init_module": 175,
                      "finit_module": 313},
           "aarch64": {"openat": 56, "read": 63, "write": 64, "writev": 66, "prctl": 167, "lseek": 62, "getpgid": 155,
                       "getsid": 156, "getpriority": 141, "capget": 90, "capset": 91, "delete_module": 106, "bpf": 280, "init_module": 105,
                       "finit_module": 273}}[os.uname().machine]
# Those that came last have the same number everywhere.
NUMBERS |= {"move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432}


def policy(name: str, spec: str) -> str:
    """A policy; the spec is indented as it stands in a file, below 'spec:'."""
    return f"apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: {name}\nspec:\n{spec.strip(chr(10))}\n"


def new_folder() -> Path:
    """One that the cases of a file share: policies name paths before a case runs. Removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="tetragon-policy-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def folder_of(policies: list[str]) -> str:
    path = new_folder()
    for number, text in enumerate(policies):
        (path / f"{number:02}.yaml").write_text(text)
    return str(path)


def syscall(name: str, *arguments) -> int:
    plain = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    return LIBC.syscall(ctypes.c_long(NUMBERS[name]), *plain)


def child(action) -> int:
    """Runs the action in a process of its own; its pid, when it has ended."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except OSError:
            pass  # many triggers are refused, which is no less a trigger
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


def is_hit(event: dict, name: str, pid: int, kind: str = "process_kprobe") -> bool:
    inner = event.get(kind, {})
    return inner.get("policy_name") == name and inner["process"].get("pid") == pid


def hits(daemon, name: str, pid: int, kind: str = "process_kprobe") -> list[dict]:
    """All there are, once the end of the process is known: nothing of it comes after."""
    daemon.events.wait_exit(pid)
    return [event[kind] for event in daemon.events.find(lambda e: is_hit(e, name, pid, kind))]


def hit(daemon, name: str, pid: int, predicate=lambda inner: True, kind: str = "process_kprobe") -> dict:
    """The first one, of a process that has ended, that the predicate accepts."""
    found = hits(daemon, name, pid, kind)
    chosen = [inner for inner in found if predicate(inner)]
    assert chosen, f"no such event of policy {name}, pid {pid}; those there are: {found}"
    return chosen[0]


def value(argument: dict):
    """What an argument says, without the name of its type: numbers of 64 bits are text in JSON."""
    rest = {key: one for key, one in argument.items() if key not in ("label", "resolve")}
    assert len(rest) == 1, argument
    return next(iter(rest.values()))


def states(daemon) -> dict[str, dict]:
    listed = json.loads(daemon.tetra("tracingpolicy", "list", "-o", "json").stdout)
    return {one["name"]: one for one in listed.get("policies", [])}


def check_loaded(daemon) -> dict[str, dict]:
    listed = states(daemon)
    bad = {name: (one["state"], one.get("error")) for name, one in listed.items() if one["state"] != "TP_STATE_ENABLED"}
    assert listed and not bad, bad
    return listed
