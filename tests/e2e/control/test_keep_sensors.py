# SPDX-License-Identifier: Apache-2.0
"""--keep-sensors-on-exit: what stays attached when the daemon is gone, and how the next one takes over."""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from lib import Skip, TIME_SCALE, features, requires, sensor, timeout
from lib.policies import LIBC, check_loaded, policy, syscall

KEEP = "--keep-sensors-on-exit"
# Behind the program array of its system call, without a link of its own.
SYSCALL = policy("kept-syscall", """
  kprobes:
  - call: sys_getpgid
    args: [{index: 0, type: int}]
""")
TRACEPOINT = policy("kept-tracepoint", """
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
""")
NOT_LOADABLE = policy("not-loadable", """
  tracepoints:
  - subsystem: sched
    event: no_such_event
    raw: true
""")


def bpftool(*arguments: str):
    if shutil.which("bpftool") is None:
        raise Skip("no bpftool")
    done = subprocess.run(["bpftool", "-j", *map(str, arguments)], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def links() -> set[int]:
    # It fails when a link goes while it lists: no answer is not an empty one.
    for _ in range(100):
        if (shown := bpftool("link", "show")) is not None:
            return {one["id"] for one in shown}
    raise AssertionError("bpftool cannot list the links")


def folder_of(daemon) -> Path:
    return Path("/sys/fs/bpf") / next(one for one in daemon.command if one.startswith("--bpf-dir=")).split("=")[1]


def runs(daemon) -> list[str]:
    return sorted(one.name for one in folder_of(daemon).glob("run-*"))


def pinned(daemon, what: str = "link-*") -> list[Path]:
    return sorted(folder_of(daemon).glob(f"run-*/*/{what}"))


def pinned_ids(daemon) -> set[int]:
    shown = (bpftool("link", "show", "pinned", one) for one in pinned(daemon))
    return {(one[0] if isinstance(one, list) else one)["id"] for one in shown}


def wait_gone(ids: set[int]) -> None:
    deadline = time.monotonic() + 10 * TIME_SCALE
    while left := ids & links():
        assert time.monotonic() < deadline, f"still attached: {left}"
        time.sleep(0.1)


def kill(daemon) -> None:
    daemon.process.kill()
    daemon.process.wait()


def refused(daemon, *options: str) -> str:
    done = subprocess.run([*daemon.command, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * TIME_SCALE)
    assert done.returncode == 1 and "level=fatal" in done.stderr, (done.returncode, done.stderr[-2000:])
    return done.stderr


@contextlib.contextmanager
def kept(env, *options: str, policies=()):
    """A daemon of which nothing stays after the case, whatever happens."""
    if not Path("/sys/fs/bpf").is_dir() or subprocess.run(["stat", "-f", "-c", "%T", "/sys/fs/bpf"], capture_output=True,
                                                          text=True).stdout.strip() not in ("bpf_fs", "UNKNOWN (0xcafe4a11)"):
        raise Skip("no BPF file system at /sys/fs/bpf")
    daemon = env.prepare_daemon(KEEP, *options, policies=policies)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.kill()
        shutil.rmtree(folder_of(daemon), ignore_errors=True)


def filled(array: Path) -> int:
    dump = bpftool("map", "dump", "pinned", array) or []
    return sum("error" not in str(one.get("value", one)) for one in dump)


@sensor
@timeout(120)
def test_killed_and_taken_over(env):
    with kept(env, policies=[SYSCALL, TRACEPOINT]) as daemon:
        check_loaded(daemon)
        first = pinned_ids(daemon)
        # exec, fork, exit; the tracepoint; the program in front of the system call.
        assert len(first) >= 5 and len(runs(daemon)) == 1, (first, pinned(daemon))
        arrays = {one: filled(one) for one in folder_of(daemon).glob("run-*/map-*")}
        assert any(arrays.values()), arrays
        kill(daemon)
        time.sleep(1)
        assert first <= links(), "went with the daemon"
        assert {one: filled(one) for one in arrays} == arrays, "emptied with the daemon"

        # The old ones are there until the new ones are.
        samples, end = [], threading.Event()

        def watch():
            while not end.is_set():
                samples.append(links())
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            daemon.start()
        finally:
            end.set()
            watcher.join()
        second = pinned_ids(daemon)
        assert len(second) == len(first) and not first & second, (first, second)
        assert all(first <= one or second <= one for one in samples), "a moment without"
        assert len(samples) >= 3 and any(first <= one for one in samples)
        wait_gone(first)
        assert len(runs(daemon)) == 1 and runs(daemon)[0].startswith(f"run-{daemon.process.pid}-"), runs(daemon)
        assert f'msg="sensors of an earlier run removed"' in daemon.log() and f"links={len(first)}" in daemon.log(), daemon.log_tail()

        # An orderly end leaves them too, and takes the rest away.
        assert daemon.stop() == 0
        assert second <= links() and not daemon.socket_path.exists() and not (daemon.folder / "run" / "tetragon.pid").exists()
        assert "sensors stay attached" in daemon.log(), daemon.log_tail()

        # Without the option: the next start removes them, and leaves nothing.
        daemon.command.remove(KEEP)
        daemon.start()
        wait_gone(second)
        assert not folder_of(daemon).exists(), pinned(daemon)
        check_loaded(daemon)
        before = links()
        assert daemon.stop() == 0
        assert not folder_of(daemon).exists() and len(links()) < len(before)


@sensor
def test_policy_goes_at_once(env):
    with kept(env) as daemon:
        before, file = pinned_ids(daemon), env.tmp / "policy.yaml"
        for text, name in ((SYSCALL, "kept-syscall"), (TRACEPOINT, "kept-tracepoint")):
            file.write_text(text)
            daemon.tetra("tracingpolicy", "add", str(file))
            with_it = pinned_ids(daemon)
            assert with_it > before, (name, pinned(daemon))
            daemon.tetra("tracingpolicy", "delete", name)
            if name == "kept-tracepoint":
                assert pinned_ids(daemon) < with_it
                wait_gone(with_it - pinned_ids(daemon))
            before = pinned_ids(daemon)
        # Folders of objects that are gone are gone.
        assert all(any(one.iterdir()) for one in folder_of(daemon).glob("run-*/[0-9]*"))


NUMBER = 7691234  # no process has it
GUARDED = policy("guarded", f"""
  kprobes:
  - call: sys_getsid
    args: [{{index: 0, type: int}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{NUMBER}"]}}]
      matchActions: [{{action: Sigkill}}]
""")


def fork_as(pid: int) -> int:
    """The wait status of a process with this pid that does what the policy kills for."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not last.exists():
        raise Skip("this kernel lets nobody choose a pid (CONFIG_CHECKPOINT_RESTORE)")
    for _ in range(1000):
        last.write_text(str(pid - 1))
        child = os.fork()
        if child == 0:
            if os.getpid() == pid:
                syscall("getsid", NUMBER)
                time.sleep(0.2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if child == pid:
            return status
    raise AssertionError(f"no process got the pid {pid}")


@sensor
@timeout(120)
def test_pid_of_the_dead_daemon_is_not_spared(env):
    with kept(env, policies=[GUARDED]) as daemon:
        check_loaded(daemon)
        kill(daemon)
        for _ in range(2):
            status = fork_as(daemon.process.pid)
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status


@sensor
@timeout(120)
def test_new_daemon_is_spared(env):
    """By policies of a run that is kept, from the moment it knows of it: before it loads its first program."""
    load = policy("no-programs", f"""
  kprobes:
  - call: sys_bpf
    args: [{{index: 0, type: int}}]
    selectors:
    - matchBinaries: [{{operator: In, values: ["{env.build}/bin/tetragon"]}}]
      matchArgs: [{{index: 0, operator: Equal, values: ["{features.PROG_LOAD}"]}}]
      matchActions: [{{action: Sigkill}}]
""")
    with kept(env, policies=[load]) as daemon:
        check_loaded(daemon)
        kill(daemon)
        # Who looks elsewhere for earlier runs is nobody to this one.
        stranger = subprocess.run([*daemon.command, f"--bpf-dir={folder_of(daemon).name}-other"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=60 * TIME_SCALE)
        assert stranger.returncode == -signal.SIGKILL, (stranger.returncode, stranger.stderr[-2000:])
        for _ in range(2):
            daemon.start()
            check_loaded(daemon)
            assert daemon.alive() and len(runs(daemon)) == 1, runs(daemon)
            kill(daemon)


@sensor
@timeout(120)
def test_complete_before_the_old_one_goes(env):
    """Whenever a start is killed, what is left says which run had all its policies."""
    with kept(env, policies=[SYSCALL]) as daemon:
        old, = runs(daemon)
        root = folder_of(daemon)
        kill(daemon)
        starter = threading.Thread(target=daemon.start)
        starter.start()
        new = []
        while starter.is_alive() and not new:
            new = [one for one in runs(daemon) if one != old]
            time.sleep(0.01)
        lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # now nothing is removed
            starter.join()
            deadline = time.monotonic() + 5
            while not (root / new[0] / "complete").exists():
                assert time.monotonic() < deadline, "is to be complete only when the old one is gone"
                time.sleep(0.05)
            assert (root / old / "complete").exists(), runs(daemon)
        finally:
            os.close(lock)
        daemon.wait_log("sensors of an earlier run removed")
        assert runs(daemon) == new


@sensor
@timeout(120)
def test_folder_of_others(env):
    """What others may have put there is not believed: with the option it is no start, without it none of ours."""
    with kept(env) as daemon:
        ids = pinned_ids(daemon)
        kill(daemon)
        folder_of(daemon).chmod(0o777)
        why = "belongs to another user or can be written by others; remove it"
        assert why in refused(daemon) and ids <= links()
        daemon.command.remove(KEEP)
        daemon.start()
        assert why in daemon.log() and ids <= links(), daemon.log_tail()
        assert daemon.stop() == 0 and ids <= links()


@sensor
def test_no_mount_in_a_container(env):
    """It would end with the container, and what is enforced with it."""
    try:
        os.stat("/proc/1/ns/mnt")
    except OSError as error:
        raise Skip(f"nobody can tell a container from the host here: {error}") from None
    covered = "for place in /sys/fs/bpf /run/cilium/bpffs; do [ ! -d $place ] || mount -t tmpfs none $place || exit 77; done"
    daemon = env.prepare_daemon(KEEP)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f'{covered}; exec "$@"', "sh", *daemon.command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20 * TIME_SCALE)
    if done.returncode == 77 or "unshare" in done.stderr:
        raise Skip(f"no mount namespace: {done.stderr}")
    assert done.returncode == 1 and "a mount of this container would end with it; give it the host's /sys/fs/bpf" in done.stderr, done.stderr[-2000:]


@sensor
@timeout(120)
def test_start_that_fails(env):
    with kept(env, policies=[SYSCALL]) as daemon:
        first, run = pinned_ids(daemon), runs(daemon)
        kill(daemon)
        bad = f"--server-address=unix://{env.tmp}"
        refused(daemon, bad)
        assert runs(daemon) == run and first <= links()
        daemon.command.remove(KEEP)
        refused(daemon, bad, "--release-pinned-bpf=false")
        assert runs(daemon) == run and first <= links()
        log = refused(daemon, bad)
        assert not folder_of(daemon).exists() and "sensors of an earlier run removed" in log, log[-2000:]
        wait_gone(first)


@sensor
@timeout(120)
def test_policy_that_does_not_load_any_more(env):
    """What it enforced stays enforced until a start has all policies."""
    with kept(env, policies=[SYSCALL, TRACEPOINT]) as daemon:
        first, run = pinned_ids(daemon), runs(daemon)
        file = daemon.policy_dir / "01.yaml"
        for attempt in range(2):
            kill(daemon)
            file.write_text(NOT_LOADABLE)
            daemon.start()
            assert "not all policies of this start could be loaded" in daemon.log(), daemon.log_tail()
            # Of the failed attempts only the last one: they do not pile up.
            assert first <= links() and run[0] in runs(daemon) and len(runs(daemon)) == 2, (attempt, runs(daemon))
        kill(daemon)
        file.write_text(TRACEPOINT)
        daemon.start()
        assert len(runs(daemon)) == 1 and run[0] not in runs(daemon), runs(daemon)
        wait_gone(first)


@sensor
def test_other_daemon_is_left_alone(env):
    with kept(env) as first:
        ids = pinned_ids(first)
        second = env.daemon(f"--bpf-dir={folder_of(first).name}", KEEP)
        assert len(runs(first)) == 2 and "of another daemon that runs are left alone" in second.log(), second.log_tail()
        second.command.remove(KEEP)
        assert second.stop() == 0
        second.start()
        assert len(runs(first)) == 1 and ids <= links(), runs(first)
        assert second.stop() == 0
        assert pinned_ids(first) == ids


@sensor
def test_removed_by_hand(env):
    with kept(env) as daemon:
        ids = pinned_ids(daemon)
        kill(daemon)
        assert ids <= links()
        subprocess.run(["rm", "-r", str(folder_of(daemon))], check=True)
        wait_gone(ids)


@sensor
@timeout(120)
def test_enforced_without_a_gap(env):
    """Every call of one number is killed: while the daemon runs, after kill -9, and at every moment of the next start."""
    if not (env.build / "lib" / "tetragon" / "actions" / "sigkill.so").exists():
        raise Skip("no action Sigkill")
    number = 0x7e5a11
    deny = policy("no-getpgid", f"""
  kprobes:
  - call: sys_getpgid
    args: [{{index: 0, type: int}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: [{{action: Sigkill}}]
""")

    def killed() -> bool:
        pid = os.fork()
        if pid == 0:
            syscall("getpgid", number)
            os._exit(0)
        return os.waitpid(pid, 0)[1] == signal.SIGKILL

    with kept(env, policies=[deny]) as daemon:
        check_loaded(daemon)
        assert killed()
        kill(daemon)
        time.sleep(1)
        assert killed(), "went with the daemon"
        tries, end = [], threading.Event()

        def attempt():
            while not end.is_set():
                tries.append(killed())
        worker = threading.Thread(target=attempt)
        worker.start()
        try:
            daemon.start()
        finally:
            end.set()
            worker.join()
        assert len(tries) > 5 and all(tries), f"{tries.count(False)} of {len(tries)} went through"
        daemon.command.remove(KEEP)
        assert daemon.stop() == 0 and killed()
        daemon.start()
        assert killed()
        assert daemon.stop() == 0
        assert not killed()


CREAT = 85  # of x86_64
DENIED = {"lsm": policy("kept-lsm", """
  lsmhooks:
  - hook: inode_mkdir
    args: [{index: 1, type: string, resolve: d_name.name}]
    selectors:
    - matchArgs: [{index: 1, operator: Prefix, values: ["kept-lsm"]}]
      matchActions: [{action: Override, argError: -13}]
"""), "fmod": policy("kept-fmod", """
  options: [{name: override-method, value: fmod-ret}]
  kprobes:
  - call: security_inode_mkdir
    syscall: false
    args: [{index: 1, type: string, resolve: d_name.name}]
    selectors:
    - matchArgs: [{index: 1, operator: Prefix, values: ["kept-fmod"]}]
      matchActions: [{action: Override, argError: -13}]
"""), "kprobe": policy("kept-kprobe", """
  options: [{name: backend, value: kprobe}]
  kprobes:
  - call: sys_creat
    args: [{index: 0, type: string}]
    selectors:
    - matchArgs: [{index: 0, operator: Postfix, values: ["/kept-kprobe"]}]
      matchActions: [{action: Override, argError: -13}]
""")}


@requires("bpf_lsm", "kprobes", "trampolines")
@timeout(120)
def test_denied_without_a_gap(env):
    """By an lsmhook, by fmod_ret, by a kprobe: after kill -9, and at every moment of the next start."""
    ways = [way for way in DENIED if way != "kprobe" or features.probe("override")[0]]

    def passed() -> list[str]:
        went = []
        for way in ways:
            path = env.tmp / f"kept-{way}"
            if way == "kprobe":
                done = LIBC.syscall(ctypes.c_long(CREAT), str(path).encode(), ctypes.c_long(0o600)) != -1
            else:
                done = LIBC.mkdir(str(path).encode(), 0o700) != -1
            if done:
                went.append(way)
            elif ctypes.get_errno() != errno.EACCES:
                went.append(f"{way}: {errno.errorcode[ctypes.get_errno()]}")
        return went

    with kept(env, policies=[DENIED[way] for way in ways]) as daemon:
        check_loaded(daemon)
        assert passed() == []
        kill(daemon)
        time.sleep(1)
        assert passed() == [], "went with the daemon"
        tries, end = [], threading.Event()

        def attempt():
            while not end.is_set():
                tries.append(passed())
        worker = threading.Thread(target=attempt)
        worker.start()
        try:
            daemon.start()
            daemon.wait_log("sensors of an earlier run removed")
        finally:
            end.set()
            worker.join()
        through = [one for one in tries if one]
        assert len(tries) > 20 and not through, f"{len(through)} of {len(tries)} went through: {through[:3]}"
        # The cases' own calls are what was denied: without the run they work.
        kill(daemon)
        ids = pinned_ids(daemon)
        subprocess.run(["rm", "-r", str(folder_of(daemon))], check=True)
        wait_gone(ids)
        assert passed() == ways
