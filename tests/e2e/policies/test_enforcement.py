# SPDX-License-Identifier: Apache-2.0
"""Every policy of policies/enforcement: what it denies is not done, the caller gets its answer, the event says so, neighbours work;
in monitor mode everything is done and only reported."""

import ctypes
import os
import re
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actions.acting import attempt
from enforced import CONTENT, LIBRARY, fresh, place, policies_folder, program
from lib import requires, timeout
from lib.policies import CLONE_NEWNET, CLONE_NEWPID, LIBC, check_loaded, hits, syscall
from ways_around import POLICIES as WAYS_POLICIES, Trier, try_all

KIND = "process_lsm"
NEW_USER = 0x10000000
MSG_FASTOPEN = 0x20000000
CLOSED = 44721  # no one listens, no policy names it
TRIER: list[Trier] = []


@dataclass
class Deed:
    """Something a policy denies. `done` tells whether it has happened, whoever says what."""

    hook: str
    act: Callable
    answer: str
    done: Callable[[], bool]
    prepare: Callable = lambda: None


def daemon_of(env):
    if not TRIER:
        # Makes etc/secrets/key and etc/passwd, too.
        TRIER.append(Trier(env))
        fresh(place() / "etc/other")
    return env.shared_daemon(f"--tracing-policy-dir={policies_folder(WAYS_POLICIES)}")


def check(daemon, name: str, deed: Deed, denied: bool) -> None:
    deed.prepare()
    pid, end = attempt(deed.act)
    what = (name, deed.hook, "enforce" if denied else "monitor")
    assert end == (deed.answer if denied else "done"), (*what, end)
    assert deed.done() is not denied, what
    found = [event for event in hits(daemon, name, pid, KIND) if event["function_name"].endswith(deed.hook)]
    assert found and {event["action"] for event in found} == {"KPROBE_ACTION_OVERRIDE"}, (*what, found)


def prove(env, name: str, *deeds: Deed) -> None:
    daemon = daemon_of(env)
    for deed in deeds:
        check(daemon, name, deed, denied=True)
    daemon.tetra("tracingpolicy", "set-mode", name, "monitor")
    try:
        for deed in deeds:
            check(daemon, name, deed, denied=False)
    finally:
        daemon.tetra("tracingpolicy", "set-mode", name, "enforce")


def allowed(*actions) -> None:
    for number, action in enumerate(actions):
        assert attempt(action)[1] == "done", f"neighbour {number}"


def runs(*command) -> Callable:
    """In the place of the process; the exit code is an error number, as attempt() has it."""
    return lambda: os.execv(command[0], [str(one) for one in command])


@requires("bpf_lsm")
@timeout(90)
def test_all_are_loaded(env):
    listed = check_loaded(daemon_of(env))
    names = {re.search(r"^  name: (\S+)", path.read_text(), re.M)[1] for path in LIBRARY.glob("*.yaml")}
    assert set(listed) >= names, (listed, names)


@requires("bpf_lsm", "trampolines")
@timeout(120)
def test_ways_around(env):
    """Before the other cases: they make the files anew."""
    daemon_of(env)
    try_all(TRIER[0])


# ---- files -----------------------------------------------------------------------------------------------------------


@requires("bpf_lsm")
def test_secrets_folder(env):
    daemon = daemon_of(env)
    key, link, moved = place() / "etc/secrets/key", place() / "etc/a-link", place() / "etc/secrets/moved"

    def read_key():
        if not key.read_text():
            os._exit(200)

    def restore():
        """What the monitor let go."""
        link.unlink(missing_ok=True)
        if moved.exists():
            os.rename(moved, key)
    prove(env, "secrets-folder",
          # Of an open nothing is left: whether it works is asked once more.
          Deed("file_open", read_key, "EACCES", lambda: attempt(read_key)[1] == "done"),
          Deed("inode_link", lambda: os.link(key, link), "EPERM", link.exists),
          Deed("inode_rename", lambda: os.rename(key, moved), "EPERM", moved.exists))
    daemon.tetra("tracingpolicy", "set-mode", "secrets-folder", "monitor")
    restore()
    daemon.tetra("tracingpolicy", "set-mode", "secrets-folder", "enforce")
    agent = program(env, place() / "usr/bin/secret-agent")
    other = program(env, place() / "usr/bin/other")
    scratch = place() / "scratch"
    scratch.mkdir(exist_ok=True)
    allowed(runs(agent, "plain", key.parent, "key", "r", scratch), runs(other, "plain", place() / "etc", "other", "r", scratch),
            lambda: os.listdir(key.parent), lambda: os.stat(key))
    assert attempt(runs(other, "plain", key.parent, "key", "r", scratch))[1] == "EACCES"


