#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a hook of a policy costs: per backend that this kernel has, nanoseconds of the hook's program per hit
(the kernel's accounting) for hits that each kind of selector filters out and for reported ones, time to load, kernel
memory. Prints a table. Needs root and bpftool: tests/bench/hooks.py [build/release] [--json FILE]"""

import argparse
import json
import os
import subprocess
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


def policy(name, backend, args, selectors):
    return (f"apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: {name}\nspec:\n  options:\n"
            f"  - name: backend\n    value: {backend}\n  kprobes:\n  - call: sys_lseek\n    syscall: true\n    args:\n{args}{selectors}")


def cost(program):
    """Nanoseconds per run, and runs, of all loaded programs whose name begins so. Tail calls count for who is attached."""
    programs = json.loads(subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, check=True, text=True).stdout)
    mine = [one for one in programs if one.get("name", "").startswith(program)]
    runs = sum(one.get("run_cnt", 0) for one in mine)
    return (sum(one.get("run_time_ns", 0) for one in mine) / runs if runs else 0.0), runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--json")
    parser.add_argument("--hits", type=int, default=HITS)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tgbench.")
    subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=1"], check=True)
    daemon = subprocess.Popen(
        [f"{options.build}/bin/tetragon", "--run-dir", folder, "--health-server-address", "", "--server-address",
         f"unix://{folder}/s.sock", "--export-filename", f"{folder}/events.json", "--export-denylist",
         '{"event_set":["PROCESS_KPROBE"]}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tetra = [f"{options.build}/bin/tetra", "--server-address", f"unix://{folder}/s.sock", "tracingpolicy"]
    rows = []
    try:
        for _ in range(100):
            if os.path.exists(f"{folder}/s.sock"):
                break
            time.sleep(0.1)
        bare = subprocess.run([f"{options.build}/obj/bin/bench_hits", str(options.hits), "/etc/hostname"],
                              capture_output=True, text=True, check=True).stdout.strip()
        print(f"{'no hook':57} {float(bare):8.1f} ns/call")
        for backend in BACKENDS:
            for number, (what, (args, selectors)) in enumerate(CASES.items()):
                name = f"bench-{number}"
                path = f"{folder}/{name}.yaml"
                with open(path, "w", encoding="ascii") as out:
                    out.write(policy(name, backend, args, selectors))
                begin = time.monotonic()
                added = subprocess.run([*tetra, "add", path], capture_output=True, text=True, check=False)
                load_ms = (time.monotonic() - begin) * 1000
                if added.returncode != 0:
                    print(f"{backend}: not on this kernel: {added.stderr.strip()[-200:]}")
                    subprocess.run([*tetra, "delete", name], capture_output=True, check=False)
                    break
                hits = options.hits // 20 if what.startswith("reported") else options.hits
                bare = subprocess.run([f"{options.build}/obj/bin/bench_hits", str(hits), "/etc/hostname"],
                                      capture_output=True, text=True, check=True).stdout.strip()
                ns, runs = cost(PROGRAMS[backend])
                listed = json.loads(subprocess.run([*tetra, "list", "-o", "json"], capture_output=True, text=True,
                                                   check=True).stdout)["policies"]
                memory = int(next(one for one in listed if one["name"] == name).get("kernel_memory_bytes", 0))
                subprocess.run([*tetra, "delete", name], capture_output=True, check=True)
                rows.append({"backend": backend, "what": what, "ns": round(ns, 1), "runs": runs, "call_ns": float(bare),
                             "load_ms": round(load_ms, 1), "kernel_memory": memory})
                print(f"{backend:20} {what:26} {ns:8.1f} ns/hit  {float(bare):8.1f} ns/call  load {load_ms:6.1f} ms  "
                      f"{memory / 1000:8.1f} kB", flush=True)
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=0"], check=False)
    if options.json:
        with open(options.json, "w", encoding="ascii") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
