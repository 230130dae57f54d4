# SPDX-License-Identifier: Apache-2.0
"""Start, stop, signals, a second instance, a crash: what is there afterwards and what is not."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from lib import Skip, TIME_SCALE, requires, scaled, sensor, spawn, timeout
from lib.workload import check_graph, compare, run_workload


def kernel_objects(pid: int) -> dict[str, set[int]]:
    """Ids of the BPF programs, maps and links a process holds."""
    found = {"prog": set(), "map": set(), "link": set()}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                text = file.read()
        except OSError:
            continue
        for kind in found:
            match = re.search(rf"^{kind}_id:\s*(\d+)$", text, re.M)
            # A link's file names its program too.
            if match:
                found[kind].add(int(match.group(1)))
    return found


def left_over(objects: dict[str, set[int]]) -> dict[str, set[int]]:
    return {kind: {one for one in ids if subprocess.run(["bpftool", kind, "show", "id", str(one)], capture_output=True).returncode == 0}
            for kind, ids in objects.items()}


def assert_nothing_left(objects: dict[str, set[int]]) -> None:
    """The kernel frees some of it a moment later."""
    if shutil.which("bpftool") is None:
        raise Skip("no bpftool")
    deadline = time.monotonic() + 10 * TIME_SCALE
    while any(left := left_over(objects).values()):
        assert time.monotonic() < deadline, f"still in the kernel: {left}"
        time.sleep(0.1)


def refused(daemon, seconds: float = 30) -> str:
    """Starts what must not start; its log."""
    done = subprocess.run(daemon.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds * TIME_SCALE)
    assert done.returncode == 1, (done.returncode, done.stderr[-1000:])
    assert "level=fatal" in done.stderr, done.stderr[-1000:]
    return done.stderr


@sensor
def test_clean_stop(env):
    daemon = env.daemon()
    run = daemon.folder / "run"
    pid_file, info_file = run / "tetragon.pid", run / "tetragon-info.json"
    assert pid_file.read_text() == str(daemon.process.pid) and pid_file.stat().st_mode & 0o777 == 0o644
    info = json.loads(info_file.read_text())
    assert info_file.stat().st_mode & 0o777 == 0o744, oct(info_file.stat().st_mode)
    assert info["pid"] == daemon.process.pid and info["server_address"] == f"unix://{daemon.socket_path}", info
    assert info["export_fname"] == str(daemon.export_path), info
    objects = kernel_objects(daemon.process.pid)
    assert objects["prog"] and objects["map"], objects
    pins = f"/sys/fs/bpf/tetragon-test-{os.getpid()}-{daemon.folder.name}"
    child = spawn([env.program("exitor"), "exit", "0", "just before the end"])
    child.wait()
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 5 * TIME_SCALE
    assert not pid_file.exists() and not info_file.exists() and not daemon.socket_path.exists(), list(run.iterdir())
    assert not os.path.exists(pins), pins
    # What had happened before the signal is in the file.
    assert daemon.events.exits(child.pid), daemon.events.summary()
    assert_nothing_left(objects)


@sensor
def test_interrupt(env):
    daemon = env.daemon()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(15 * TIME_SCALE) == 0
    assert "signal=SIGINT" in daemon.log() and not daemon.socket_path.exists()


@sensor
def test_killed_and_started_again(env):
    """After kill -9 nothing is attached, and the next start in the same place is clean."""
    daemon = env.daemon()
    objects = kernel_objects(daemon.process.pid)
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.socket_path.exists() and (daemon.folder / "run" / "tetragon.pid").exists()
    assert_nothing_left(objects)
    daemon.start()
    child = spawn([env.program("exitor"), "exit", "5"])
    child.wait()
    assert daemon.events.wait_exit(child.pid)["status"] == 5
    assert len(daemon.events.exits(child.pid)) == 1
    assert daemon.stop() == 0
    assert not daemon.socket_path.exists()


@sensor
def test_killed_while_starting(env):
    """At any moment of the start: nothing stays."""
    for delay in (0.01, 0.03, 0.06, 0.1, 0.2):
        daemon = env.prepare_daemon()
        with daemon.log_path.open("ab") as log:
            daemon.process = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        time.sleep(delay * TIME_SCALE)
        objects = kernel_objects(daemon.process.pid) if daemon.alive() else {}
        daemon.process.send_signal(signal.SIGTERM)
        # Early on SIGTERM has its default action.
        assert daemon.process.wait(20 * TIME_SCALE) in (0, -signal.SIGTERM), daemon.log_tail()
        assert_nothing_left(objects)
        assert not daemon.socket_path.exists()


@sensor
def test_second_instance(env):
    first = env.daemon()
    second = env.prepare_daemon(f"--run-dir={first.folder / 'run'}")
    log = refused(second)
    assert "tetragon.pid" in log and str(first.process.pid) in log and "another instance" in log, log
    assert first.alive() and first.tetra("status").stdout == "Health Status: running\n"
    assert (first.folder / "run" / "tetragon.pid").read_text() == str(first.process.pid)
    # Another run folder, but the same socket.
    third = env.prepare_daemon(f"--server-address=unix://{first.socket_path}")
    log = refused(third)
    assert str(first.socket_path) in log, log
    assert first.alive() and first.tetra("status").stdout == "Health Status: running\n"
    child = spawn([env.program("exitor"), "exit", "2"])
    child.wait()
    assert len(first.events.wait_exit(child.pid)) and first.stop() == 0


@sensor
def test_two_side_by_side(env):
    """With places of their own they do not disturb each other."""
    first, second = env.daemon(), env.daemon()
    known = run_workload(env, 40)
    for daemon in (first, second):
        assert daemon.stop() == 0
        daemon.events.poll()
        compare(daemon.events.all, known)


@sensor
def test_stale_pid_file(env):
    daemon = env.prepare_daemon()
    run = daemon.folder / "run"
    run.mkdir()
    # The pid of a process that runs but is no tetragon: it was reused.
    (run / "tetragon.pid").write_text(str(os.getpid()))
    daemon.start()
    assert (run / "tetragon.pid").read_text() == str(daemon.process.pid)
    assert daemon.stop() == 0


@sensor
def test_signals(env):
    """SIGRTMIN+20, +21, +22: trace, debug, back to the level of the configuration."""
    daemon = env.daemon("--log-level=warn")
    for number, name in ((20, "TRACE"), (21, "DEBUG"), (22, "WARN")):
        daemon.process.send_signal(signal.SIGRTMIN + number)
        deadline = time.monotonic() + 5 * TIME_SCALE
        while f"LOG_LEVEL_{name}" not in (text := daemon.tetra("loglevel", "get").stdout):
            assert time.monotonic() < deadline, (number, text)
    assert daemon.stop() == 0


def test_no_plugin(env):
    """Without any plugin: it starts, says so, and serves what needs none."""
    empty = env.tmp / "plugins"
    empty.mkdir()
    daemon = env.daemon(f"--plugin-dir={empty}")
    assert "no plugin found" in daemon.log() and str(empty) in daemon.log(), daemon.log_tail()
    assert "will see no events" in daemon.log(), daemon.log_tail()
    version = daemon.tetra("version", "--server").stdout
    assert "Server version: " in version, version
    sensors = daemon.tetra("sensors", "list").stdout
    assert "process" not in sensors, sensors
    env.run("/bin/true")
    assert daemon.stop() == 0
    assert not daemon.export_path.exists() or not daemon.export_path.read_text(), daemon.export_path.read_text()


@requires("bpf", "btf")
def test_plugin_is_refused(env):
    """What others could write is not loaded into a process of root; the others go on without it."""
    source = env.build / "lib" / "tetragon"
    folder = env.tmp / "plugins"
    shutil.copytree(source, folder)
    (folder / "hooks" / "process.so").chmod(0o777)
    daemon = env.daemon(f"--plugin-dir={folder}")
    assert "plugin refused" in daemon.log() and "process.so" in daemon.log(), daemon.log_tail()
    assert daemon.stop() == 0
    done = env.run(daemon.binary, "--list-plugins", f"--plugin-dir={folder}", "--log-level=error")
    assert "refused" in done.stdout and "process.so" in done.stdout, done.stdout
    done = env.run(daemon.binary, "--list-plugins", "--log-level=error")
    assert re.search(r"hook +tetragon\.process +\S+ +loaded", done.stdout), done.stdout


@sensor
def test_tcp_and_health(env):
    """Only on request; tetra finds the server by what the daemon published."""
    def free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]
    port, health = free_port(), free_port()
    daemon = env.prepare_daemon(f"--server-address=localhost:{port}", f"--health-server-address=127.0.0.1:{health}")
    with daemon.log_path.open("ab") as log:
        daemon.process = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 20 * TIME_SCALE
    while "running" not in subprocess.run([daemon.tetra_binary, "--server-address", f"localhost:{port}", "--retries=0", "status"],
                                          capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline and daemon.alive(), daemon.log_tail()
        time.sleep(0.05)
    # It is opened after the other one.
    while True:
        try:
            socket.create_connection(("127.0.0.1", health), 5).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline and daemon.alive(), daemon.log_tail()
            time.sleep(0.05)
    # Nothing else listens: its sockets are these two.
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True)
    if listening.returncode == 0:
        ours = [line for line in listening.stdout.splitlines() if f"pid={daemon.process.pid}," in line]
        assert all(re.search(rf"(127\.0\.0\.1|\[::ffff:127\.0\.0\.1\]|\[::1\]):({port}|{health})\b", line) for line in ours), ours
    assert daemon.stop() == 0


@sensor
def test_address_that_cannot_be(env):
    file = env.tmp / "file"
    file.write_text("keep me")
    folder = env.tmp / "folder"
    folder.mkdir()
    for address, word in ((f"unix://{file}/x.sock", str(file)), (f"unix://{file}", str(file)), (f"unix://{folder}", str(folder)),
                          ("localhost:notaport", "notaport"), ("unix://" + "x" * 300, "x" * 50)):
        log = refused(env.prepare_daemon(f"--server-address={address}"))
        assert word in log, (address, log[-600:])
    assert file.read_text() == "keep me" and folder.is_dir()


@sensor
@timeout(90)
def test_restarts_during_work(env):
    """Stop and start while processes come and go: each run's stream is right by itself."""
    command = [env.program("workload"), "100000000", "4", f"restart{os.getpid()}", env.program("exitor"), env.program("threads")]
    storm = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(scaled(3)):
            daemon = env.daemon("--rb-size-total=32M")
            objects = kernel_objects(daemon.process.pid)
            assert daemon.stop(timeout=30) == 0
            daemon.events.poll()
            check_graph(daemon.events.all, allow_unknown=True)
            balance = daemon.balance()
            assert balance["produced"] == balance["received"] + balance["lost_ring_full"] + balance["lost_no_scratch"], balance
            assert_nothing_left(objects)
    finally:
        os.killpg(storm.pid, signal.SIGKILL)
        storm.wait()


def test_not_root(env):
    """Says what is missing instead of failing later."""
    def become_nobody():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    daemon = env.prepare_daemon()
    daemon.folder.chmod(0o777)
    done = subprocess.run(daemon.command, capture_output=True, text=True, preexec_fn=become_nobody, timeout=30 * TIME_SCALE)
    if done.returncode == 126 or "Permission denied" in done.stderr and "level=" not in done.stderr:
        raise Skip("the build folder cannot be read by other users")
    assert done.returncode == 1 and "level=fatal" in done.stderr, done
    assert re.search("root|CAP_|privilege", done.stderr), done.stderr[-1500:]


def test_exit_codes_of_information(env):
    tetragon = env.build / "bin" / "tetragon"
    for option in ("--help", "--version", "--print-config", "--generate-docs"):
        done = env.run(tetragon, option)
        assert done.stdout and "msg=" not in done.stdout, option