@requires("bpf_lsm")
@timeout(90)
def test_sensitive_files(env):
    daemon = daemon_of(env)
    file, other, away, link = place() / "etc/passwd", place() / "etc/other", place() / "etc/away", place() / "etc/passwd-link"

    def append():
        with file.open("a") as stream:
            stream.write("more")

    def replace():
        os.rename(other, file)

    def restore():
        """In monitor mode all of it works, and the next deed starts with a whole file."""
        if away.exists():
            os.rename(away, file)
        link.unlink(missing_ok=True)
        fresh(other, "another")
        if not file.exists() or file.read_text() != CONTENT:
            fresh(file)

    def is_changed():
        return not file.exists() or file.read_text() != CONTENT
    prove(env, "deny-sensitive-files",
          Deed("file_open", append, "EACCES", is_changed, restore),
          Deed("file_open", lambda: file.write_text(""), "EACCES", is_changed, restore),
          Deed("path_truncate", lambda: os.truncate(file, 1), "EACCES", is_changed, restore),
          Deed("path_rename", replace, "EACCES", is_changed, restore),
          Deed("path_rename", lambda: os.rename(file, away), "EACCES", away.exists, restore),
          Deed("path_link", lambda: os.link(file, link), "EACCES", link.exists, restore),
          Deed("path_unlink", lambda: os.unlink(file), "EACCES", is_changed, restore))
    daemon.tetra("tracingpolicy", "set-mode", "deny-sensitive-files", "monitor")
    restore()
    daemon.tetra("tracingpolicy", "set-mode", "deny-sensitive-files", "enforce")
    assert attempt(append)[1] == "EACCES"
    scratch = place() / "scratch"
    scratch.mkdir(exist_ok=True)
    passwd = program(env, place() / "usr/bin/passwd")
    allowed(file.read_text, lambda: other.write_text("x"), lambda: os.truncate(other, 0),
            lambda: os.rename(other, place() / "etc/other-2"), lambda: os.unlink(place() / "etc/other-2"),
            runs(passwd, "plain", file.parent, "passwd", "w", scratch))
    assert file.read_text() == "X" + CONTENT[1:], "the program that may has not written"


@requires("bpf_lsm")
def test_mkdir_name(env):
    folder = place() / ".forbidden"
    prove(env, "mkdir-name", Deed("inode_mkdir", lambda: os.mkdir(folder), "EPERM", folder.is_dir))
    folder.rmdir()
    allowed(lambda: os.mkdir(place() / ".forbidden-not"), lambda: (place() / ".forbidden").write_text("a file"))
    (place() / ".forbidden").unlink()


# ---- programs --------------------------------------------------------------------------------------------------------


@requires("bpf_lsm")
def test_memfd_execution(env):
    mark = fresh(place() / "ran", "")
    code = program(env, place() / "usr/bin/other").read_bytes()
    writes = ("program", "plain", str(place()), "ran", "w", str(place()))

    def in_memory():
        descriptor = os.memfd_create("program", 0)
        os.write(descriptor, code)
        os.execve(descriptor, writes, dict(os.environ))
    prove(env, "memfd-execution",
          Deed("bprm_check_security", in_memory, "EACCES", lambda: mark.read_text() == "X", lambda: mark.write_text("")))
    # The same out of a file.
    mark.write_text("")
    allowed(runs(place() / "usr/bin/other", *writes[1:]))
    assert mark.read_text() == "X"


