#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the documents promise: user-space cost per event, kernel cost per program, cost of a workload, memory,
start time. Prints a table and writes JSON. Needs root. One command: tests/bench/run.py [build/release]"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PROCESSES = 10000


def rusage_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_ns_of(pid):
    """Sum over threads, in ns where the kernel has schedstats, else by clock ticks."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total
    except OSError:
        return int(rusage_of(pid) * 1e9)


def memory_of(pid):
    values = {}
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(("VmRSS", "RssAnon", "RssFile", "RssShmem")):
                name, value = line.split(":")
                values[name] = int(value.split()[0])
    return values


class Daemon:
    def __init__(self, build, *options):
        self.folder = tempfile.mkdtemp(prefix="tgbench.")
        self.events = os.path.join(self.folder, "events.json")
        self.log = os.path.join(self.folder, "log")
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [os.path.join(build, "bin/tetragon"), "--run-dir", self.folder, "--health-server-address", "",
             "--server-address", f"unix://{self.folder}/tetragon.sock", "--export-filename", self.events,
             "--export-file-max-size-mb", "1000", *options],
            stdout=subprocess.DEVNULL, stderr=open(self.log, "w"))
        while not (os.path.exists(self.events) and os.path.getsize(self.events)):
            if self.process.poll() is not None:
                sys.exit("the daemon ended:\n" + open(self.log).read())
            time.sleep(0.002)
        self.first_event = time.monotonic() - self.begin
        while "Listening for events" not in open(self.log).read():
            time.sleep(0.01)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return open(self.log).read()


def spawn(build, count):
    out = subprocess.run([os.path.join(build, "obj/bin/bench_spawn"), str(count)], check=True, capture_output=True)
    return float(out.stdout)


def program_stats():
    """Name -> (run count, run time) of the loaded tracing programs that are ours."""
    out = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, capture_output=True).stdout
    return {p["name"]: (p.get("run_cnt", 0), p.get("run_time_ns", 0)) for p in json.loads(out) if p.get("name", "")}


def kernel_cost(build):
    before_switch = open("/proc/sys/kernel/bpf_stats_enabled").read()
    with open("/proc/sys/kernel/bpf_stats_enabled", "w") as f:
        f.write("1")
    try:
        foreign = set(program_stats())
        daemon = Daemon(build)
        rounds = {}
        for _ in range(5):
            before = program_stats()
            spawn(build, 2000)
            for name, (count, ns) in program_stats().items():
                if name in foreign or count == before.get(name, (0, 0))[0]:
                    continue
                old = before.get(name, (0, 0))
                rounds.setdefault(name, []).append((ns - old[1]) / (count - old[0]))
        daemon.stop()
        return {name: statistics.median(values) for name, values in rounds.items()}
    finally:
        with open("/proc/sys/kernel/bpf_stats_enabled", "w") as f:
            f.write(before_switch)


def workload(build, rounds=3):
    """Interleaved with and without the daemon, so that the machine's mood hits both."""
    without, with_daemon, cpu = [], [], []
    idle_memory = after_memory = {}
    first = []
    for _ in range(rounds):
        without.append(spawn(build, PROCESSES))
        daemon = Daemon(build)
        first.append(daemon.first_event)
        time.sleep(1)
        idle_memory = memory_of(daemon.process.pid)
        begin = cpu_ns_of(daemon.process.pid)
        with_daemon.append(spawn(build, PROCESSES))
        time.sleep(0.5)
        cpu.append((cpu_ns_of(daemon.process.pid) - begin) / PROCESSES)
        after_memory = memory_of(daemon.process.pid)
        daemon.stop()
    base = statistics.median(without)
    return {
        "process_us": base / PROCESSES * 1e6,
        "slow_down_percent": (statistics.median(with_daemon) / base - 1) * 100,
        "daemon_cpu_us_per_process": statistics.median(cpu) / 1e3,
        "memory_idle_kb": idle_memory,
        "memory_after_kb": after_memory,
        "start_to_first_event_ms": statistics.median(first) * 1e3,
    }


def user_space(build):
    folder = tempfile.mkdtemp(prefix="tgbench.")
    recording = os.path.join(folder, "recording")
    daemon = Daemon(build, "--record", recording)
    spawn(build, PROCESSES)
    time.sleep(0.3)
    daemon.stop()
    figures = {}
    for mode in ("decode", "json", "json-file", "wire", "grpc"):
        runs = []
        # One core: threads on sibling cores slow each other down and CPU time would count that as work. The gRPC client
        # is a process of its own and gets the other core.
        pin = None if mode == "grpc" else lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for _ in range(3):
            out = subprocess.run([os.path.join(build, "obj/bin/pipeline_bench"), recording, mode, "10"], check=True,
                                 capture_output=True, preexec_fn=pin)
            runs.append(json.loads(out.stdout))
        runs.sort(key=lambda run: run["cpu_ns_per_event"])
        figures[mode] = runs[1]
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("run as root: BPF programs are loaded")
    figures = {"user_space": user_space(args.build), "workload": workload(args.build),
               "kernel_ns": kernel_cost(args.build)}
    rows = []
    budgets = {"decode": "", "json": "1000", "json-file": "1000", "wire": "", "grpc": "2000"}
    for mode, run in figures["user_space"].items():
        rows.append((f"record -> {mode}", f"{run['cpu_ns_per_event']:.0f} ns CPU/event", budgets[mode]))
    rows.append(("replay to a JSON file", f"{figures['user_space']['json-file']['events_per_second']:.0f} events/s", "1000000"))
    for name, value in sorted(figures["kernel_ns"].items()):
        rows.append((f"kernel, program {name}", f"{value:.0f} ns/run", ""))
    w = figures["workload"]
    rows.append(("fork+exec+exit of one process", f"{w['process_us']:.1f} us", ""))
    rows.append(("daemon CPU per process", f"{w['daemon_cpu_us_per_process']:.2f} us", "5"))
    rows.append(("slow-down of the workload", f"{w['slow_down_percent']:.1f} %", "1"))
    rows.append(("resident memory, idle", f"{w['memory_idle_kb']['VmRSS'] / 1024:.1f} MB", "25"))
    rows.append((f"resident memory, after {PROCESSES}", f"{w['memory_after_kb']['VmRSS'] / 1024:.1f} MB", ""))
    rows.append(("start to first event", f"{w['start_to_first_event_ms']:.0f} ms", "250"))
    print(f"{'figure':36} {'measured':24} budget")
    for name, value, budget in rows:
        print(f"{name:36} {value:24} {budget}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(figures, f, indent=1)


if __name__ == "__main__":
    main()
