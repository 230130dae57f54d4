# SPDX-License-Identifier: Apache-2.0
"""What the cases of tracepoints share: policies written as data, a daemon with them, one run of tests/e2e/programs/calls.c."""

import json
import subprocess
import time
from pathlib import Path

from lib import TIME_SCALE


def policy(name: str, section: str, *hooks: dict, **spec) -> str:
    """JSON is YAML."""
    return json.dumps({"apiVersion": "cilium.io/v1alpha1", "kind": "TracingPolicy", "metadata": {"name": name},
                       "spec": {section: list(hooks), **spec}})


def backend(name: str) -> dict:
    return {"options": [{"name": "backend", "value": name}]}


def arg(index: int, kind: str, **more) -> dict:
    return {"index": index, "type": kind, **more}


def returns(kind: str = "int") -> dict:
    return {"return": True, "returnArg": {"index": 0, "type": kind}}


def by_calls(env) -> dict:
    """Part of a selector: only the program of these cases."""
    return {"matchBinaries": [{"operator": "In", "values": [str(env.program("calls"))]}]}


class Hooks:
    """A daemon with policies, and runs of the program under it."""

    def __init__(self, env, *policies: str):
        self.env = env
        self.daemon = env.daemon()
        # The first matchBinaries loads the program that looks at running processes; it stays, attached to nothing.
        self.add(policy("first", "kprobes", {"call": "sys_getpgid", "syscall": True, "selectors": [by_calls(env)]}))
        self.delete("first")
        self.idle = self.attached()
        for number, text in enumerate(policies):
            self.add(text, number)

    def add(self, text: str, number: int = 0):
        path = Path(self.env.tmp, f"policy-{number}.yaml")
        path.write_text(text)
        self.daemon.tetra("tracingpolicy", "add", str(path), timeout=60)

    def listing(self) -> dict[str, dict]:
        return {one["name"]: one for one in json.loads(
            self.daemon.tetra("tracingpolicy", "list", "-o", "json").stdout)["policies"]}

    def delete(self, name: str):
        self.daemon.tetra("tracingpolicy", "delete", name)

    def attached(self) -> tuple[int, int]:
        """Links and programs that the daemon keeps, by the kernel's account."""
        names = []
        for entry in Path(f"/proc/{self.daemon.process.pid}/fd").iterdir():
            try:
                names.append(entry.readlink().name)
            except FileNotFoundError:
                continue
        return sum("bpf_link" in one or "bpf-link" in one for one in names), sum("bpf-prog" in one for one in names)

    def wait_idle(self):
        """Nothing more is attached than before the first policy."""
        deadline = time.monotonic() + 10 * TIME_SCALE
        while self.attached() != self.idle and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.attached() == self.idle, (self.attached(), self.idle)

    def run(self) -> "Run":
        source = Path(self.env.tmp, "in.txt")
        source.write_text("sixteen bytes are read\n")
        target = Path(self.env.tmp, "out.txt")
        process = subprocess.Popen([self.env.program("calls"), source, target], stdout=subprocess.PIPE, text=True)
        printed = process.communicate(timeout=30 * TIME_SCALE)[0].strip()
        self.daemon.events.wait_exit(process.pid)
        return Run(self.daemon.events.all, process.pid, printed, str(source), str(target))


class Run:
    """Events of one run by the name of their policy."""

    def __init__(self, events: list[dict], pid: int, printed: str, source: str, target: str):
        self.pid, self.printed, self.source, self.target = pid, printed, source, target
        self.events: dict[str, list[dict]] = {}
        for event in events:
            for kind in ("process_kprobe", "process_tracepoint", "process_lsm"):
                inner = event.get(kind, {})
                if inner.get("process", {}).get("pid") == pid:
                    self.events.setdefault(inner["policy_name"], []).append(inner)

    def of(self, name: str) -> list[dict]:
        return self.events.get(name, [])

    def one(self, name: str) -> dict:
        found = self.of(name)
        assert len(found) == 1, f"{name}: {found}; events of {sorted(self.events)}"
        return found[0]