def container(act: Callable, tell: int) -> Callable:
    """In a pid namespace of its own: the number of its process, as the host has it, is written to `tell`."""
    def run():
        if LIBC.unshare(CLONE_NEWPID) != 0:
            os._exit(201)
        pid = os.fork()
        if pid == 0:
            code = 255
            try:
                act()
                code = 0
            except OSError as error:
                code = error.errno
            finally:
                os._exit(code)
        os.write(tell, struct.pack("i", pid))
        _, status = os.waitpid(pid, 0)
        os._exit(os.WEXITSTATUS(status))
    return run


def raising(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the call failed")


@requires("bpf_lsm")
def test_modules_from_containers(env):
    daemon = daemon_of(env)
    modprobes = place() / "modprobes"
    helper = fresh(place() / "modprobe", f"#!/bin/sh\necho asked >> {modprobes}\nexit 1\n")
    setting = Path("/proc/sys/kernel/modprobe")
    before = setting.read_text()
    fake = fresh(place() / "module.ko", "no module at all" * 300)

    def from_file():
        with fake.open("rb") as stream:
            raising(syscall("finit_module", stream.fileno(), ctypes.c_char_p(b""), 0))

    def from_memory():
        content = ctypes.create_string_buffer(b"no module at all" * 300)
        raising(syscall("init_module", ctypes.byref(content), 4800, ctypes.c_char_p(b"")))

    def ask():
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 253)
    reader, writer = os.pipe()

    def inner(_pid: int) -> int:
        return struct.unpack("i", os.read(reader, 4))[0]
    try:
        setting.write_text(str(helper))
        for enforce in (True, False):
            daemon.tetra("tracingpolicy", "set-mode", "modules-from-containers", "enforce" if enforce else "monitor")
            for hook, act, denied, otherwise in (("kernel_read_file", from_file, "EPERM", "ENOEXEC"),
                                                 ("kernel_load_data", from_memory, "EPERM", "ENOEXEC"),
                                                 ("kernel_module_request", ask, "EPROTONOSUPPORT", "EPROTONOSUPPORT")):
                modprobes.unlink(missing_ok=True)
                _, end = attempt(container(act, writer))
                assert end == (denied if enforce else otherwise), (hook, enforce, end)
                if act is ask:
                    assert modprobes.exists() is not enforce, "modprobe was started" if enforce else "modprobe was not started"
                found = [event for event in hits(daemon, "modules-from-containers", inner(0), KIND)
                         if event["function_name"].endswith(hook)]
                assert found and {event["action"] for event in found} == {"KPROBE_ACTION_OVERRIDE"}, (hook, found)
        daemon.tetra("tracingpolicy", "set-mode", "modules-from-containers", "enforce")
        # The host may.
        modprobes.unlink(missing_ok=True)
        assert [attempt(act)[1] for act in (from_file, from_memory, ask)] == ["ENOEXEC", "ENOEXEC", "EPROTONOSUPPORT"]
        assert modprobes.exists(), "the host's request started no modprobe"
    finally:
        setting.write_text(before)
        daemon.tetra("tracingpolicy", "set-mode", "modules-from-containers", "enforce")
    real_module(before.strip())


def real_module(modprobe: str) -> None:
    """Where the guest has one."""
    name = next((name for name in ("dummy", "ifb", "nlmon") if not Path("/sys/module", name).exists() and
                 subprocess.run([modprobe, "-n", name], capture_output=True, check=False).returncode == 0), None)
    if name is None:
        print("    no module here to load; what garbage is answered with was looked at")
        return
    reader, writer = os.pipe()
    attempt(container(lambda: subprocess.run([modprobe, name], capture_output=True, check=False), writer))
    os.close(reader)
    os.close(writer)
    assert not Path("/sys/module", name).exists(), f"{name} was loaded from a container"
    subprocess.run([modprobe, name], check=True, capture_output=True)
    assert Path("/sys/module", name).exists()
    subprocess.run([modprobe, "-r", name], check=True, capture_output=True)


@requires("bpf_lsm")
def test_user_namespaces(env):
    mark = place() / "made"
    fresh(mark, "").chmod(0o666)

    def unshare():
        os.setgroups([])
        os.setresuid(2348, 2348, 2348)
        raising(LIBC.unshare(NEW_USER))
        mark.write_text(os.readlink("/proc/self/ns/user"))
    prove(env, "deny-user-namespaces",
          Deed("userns_create", unshare, "EPERM", lambda: mark.read_text() != "", lambda: mark.write_text("")))
    # Who has CAP_SYS_ADMIN may.
    allowed(lambda: raising(LIBC.unshare(NEW_USER)))


