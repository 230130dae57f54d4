#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a hook of a policy costs: per backend that this kernel has, nanoseconds of the hook's program per hit
(the kernel's accounting) for hits that each kind of selector filters out and for reported ones, time to load, kernel
memory; then what its actions cost, and how long after `tetra tracingpolicy add` they act. Prints a table. Needs root and
bpftool: tests/bench/hooks.py [build/release] [--json FILE] [--only filters|actions|latency]"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HITS = 1_000_000
BACKENDS = ("syscall-tracepoint", "fentry", "kprobe", "kprobe-multi")
PROGRAMS = {"syscall-tracepoint": "tg_dispatch_ent", "fentry": "tg_fentry", "kprobe": "tg_kprobe", "kprobe-multi": "tg_kprobe_multi"}
ARGS = {"number": "    - index: 2\n      type: int\n", "path": "    - index: 0\n      type: fd\n", "both":
        "    - index: 0\n      type: fd\n    - index: 1\n      type: int\n"}


def match(body):
    return "    selectors:\n    - " + body.replace("\n", "\n      ") + "\n"


CASES = {
    "filtered: integer": (ARGS["number"], match('matchArgs:\n- index: 2\n  operator: Equal\n  values: ["4444"]')),
    "filtered: pid": (ARGS["number"], match("matchPIDs:\n- operator: In\n  values: [1]")),
    "filtered: binary": (ARGS["number"], match('matchBinaries:\n- operator: In\n  values: ["/no/such"]')),
    "filtered: path Equal": (ARGS["path"], match('matchArgs:\n- index: 0\n  operator: Equal\n  values: ["/no/such/file"]')),
    "filtered: path Prefix": (ARGS["path"], match('matchArgs:\n- index: 0\n  operator: Prefix\n  values: ["/no/such/"]')),
    "reported: path, integer": (ARGS["both"], ""),
}


# Behind a selector that every hit matches. A Post behind one that held the event back does nothing at all.
LIMITED, WINCH = '{action: Post, rateLimit: "10m", rateLimitScope: global}', "{action: Signal, argSig: 28}"
ACTIONS = {
    "matched, NoPost": "{action: NoPost}",
    "1 action: Post held back": LIMITED,
    "3 actions, 2 do nothing": ", ".join([LIMITED] * 3),
    "Sigkill in monitor mode, NoPost": "{action: Sigkill}, {action: NoPost}",
    "Signal (ignored one), NoPost": f"{WINCH}, {{action: NoPost}}",
    "NotifyEnforcer, NoPost": "{action: NotifyEnforcer, argSig: 28}, {action: NoPost}",
    "reported: Post": "{action: Post}",
    "reported: Signal (ignored one)": WINCH,
    "reported: Post, kernel stack": "{action: Post, kernelStackTrace: true}",
    "reported: Post, user stack": "{action: Post, userStackTrace: true}",
}
LSEEK = 8 if os.uname().machine == "x86_64" else 62
OFFENCE = 7750001
OFFENDER = """
import ctypes, sys, time
call = ctypes.CDLL(None).getsid
print("ready", flush=True)
while True:
    call(%d)
    time.sleep(0.0002)
""" % OFFENCE


def policy(name, spec, options="  - {name: policy-mode, value: enforce}"):
    return (f"apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: {name}\nspec:\n  options:\n"
            f"{options}\n{spec}")


def hook(backend, args, selectors, call="lseek"):
    """Options and the section."""
    return (f"  - name: backend\n    value: {backend}\n  kprobes:\n  - call: sys_{call}\n    syscall: true\n    args:\n"
            f"{args}{selectors}")


def acting(name, way, what):
    """A policy whose hook all lseek(2) with SEEK_SET match."""
    index, value = (2, 0) if way != "raw tracepoint" else (1, LSEEK)
    wanted = 4444 if what == "filtered out" else value
    selectors = match(f'matchArgs:\n- index: {index}\n  operator: Equal\n  values: ["{wanted}"]\n'
                      f'matchActions: [{ACTIONS.get(what, "{action: Post}")}]')
    if way == "raw tracepoint":
        spec = ("  tracepoints:\n  - subsystem: raw_syscalls\n    event: sys_enter\n    raw: true\n    args:\n"
                f"    - index: 1\n      type: int64\n{selectors}")
    else:
        spec = hook(way, ARGS["number"], selectors)
    if "NotifyEnforcer" in what:
        spec += "  enforcers:\n  - calls: [sys_getsid]\n"
    mode = "monitor" if "monitor" in what else "enforce"
    return policy(name, spec, f"  - {{name: policy-mode, value: {mode}}}")


def cost(program):
    """Nanoseconds per run, and runs, of all loaded programs whose name begins so. Tail calls count for who is attached."""
    programs = json.loads(subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, check=True, text=True).stdout)
    mine = [one for one in programs if one.get("name", "").startswith(program)]
    runs = sum(one.get("run_cnt", 0) for one in mine)
    return (sum(one.get("run_time_ns", 0) for one in mine) / runs if runs else 0.0), runs


