# SPDX-License-Identifier: Apache-2.0
"""The client against a running daemon, and against none."""

import json
import os
import re
import signal
import socket
import subprocess

from lib import TIME_SCALE, scaled, sensor, spawn, timeout
from lib.stream import Stream


def trigger(env, *words: str):
    return lambda: spawn([env.program("exitor"), "exit", "3", *words]).wait()


def stream_line(env, daemon, arguments, text: str, words) -> tuple[str, list[str]]:
    """The first line with the text, and all lines."""
    with Stream(daemon, env.tmp, *arguments) as stream:
        line = stream.wait(lambda one: text in one, again=trigger(env, *words))
        return line, stream.lines()


@sensor
def test_json_is_the_exported_event(env):
    daemon = env.shared_daemon()
    with Stream(daemon, env.tmp) as stream:
        stream.wait(lambda line: "connected" in line, again=trigger(env, "connected"))
        child = spawn([env.program("exitor"), "exit", "3", "compare", "me"])
        child.wait()
        lines = [stream.wait(lambda line, k=kind: f'"{k}"' in line and "compare me" in line) for kind in ("process_exec", "process_exit")]
    daemon.events.wait_exit(child.pid)
    exported = daemon.events.find(lambda e: "compare me" in json.dumps(e))
    assert [json.loads(line) for line in lines] == exported, (lines, exported)


@sensor
def test_event_types(env):
    daemon = env.shared_daemon()
    for name, kind in (("PROCESS_EXEC", "process_exec"), ("PROCESS_EXIT", "process_exit")):
        _, lines = stream_line(env, daemon, ("-e", name), "of one type", ("of one type",))
        assert {next(iter(json.loads(line))) for line in lines} == {kind}, lines
    done = daemon.tetra("getevents", "-e", "NO_SUCH", check=False)
    assert done.returncode == 1 and "NO_SUCH" in done.stderr and "PROCESS_EXEC" in done.stderr, done


@sensor
def test_filters(env):
    daemon = env.shared_daemon()
    for arguments, matches in (
            (("--process", "exitor$"), lambda e: e["process"]["binary"].endswith("exitor")),
            (("--process", "nothing,exitor"), lambda e: "exitor" in e["process"]["binary"]),
            (("--host", "--process", "exitor"), lambda e: "pod" not in e["process"]),
            (("--cel-expression", "process_exec.process.arguments.contains('filtered')"), lambda e: "filtered" in e["process"]["arguments"])):
        _, lines = stream_line(env, daemon, arguments, "filtered", ("filtered",))
        for line in lines:
            member = next(iter(json.loads(line).values()))
            assert matches(member), (arguments, line)
    for arguments in (("--namespace", "kube-system"), ("--pod", "."), ("--policy-names", "some-policy"), ("--process", "^none$")):
        with Stream(daemon, env.tmp, *arguments) as silent:
            with Stream(daemon, env.tmp, "--process", "exitor") as other:
                other.wait(lambda line: "unfiltered" in line, again=trigger(env, "unfiltered"))
            assert not silent.lines() and silent.process.poll() is None, (arguments, silent.lines()[:1], silent.errors())
    for arguments, text in ((("--process", "("), "binary"), (("--cel-expression", "process_exec."), "cel")):
        done = daemon.tetra("getevents", *arguments, check=False)
        assert done.returncode == 1 and text in done.stderr, done


@sensor
def test_compact(env):
    daemon = env.shared_daemon()
    node = os.uname().nodename
    program = str(env.program("exitor"))
    line, lines = stream_line(env, daemon, ("-o", "compact", "--color=never", "-e", "PROCESS_EXEC"), "compactly",
                              ("compactly", "two words", "\x1b[2J\x07"))
    assert line.startswith(f"\U0001f680 process {node} {program} exit 3 compactly "), line
    with Stream(daemon, env.tmp, "-o", "compact", "--process", "exitor$") as stream:
        stream.wait(lambda one: one.startswith(f"\U0001f4a5 exit    {node} {program} exit 3 ends 3"), again=trigger(env, "ends"))
        # No terminal: no colours. And never a control character of an event.
        assert "\x1b" not in stream.path.read_text(), stream.lines()
    assert not [one for one in lines if re.search("[\x00-\x08\x0b-\x1f\x7f]", one)], lines
    line, _ = stream_line(env, daemon, ("-o", "compact", "--color=always", "-e", "PROCESS_EXEC"), "coloured", ("coloured",))
    assert "\x1b[" in line, line
    line, _ = stream_line(env, daemon, ("-o", "compact", "--timestamps", "--color=never"), "timed", ("timed",))
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \S+ (process|exit) ", line), line