# ---- network ---------------------------------------------------------------------------------------------------------


def own_network(*addresses: str) -> None:
    raising(LIBC.unshare(CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "addr", "add", address, "dev", "lo", *(["nodad"] if ":" in address else [])], check=True)


def by_connect(client, address: tuple) -> None:
    client.connect(address)


def by_message(client, address: tuple) -> None:
    """A datagram, or a TCP connection that begins with its data."""
    client.sendto(b"x", MSG_FASTOPEN if client.type == socket.SOCK_STREAM else 0, address)


def without_family(client, address: tuple) -> None:
    raw = struct.pack("=HH4s8x", 0, socket.htons(address[1]), socket.inet_aton(address[0]))
    raising(LIBC.sendto(client.fileno(), b"x", 1, 0, raw, len(raw)))


def reach(address: str, mark: Path | None = None, how=by_connect, kind=socket.SOCK_STREAM) -> None:
    """To a listener of this process; whether it came there is what the listener says."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as server, socket.socket(family, kind) as client:
        server.bind((address, 0))
        server.settimeout(1)
        if kind == socket.SOCK_STREAM:
            server.listen()
        try:
            how(client, server.getsockname()[:2])
        finally:
            if mark is not None:
                try:
                    if kind == socket.SOCK_STREAM:
                        server.accept()[0].close()
                    else:
                        server.recv(1)
                    mark.write_text("came")
                except TimeoutError:
                    mark.unlink(missing_ok=True)


@requires("bpf_lsm")
@timeout(90)
def test_egress(env):
    mark = place() / "came"

    def outward(address: str, hook: str = "socket_connect", how=by_connect, kind=socket.SOCK_STREAM):
        def act():
            own_network("198.51.100.7/32", "2001:db8::7/128")
            reach(address, mark, how, kind)
        return Deed(hook, act, "EPERM", mark.exists, lambda: mark.unlink(missing_ok=True))
    prove(env, "deny-egress", outward("198.51.100.7"), outward("2001:db8::7"), outward("::ffff:198.51.100.7"),
          outward("198.51.100.7", "socket_sendmsg", by_message), outward("198.51.100.7", "socket_sendmsg", by_message, socket.SOCK_DGRAM),
          outward("2001:db8::7", "socket_sendmsg", by_message, socket.SOCK_DGRAM),
          outward("198.51.100.7", "socket_sendmsg", without_family, socket.SOCK_DGRAM))

    def inward():
        own_network("10.20.30.40/32", "fd00::7/128")
        for address in ("127.0.0.1", "10.20.30.40", "::1", "fd00::7", "::ffff:10.20.30.40"):
            reach(address)
            reach(address, how=by_message)
            reach(address, how=by_message, kind=socket.SOCK_DGRAM)

    def local():
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(b"\0tetragon-enforcement")
            server.listen()
            client.connect(b"\0tetragon-enforcement")
            client.send(b"x")
    allowed(inward, local)


@requires("bpf_lsm")
def test_wget_443(env):
    wget, other = program(env, place() / "usr/bin/wget"), program(env, place() / "usr/bin/other")
    with socket.create_server(("127.0.0.1", 443)) as https, socket.create_server(("127.0.0.1", 444)) as beside:
        https.settimeout(1)
        beside.settimeout(20)

        def came():
            try:
                https.accept()[0].close()
                return True
            except TimeoutError:
                return False
        prove(env, "wget-443", Deed("socket_connect", runs(wget, "connect", "127.0.0.1", 443), "EPERM", came),
              Deed("socket_sendmsg", runs(wget, "fastopen", "127.0.0.1", 443), "EPERM", came))
        allowed(runs(wget, "connect", "127.0.0.1", 444), runs(wget, "fastopen", "127.0.0.1", 444), runs(other, "connect", "127.0.0.1", 443))
        assert attempt(runs(wget, "connect", "127.0.0.1", CLOSED))[1] == "ECONNREFUSED"
        beside.accept()[0].close()
        assert came()