class Bench:
    """The daemon, and what policies of it cost. `rows`: everything measured."""

    def __init__(self, build, hits):
        self.build, self.hits, self.rows = build, hits, []
        self.folder = tempfile.mkdtemp(prefix="tgbench.")
        socket = f"{self.folder}/s.sock"
        self.daemon = subprocess.Popen(
            [f"{build}/bin/tetragon", "--run-dir", self.folder, "--health-server-address", "", "--server-address",
             f"unix://{socket}", "--export-filename", f"{self.folder}/events.json", "--export-denylist",
             '{"event_set":["PROCESS_KPROBE","PROCESS_TRACEPOINT"]}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.tetra = [f"{build}/bin/tetra", "--server-address", f"unix://{socket}", "tracingpolicy"]
        for _ in range(100):
            if os.path.exists(socket):
                break
            time.sleep(0.1)

    def run(self, hits):
        """Nanoseconds of one lseek(2)."""
        return float(subprocess.run([f"{self.build}/obj/bin/bench_hits", str(hits), "/etc/hostname"],
                                    capture_output=True, text=True, check=True).stdout)

    def add(self, name, text):
        """Milliseconds, or None and the reason."""
        path = f"{self.folder}/{name}.yaml"
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        begin = time.monotonic()
        added = subprocess.run([*self.tetra, "add", path], capture_output=True, text=True, check=False)
        if added.returncode != 0:
            subprocess.run([*self.tetra, "delete", name], capture_output=True, check=False)
            return None, added.stderr.strip()[-200:]
        return (time.monotonic() - begin) * 1000, ""

    def least(self, hits, rounds):
        """The same, of the round that was disturbed least."""
        return min(self.run(hits) for _ in range(rounds))

    def delete(self, name):
        subprocess.run([*self.tetra, "delete", name], capture_output=True, check=True)

    def measure(self, way, what, text, program, hits):
        """False: not on this kernel."""
        name = "bench"
        load_ms, reason = self.add(name, text)
        if load_ms is None:
            print(f"{way}: {what}: not on this kernel: {reason}")
            return False
        bare = self.run(hits)
        ns, runs = cost(program)
        listed = json.loads(subprocess.run([*self.tetra, "list", "-o", "json"], capture_output=True, text=True,
                                           check=True).stdout)["policies"]
        memory = int(next(one for one in listed if one["name"] == name).get("kernel_memory_bytes", 0))
        self.delete(name)
        self.rows.append({"backend": way, "what": what, "ns": round(ns, 1), "runs": runs, "call_ns": bare,
                          "load_ms": round(load_ms, 1), "kernel_memory": memory})
        print(f"{way:20} {what:31} {ns:8.1f} ns/hit  {bare:8.1f} ns/call  load {load_ms:6.1f} ms  "
              f"{memory / 1000:8.1f} kB", flush=True)
        return True

    def filters(self):
        for backend in BACKENDS:
            for what, (args, selectors) in CASES.items():
                hits = self.hits // 20 if what.startswith("reported") else self.hits
                if not self.measure(backend, what, policy("bench", hook(backend, args, selectors)), PROGRAMS[backend], hits):
                    break

    def actions(self):
        """By the calls' own time, beside calls that the hook filters out: the kernel's accounting would weigh more than an action."""
        subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=0"], check=True)
        bare = self.least(20000, 30)
        print(f"{'no hook':52} {bare:8.1f} ns/call")
        for way in ("syscall-tracepoint", "raw tracepoint", *BACKENDS[1:]):
            for what in ("filtered out", *ACTIONS):
                load_ms, reason = self.add("bench", acting("bench", way, what))
                if load_ms is None:
                    print(f"{way}: {what}: not on this kernel: {reason}")
                    break
                # Few at a time, so that the buffer never is full: a lost record costs less.
                ns = self.least(1000, 100) if what.startswith("reported") else self.least(20000, 30)
                self.delete("bench")
                if what == "filtered out":
                    base = ns
                self.rows.append({"backend": way, "what": what, "call_ns": ns, "beyond_bare_ns": round(ns - bare, 1),
                                  "beyond_filtered_ns": round(ns - base, 1), "load_ms": round(load_ms, 1)})
                print(f"{way:20} {what:31} {ns:8.1f} ns/call  beyond bare {ns - bare:7.1f}  beyond filtered out {ns - base:7.1f}",
                      flush=True)
        subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=1"], check=True)

    def latency(self, rounds=15):
        """A process does the same call all the time; how long it lives on when the policy is added."""
        selectors = match(f'matchArgs:\n- index: 0\n  operator: Equal\n  values: ["{OFFENCE}"]\nmatchActions: [{{action: Sigkill}}]')
        text = policy("bench", hook("syscall-tracepoint", "    - index: 0\n      type: int\n", selectors, "getsid"))
        path = f"{self.folder}/latency.yaml"
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        hit, answered = [], []
        for _ in range(rounds):
            offender = subprocess.Popen([sys.executable, "-c", OFFENDER], stdout=subprocess.PIPE, text=True)
            offender.stdout.readline()
            begin = time.monotonic()
            added = subprocess.Popen([*self.tetra, "add", path], stdout=subprocess.DEVNULL)
            code = offender.wait(30)
            hit.append((time.monotonic() - begin) * 1000)
            assert code == -signal.SIGKILL, code
            assert added.wait(30) == 0
            answered.append((time.monotonic() - begin) * 1000)
            self.delete("bench")
        for what, values in (("add to first enforced call", hit), ("add to answer", answered)):
            self.rows.append({"backend": "syscall-tracepoint", "what": what, "ms": round(statistics.median(values), 1)})
            print(f"{'syscall-tracepoint':20} {what:31} {statistics.median(values):8.1f} ms  "
                  f"({min(values):.1f} to {max(values):.1f} of {rounds})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--json")
    parser.add_argument("--hits", type=int, default=HITS)
    parser.add_argument("--only", choices=("filters", "actions", "latency"))
    options = parser.parse_args()
    subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=1"], check=True)
    bench = Bench(options.build, options.hits)
    try:
        print(f"{'no hook':62} {bench.run(options.hits):8.1f} ns/call")
        for part in ("filters", "actions", "latency"):
            if options.only in (None, part):
                getattr(bench, part)()
    finally:
        bench.daemon.terminate()
        bench.daemon.wait()
        subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=0"], check=False)
    if options.json:
        with open(options.json, "w", encoding="ascii") as out:
            json.dump(bench.rows, out, indent=1)


if __name__ == "__main__":
    main()