@sensor
def test_field_masks(env):
    daemon = env.shared_daemon()
    line, _ = stream_line(env, daemon, ("-f", "process.arguments,parent.pid", "-e", "PROCESS_EXEC"), "masked", ("masked",))
    assert json.loads(line)["process_exec"] == {"process": {"arguments": "exit 3 masked"}, "parent": {"pid": os.getpid()}}, line
    line, _ = stream_line(env, daemon, ("-F", "parent,process.exec_id", "-e", "PROCESS_EXEC"), "unmasked", ("unmasked",))
    member = json.loads(line)["process_exec"]
    assert "parent" not in member and "exec_id" not in member["process"] and member["process"]["pid"], line
    done = daemon.tetra("getevents", "-f", "process.nothing", check=False)
    assert done.returncode == 1 and "process.nothing" in done.stderr, done


@sensor
def test_standard_input(env):
    """A file of the daemon through a pipe: the same choices, without the daemon."""
    daemon = env.shared_daemon()
    child = spawn([env.program("exitor"), "exit", "3", "from a file"])
    child.wait()
    daemon.events.wait_exit(child.pid)
    data = "".join(line for line in daemon.export_path.read_text().splitlines(keepends=True) if "from a file" in line or "<kernel>" in line)
    data += "no json\n{}\n"

    def tetra(*arguments):
        return subprocess.run([daemon.tetra_binary, "getevents", *arguments], input=data, capture_output=True, text=True, timeout=30 * TIME_SCALE)
    done = tetra("-o", "compact", "--color=never", "--process", "exitor", "-e", "PROCESS_EXIT")
    assert done.returncode == 0 and done.stdout.count("\n") >= 1, done
    assert all(line.startswith("\U0001f4a5 exit ") and line.endswith('exit 3 "from a file" 3') for line in done.stdout.splitlines()), done.stdout
    done = tetra("-f", "process.arguments", "--process", "exitor")
    assert {json.dumps(next(iter(json.loads(line).values()))) for line in done.stdout.splitlines()} == {
        json.dumps({"process": {"arguments": 'exit 3 "from a file"'}})}, done.stdout


@sensor
def test_unary_commands(env):
    daemon = env.shared_daemon()
    assert daemon.tetra("status").stdout == "Health Status: running\n"
    version = daemon.tetra("version", "--server").stdout
    assert re.fullmatch(r"CLI version: (\S+)\nServer version: \1\n", version), version
    info = json.loads(daemon.tetra("info").stdout)
    assert info["Name"] == "tetragon" and info["Probes"]["large"] is True, info
    assert info["Conf"]["server-address"] == f"unix://{daemon.socket_path}" and info["Conf"]["rb-size"] == "0", info["Conf"]
    sensors = daemon.tetra("sensors", "list").stdout
    assert "tetragon.process" in sensors and "enabled" in sensors, sensors
    policy = env.tmp / "policy.yaml"
    policy.write_text("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: x\nspec: {}\n")
    assert daemon.tetra("tracingpolicy", "add", policy).stdout == f'tracing policy "{policy}" added\n'
    assert daemon.tetra("tracingpolicy", "list").stdout.splitlines()[1].split()[1:3] == ["x", "enabled"]
    assert daemon.tetra("tracingpolicy", "delete", "x").stdout == 'tracing policy "x" deleted\n'
    done = daemon.tetra("tracingpolicy", "delete", "x", check=False)
    assert done.returncode == 1 and done.stderr.startswith("Error: ") and "no tracing policy" in done.stderr, done


@sensor
def test_log_level(env):
    daemon = env.daemon()
    assert daemon.tetra("loglevel", "get").stdout == "Current log level: LOG_LEVEL_INFO\n"
    assert daemon.tetra("loglevel", "set", "debug").stdout == "Log level set to: LOG_LEVEL_DEBUG\n"
    assert daemon.tetra("loglevel", "get").stdout == "Current log level: LOG_LEVEL_DEBUG\n"
    trigger(env)()
    assert "level=debug" in daemon.log(), daemon.log_tail()
    assert daemon.tetra("loglevel", "set", "nonsense", check=False).returncode == 1
    daemon.tetra("loglevel", "set", "error")
    assert daemon.stop() == 0
    assert "stopping" not in daemon.log(), "the level error shows info messages"


def test_no_daemon(env):
    """Where it looked, why that failed, what to do; never a wait without end."""
    tetra = env.build / "bin" / "tetra"
    absent = env.tmp / "absent.sock"
    stale = env.tmp / "stale.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    for path, reason in ((absent, "no socket"), (stale, "")):
        done = env.run(tetra, "--server-address", f"unix://{path}", "--retries=0", "getevents", check=False)
        assert done.returncode == 1 and str(path) in done.stderr and reason in done.stderr, done
        assert done.stderr.startswith("Error: ") and not done.stdout, done
    done = env.run(tetra, "--server-address", f"unix://{absent}", "--retries=0", "status", check=False)
    assert done.returncode == 0 and "status error: " in done.stdout + done.stderr, done
    done = env.run(tetra, "--server-address", "nonsense", "--retries=0", "version", "--server", check=False)
    assert done.returncode == 1 and "nonsense" in done.stderr, done


@sensor
def test_socket_of_root(env):
    """0660: others are told that it is a matter of permission."""
    daemon = env.shared_daemon()
    assert os.stat(daemon.socket_path).st_mode & 0o777 == 0o660, oct(os.stat(daemon.socket_path).st_mode)
    # The folder is open to all here, so that the socket itself is what refuses.
    for folder in (daemon.folder, daemon.folder.parent):
        folder.chmod(0o755)

    def become_nobody():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    done = subprocess.run([daemon.tetra_binary, "--server-address", f"unix://{daemon.socket_path}", "--retries=0", "info"],
                          capture_output=True, text=True, preexec_fn=become_nobody, timeout=30 * TIME_SCALE)
    assert done.returncode == 1 and "ermi" in done.stderr and str(daemon.socket_path) in done.stderr, done


@sensor
@timeout(90)
def test_slow_subscriber(env):
    """One that does not read loses its own events, is told how many, and slows nobody."""
    daemon = env.daemon("--event-queue-size=200", "--rb-size-total=32M", "--export-file-max-size-mb=1000")
    with Stream(daemon, env.tmp) as slow:
        slow.wait(lambda line: "connected" in line, again=trigger(env, "connected"))
        slow.process.send_signal(signal.SIGSTOP)
        try:
            # More than the queue and the buffers of the connection hold.
            count = scaled(1500, 400)
            script = f"i=0; while [ $i -lt {count} ]; do {env.program('exitor')} exit 0 {'x' * 9000}; i=$((i+1)); done"
            subprocess.run(["/bin/sh", "-c", script], check=True)
            last = spawn([env.program("exitor"), "exit", "7", "the last"])
            last.wait()
            # The file has it while the client still stands still.
            daemon.events.wait_exit(last.pid)
        finally:
            slow.process.send_signal(signal.SIGCONT)
        slow.wait(lambda line: "lost_events" in line, "notice of the loss", again=trigger(env, "go on"))
        end = spawn([env.program("exitor"), "exit", "8", "the end"])
        end.wait()
        slow.wait(lambda line: "the end" in line and "process_exit" in line)
        events = [json.loads(line) for line in slow.lines()]
    daemon.events.wait_exit(end.pid)
    losses = [event["lost_events"] for event in events if "lost_events" in event]
    assert {one["cause"] for one in losses} == {"subscriber_queue_full"}, losses
    # Of what was exported between the first and the last event it got, each was delivered or counted.
    delivered = [key(event) for event in events if any(name.startswith("process_") for name in event)]
    exported = [key(event) for event in daemon.events.all]
    first, past = exported.index(delivered[0]), exported.index(("process_exit", end.pid, "exit 8 \"the end\"")) + 1
    delivered = delivered[:delivered.index(exported[past - 1]) + 1]
    lost = sum(int(one["count"]) for one in losses)
    assert lost > 0 and len(delivered) + lost == past - first, (len(delivered), lost, past - first)
    assert not daemon.events.find(lambda e: "lost_events" in e), "the file lost events too"
    assert daemon.stop() == 0


def key(event: dict) -> tuple:
    kind = next(name for name in event if name.startswith("process_"))
    process = event[kind]["process"]
    return kind, process["pid"], process.get("arguments", "")


@sensor
def test_many_clients(env):
    """Coming and going."""
    daemon = env.shared_daemon()
    streams = [Stream(daemon, env.tmp, "-e", "PROCESS_EXEC") for _ in range(scaled(12, 4))]
    try:
        for stream in streams:
            stream.wait(lambda line: "for all" in line, again=trigger(env, "for all"))
        for stream in streams[::2]:
            stream.process.kill()
        for stream in streams[1::2]:
            stream.wait(lambda line: "for the rest" in line, again=trigger(env, "for the rest"))
            assert stream.stop() == 0, stream.errors()
    finally:
        for stream in streams:
            stream.__exit__(None)
    assert daemon.alive() and daemon.tetra("status").stdout == "Health Status: running\n"
