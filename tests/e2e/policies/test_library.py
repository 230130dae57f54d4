# SPDX-License-Identifier: Apache-2.0
"""Every policy of policies/ that watches: loaded, triggered, and its event checked. One daemon has all of them that this kernel can serve.
Those that enforce have test_enforcement.py: they need a daemon of their own.

The last case of the shared daemon looks whether each function that the policies name has made an event."""

import ctypes
import json
import mmap
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lib import TIME_SCALE, Skip, requires, sensor
from lib.features import PROG_TYPE_KPROBE, RETURN_0, kernel_symbols, load_program, probe
from lib.policies import LIBC, check_loaded, child, hit, hits, states, syscall

LIBRARY = Path(__file__).resolve().parents[3] / "policies"
CHOSEN: list[Path] = []
# Triggered by a module that is loaded and unloaded, where the kernel has one.
WITH_MODULES = {"security_kernel_read_file", "module_sig_check", "do_init_module", "free_module"}
LOADED_MODULES: list[str] = []
# Not reached on this system, because another function of the policy is in its place.
OTHER_WAYS: set[str] = set()
FOLDER: list[str] = []


def functions_can_be_hooked() -> bool:
    return probe("kprobes")[0] or probe("trampolines")[0] and probe("vm")[0]


def folder() -> str:
    """All policies that only hook system calls, and where functions can be hooked all others too."""
    if not FOLDER:
        path = Path(tempfile.mkdtemp(prefix="tetragon-policies-"))
        for policy in sorted(LIBRARY.glob("*/*.yaml")):
            if policy.parent.name == "enforcement":
                continue
            text = policy.read_text()
            if "syscall: false" not in text or functions_can_be_hooked():
                shutil.copy(policy, path / policy.name)
                CHOSEN.append(policy)
        FOLDER.append(str(path))
    return FOLDER[0]


def library(env):
    return env.shared_daemon(f"--tracing-policy-dir={folder()}")


def call_named(name: str):
    return lambda event: event["function_name"].endswith(name)


@sensor
def test_all_are_loaded(env):
    daemon = library(env)
    listed = check_loaded(daemon)
    assert len(listed) == len(CHOSEN), (listed, CHOSEN)
    # Which way each hook was taken, with the reason.
    assert all("backend=" in one["info"] or name == "libraries" for name, one in listed.items()), listed


@sensor
def test_sensitive_files_opened(env):
    pid = child(lambda: os.close(os.open("/etc/shadow", os.O_RDONLY)))
    event = hit(library(env), "sensitive-files-opened", pid)
    assert event["function_name"].endswith("sys_openat") and event["args"][1]["string_arg"] == "/etc/shadow", event
    assert event["message"] == "A sensitive file is opened", event


@sensor
def test_links_by_syscall(env):
    daemon = library(env)
    link = str(env.tmp / "link")
    pid = child(lambda: os.symlink("/etc/shadow", link))
    event = hit(daemon, "links-by-syscall", pid)
    assert [arg["string_arg"] for arg in event["args"]] == ["/etc/shadow", link], event
    assert [arg["label"] for arg in event["args"]] == ["target", "link"], event
    (env.tmp / "file").touch()
    pid = child(lambda: os.link(env.tmp / "file", env.tmp / "hard"))
    event = hit(daemon, "links-by-syscall", pid)
    assert [arg["string_arg"] for arg in event["args"]] == [str(env.tmp / "file"), str(env.tmp / "hard")], event

    def below_a_folder():
        folder = os.open(env.tmp, os.O_RDONLY)
        os.symlink("/etc/gshadow", "below", dir_fd=folder)
        os.link("file", "other", src_dir_fd=folder, dst_dir_fd=folder)
    pid = child(below_a_folder)
    event = hit(daemon, "links-by-syscall", pid, call_named("sys_symlinkat"))
    assert [arg["string_arg"] for arg in event["args"] if "string_arg" in arg] == ["/etc/gshadow", "below"], event
    event = hit(daemon, "links-by-syscall", pid, call_named("sys_linkat"))
    assert [arg["string_arg"] for arg in event["args"] if "string_arg" in arg] == ["file", "other"], event


@sensor
def test_raw_sockets_by_syscall(env):
    daemon = library(env)
    pid = child(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close())
    event = hit(daemon, "raw-sockets-by-syscall", pid)
    assert event["args"][0]["int_arg"] == socket.AF_INET, event
    pid = child(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close())
    assert hit(daemon, "raw-sockets-by-syscall", pid)["args"][0]["int_arg"] == socket.AF_PACKET
    plain = child(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
    assert not hits(daemon, "raw-sockets-by-syscall", plain)


@sensor
def test_set_ids_by_syscall(env):
    # Groups first, and the user itself last: what follows is refused.
    calls = {"setfsgid": [11], "setresgid": [12, 13, 14], "setregid": [13, 14], "setgid": [14], "setfsuid": [0],
             "setresuid": [2344, 0, 0], "setreuid": [2343, 0], "setuid": [2345]}

    def become():
        for name, ids in calls.items():
            getattr(LIBC, name)(*ids)
    pid = child(become)
    daemon = library(env)
    for name, ids in calls.items():
        event = hit(daemon, "set-ids-by-syscall", pid, call_named("sys_" + name))
        assert [arg["int_arg"] for arg in event["args"]] == ids, event


@sensor
def test_namespace_changes(env):
    new_uts = 0x4000000

    def change():
        own = os.open("/proc/self/ns/uts", os.O_RDONLY)
        LIBC.unshare(new_uts)
        LIBC.setns(own, new_uts)
    pid = child(change)
    daemon = library(env)
    assert hit(daemon, "namespace-changes", pid, call_named("sys_unshare"))["args"][0]["int_arg"] == new_uts
    assert hit(daemon, "namespace-changes", pid, call_named("sys_setns"))["args"][1]["int_arg"] == new_uts


@sensor
def test_modules_by_syscall(env):
    name = b"no_such_module_of_tetragon"

    def use():
        syscall("delete_module", ctypes.c_char_p(name), 0)
        syscall("init_module", 0, 0, ctypes.c_char_p(b""))
        syscall("finit_module", -1, ctypes.c_char_p(b"mode=fast"), 0)
    pid = child(use)
    daemon = library(env)
    event = hit(daemon, "kernel-modules-by-syscall", pid, call_named("sys_delete_module"))
    assert event["args"][0]["string_arg"] == name.decode(), event
    hit(daemon, "kernel-modules-by-syscall", pid, call_named("sys_init_module"))
    event = hit(daemon, "kernel-modules-by-syscall", pid, call_named("sys_finit_module"))
    assert "mode=fast" in [arg.get("string_arg") for arg in event["args"]], event


@sensor
def test_bpf_by_syscall(env):
    def make_map():
        attributes = (ctypes.c_uint32 * 32)(2, 4, 8, 1)  # array, key 4, value 8, one element
        syscall("bpf", 0, ctypes.byref(attributes), 128)
    event = hit(library(env), "bpf-by-syscall", child(make_map))
    assert event["args"][0] == {"bpf_cmd_arg": "BPF_MAP_CREATE"}, event


@sensor
def test_mounts(env):
    target = env.tmp / "mount"
    target.mkdir()

    def mount():
        LIBC.unshare(0x20000)  # a mount namespace of its own: nothing stays
        LIBC.mount(b"source-of-test", str(target).encode(), b"tmpfs", ctypes.c_ulong(2 | 4), None)
        LIBC.umount2(str(target).encode(), 2)
    pid = child(mount)
    daemon = library(env)
    event = hit(daemon, "mounts", pid, call_named("sys_mount"))
    values = {arg["label"]: arg for arg in event["args"]}
    assert values["source"]["string_arg"] == "source-of-test" and values["target"]["string_arg"] == str(target), event
    assert values["type"]["string_arg"] == "tmpfs" and values["flags"]["size_arg"] == "6", event
    assert hit(daemon, "mounts", pid, call_named("sys_umount"))["args"][1]["int_arg"] == 2


@sensor
def test_mounts_the_new_way(env):
    """fsopen, fsconfig, fsmount, move_mount: no mount(2) sees it."""
    create, empty_path = 6, 4
    target = env.tmp / "mount"
    target.mkdir()

    def mount():
        LIBC.unshare(0x20000)
        context = syscall("fsopen", ctypes.c_char_p(b"tmpfs"), 0)
        syscall("fsconfig", context, create, 0, 0, 0)
        made = syscall("fsmount", context, 0, 0)
        syscall("move_mount", made, ctypes.c_char_p(b""), -100, ctypes.c_char_p(str(target).encode()), empty_path)
        (env.tmp / "filesystems").write_text(Path("/proc/self/mounts").read_text())
    pid = child(mount)
    assert f" {target} tmpfs " in (env.tmp / "filesystems").read_text(), "the kernel refused the mount"
    event = hit(library(env), "mounts", pid, call_named("sys_move_mount"))
    assert next(arg for arg in event["args"] if arg.get("label") == "target")["string_arg"] == str(target), event


@sensor
def test_ptrace(env):
    victim = subprocess.Popen(["sleep", "60"])
    try:
        pid = child(lambda: LIBC.ptrace(16, victim.pid, None, None))
        event = hit(library(env), "ptrace", pid)
        assert [arg["int_arg"] for arg in event["args"]] == [16, victim.pid], event
    finally:
        victim.kill()
        victim.wait()


@sensor
def test_process_memory(env):
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    source = ctypes.create_string_buffer(b"text of the parent")
    parent = os.getpid()

    def read():
        here = ctypes.create_string_buffer(64)
        local, remote = Vector(ctypes.addressof(here), 18), Vector(ctypes.addressof(source), 18)
        LIBC.process_vm_readv(parent, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    def write():
        here = ctypes.create_string_buffer(b"TEXT")
        local, remote = Vector(ctypes.addressof(here), 4), Vector(ctypes.addressof(source), 4)
        LIBC.process_vm_writev(parent, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    daemon = library(env)
    for action, function, size in ((read, "sys_process_vm_readv", "18"), (write, "sys_process_vm_writev", "4")):
        event = hit(daemon, "process-memory", child(action), call_named(function))
        assert event["args"][0]["int_arg"] == parent, event
        assert event["return"]["long_arg"] == size, event
    assert source.value == b"TEXT of the parent"


@sensor
def test_libraries(env):
    daemon = library(env)
    state = states(daemon).get("libraries")
    assert state is not None and state["state"] == "TP_STATE_ENABLED", state
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    event = daemon.events.wait_for(
        lambda e: e.get("process_loader", {}).get("process", {}).get("pid") == process.pid and
        "libc.so" in e["process_loader"]["path"], what="loader event of libc")["process_loader"]
    assert len(event.get("buildid", "")) >= 16, event


# ---- functions of the kernel -----------------------------------------------------------------------------------------


@requires("kprobes")
def test_sensitive_files(env):
    daemon = library(env)
    probed = Path("/root/.ssh") / f"tetragon-test-{os.getpid()}"
    made = not probed.parent.exists()
    probed.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        def use():
            probed.write_text("text")
            probed.read_text()
            with probed.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ):
                pass
            os.truncate(probed, 1)
            with probed.open("r+b") as stream:
                os.ftruncate(stream.fileno(), 0)
        pid = child(use)
        path = str(probed)

        def is_about(event):
            arg = event["args"][0]
            return (arg.get("file_arg") or arg.get("path_arg") or {}).get("path") == path
        written = hit(daemon, "sensitive-files", pid, lambda e: is_about(e) and e["args"][1:] and
                      e["args"][1].get("int_arg") == 2)
        assert written["function_name"] == "security_file_permission", written
        assert written.get("return", {}).get("int_arg", 0) == 0, written
        hit(daemon, "sensitive-files", pid, lambda e: is_about(e) and e["args"][1:] and e["args"][1].get("int_arg") == 4)
        hit(daemon, "sensitive-files", pid, lambda e: is_about(e) and "truncate" in e["function_name"])
        hit(daemon, "sensitive-files", pid, lambda e: is_about(e) and e["function_name"] == "security_mmap_file")
    finally:
        probed.unlink(missing_ok=True)
        if made:
            probed.parent.rmdir()


@requires("kprobes")
def test_links(env):
    daemon = library(env)
    pid = child(lambda: os.symlink("/etc/shadow", env.tmp / "link"))
    event = hit(daemon, "links", pid, call_named("security_inode_symlink"))
    assert event["args"][1]["string_arg"] == "/etc/shadow" and event["args"][0]["path_arg"]["path"].endswith("/link"), event
    (env.tmp / "file").touch()
    pid = child(lambda: os.link(env.tmp / "file", env.tmp / "hard"))
    event = hit(daemon, "links", pid, call_named("security_inode_link"))
    assert event["args"][0]["path_arg"]["path"].endswith("/file"), event
    assert event["args"][1]["path_arg"]["path"].endswith("/hard"), event


@requires("kprobes")
def test_tcp(env):
    daemon = library(env)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def talk():
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"seventeen bytes..")
        client.close()
    pid = child(talk)
    listener.close()
    for function in ("tcp_connect", "tcp_sendmsg", "tcp_close"):
        event = hit(daemon, "tcp", pid, call_named(function))
        sock = event["args"][0]["sock_arg"]
        assert sock["family"] == "AF_INET" and sock["protocol"] == "IPPROTO_TCP", event
        if function == "tcp_connect":
            assert sock["daddr"] == "127.0.0.1" and sock["dport"] == port, event
        if function == "tcp_sendmsg":
            assert event["args"][1]["int_arg"] == 17, event


@requires("kprobes")
def test_egress(env):
    daemon = library(env)
    listener = socket.create_server(("127.0.0.1", 0))

    def inside():
        socket.create_connection(listener.getsockname()).close()

    def outside():
        outward = socket.socket()
        outward.setblocking(False)
        # Documentation addresses (RFC 5737): no route leads there, the hook comes before that matters.
        LIBC.unshare(0x40000000)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
        subprocess.run(["ip", "route", "add", "198.51.100.0/24", "dev", "lo"], check=False)
        fresh = socket.socket()
        fresh.setblocking(False)
        try:
            fresh.connect(("198.51.100.7", 443))
        except OSError:
            pass
    quiet = child(inside)
    pid = child(outside)
    listener.close()
    event = hit(daemon, "egress", pid)
    assert event["args"][0]["sock_arg"]["daddr"] == "198.51.100.7" and event["args"][0]["sock_arg"]["dport"] == 443, event
    assert not daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == "egress" and
                                  e["process_kprobe"]["process"]["pid"] == quiet)


@requires("kprobes")
def test_sshd_sessions(env):
    """The port decides: a listener on 22 in a network namespace of its own stands for the server."""
    daemon = library(env)

    def session():
        LIBC.unshare(0x40000000)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
        listener = socket.create_server(("127.0.0.1", 22))
        client = socket.create_connection(("127.0.0.1", 22))
        accepted, _ = listener.accept()
        client.close()
        accepted.close()
    child(session)

    def is_begin(event):
        inner = event.get("process_kprobe", {})
        return inner.get("policy_name") == "sshd-sessions" and inner["args"][1].get("int_arg") == 1
    event = daemon.events.wait_for(is_begin, what="begin of a session")["process_kprobe"]
    assert event["args"][0]["sock_arg"]["sport"] == 22, event
    assert event["args"][0]["sock_arg"]["daddr"] == "127.0.0.1", event


@requires("kprobes")
def test_sshd_closes(env):
    """The path decides: another program lies at the server's, in a mount namespace of its own."""
    daemon = library(env)

    def run():
        LIBC.unshare(0x20000)
        LIBC.mount(None, b"/", None, ctypes.c_ulong(0x44000), None)  # private, and all below it
        program = env.program("tcp").read_bytes()
        LIBC.mount(b"tmpfs", b"/usr/sbin", b"tmpfs", ctypes.c_ulong(0), None)
        Path("/usr/sbin/sshd").write_bytes(program)
        os.chmod("/usr/sbin/sshd", 0o755)
        os.execv("/usr/sbin/sshd", ["sshd", "0"])
    pid = child(run)
    event = hit(daemon, "sshd-sessions", pid, call_named("tcp_close"))
    assert event["args"][0]["sock_arg"]["saddr"] == "127.0.0.1" and "/sshd" in event["process"]["binary"], event


@requires("kprobes")
def test_raw_sockets(env):
    pid = child(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close())
    event = hit(library(env), "raw-sockets", pid)
    assert event["function_name"] == "security_socket_create" and event["args"][1]["int_arg"] == 3, event


@requires("kprobes")
def test_set_ids(env):
    def become():
        os.setresgid(0, 2344, 0)
        os.setresuid(0, 2345, 0)
    pid = child(become)
    daemon = library(env)
    event = hit(daemon, "set-ids", pid, call_named("security_task_fix_setgid"))
    assert event["args"][0]["process_credentials_arg"]["egid"] == 2344, event
    event = hit(daemon, "set-ids", pid, call_named("security_task_fix_setuid"))
    new, old = (arg["process_credentials_arg"] for arg in event["args"][:2])
    assert new["euid"] == 2345 and old["euid"] == 0, event
    assert [arg["label"] for arg in event["args"][:2]] == ["new", "old"], event


@requires("kprobes")
def test_credentials(env):
    pid = child(lambda: os.setresuid(0, 2346, 0))
    hit(library(env), "credentials", pid, lambda e: e["args"][0]["process_credentials_arg"]["euid"] == 2346)


@requires("kprobes")
def test_capabilities(env):
    def use():
        syscall("delete_module", ctypes.c_char_p(b"nothing"), 0)
    pid = child(use)
    event = hit(library(env), "capabilities", pid, lambda e: e["args"][1]["capability_arg"]["name"] == "CAP_SYS_MODULE")
    assert event["args"][1]["capability_arg"]["value"] == 16, event
    assert "user_ns_arg" in event["args"][0], event


@requires("kprobes")
def test_user_namespaces(env):
    def unshare():
        os.setgroups([])
        os.setresuid(2347, 2347, 2347)
        LIBC.unshare(0x10000000)
    pid = child(unshare)
    privileged = child(lambda: LIBC.unshare(0x10000000))
    daemon = library(env)
    event = hit(daemon, "user-namespaces", pid)
    assert event["args"][0]["process_credentials_arg"]["euid"] == 2347, event
    assert not daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == "user-namespaces" and
                                  e["process_kprobe"]["process"]["pid"] == privileged)


@requires("kprobes")
def test_modules(env):
    """A protocol that nobody has is asked for; a module that exists is loaded and unloaded where the guest has one."""
    daemon = library(env)
    pid = child(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 253))
    event = hit(daemon, "kernel-modules", pid, call_named("security_kernel_module_request"))
    assert event["args"][0]["string_arg"].startswith("net-pf-2-proto-253"), event
    # Long enough to be looked at, and no module.
    pid = child(lambda: syscall("init_module", ctypes.create_string_buffer(4096), 4096, ctypes.c_char_p(b"")))
    event = hit(daemon, "kernel-modules", pid, call_named("security_kernel_load_data"))
    assert event["args"][0]["int_arg"] == 2, event
    module = next((name for name in ("dummy", "ifb", "nlmon") if
                   subprocess.run(["modprobe", "-n", name], capture_output=True, check=False).returncode == 0), None)
    if module is None or subprocess.run(["modprobe", module], capture_output=True, check=False).returncode != 0:
        raise Skip("this kernel has no module to load; asking for one was reported")
    subprocess.run(["modprobe", "-r", module], check=True, capture_output=True)
    LOADED_MODULES.append(module)

    def about(function):
        return daemon.events.wait_for(
            lambda e: e.get("process_kprobe", {}).get("policy_name") == "kernel-modules" and
            e["process_kprobe"]["function_name"] == function and
            e["process_kprobe"]["args"][0].get("module_arg", {}).get("name") == module, what=f"{function} of {module}")
    about("do_init_module")
    listed = {e["process_kprobe"]["function_name"] for e in daemon.events.find(
        lambda e: e.get("process_kprobe", {}).get("policy_name") == "kernel-modules")}
    # A compressed module is decompressed by modprobe and comes out of memory.
    from_file = "security_kernel_read_file" in listed
    assert from_file or "security_kernel_load_data" in listed, listed
    if not from_file:
        OTHER_WAYS.add("security_kernel_read_file")
    if " module_sig_check\n" in Path("/proc/kallsyms").read_text():
        # The module has no name yet when its signature is looked at.
        event = daemon.events.wait_for(
            lambda e: e.get("process_kprobe", {}).get("function_name") == "module_sig_check", what="check of a signature")
        assert "signature_ok" in event["process_kprobe"]["args"][0]["module_arg"], event
    if " free_module\n" in Path("/proc/kallsyms").read_text():
        about("free_module")


@requires("kprobes")
def test_bpf(env):
    daemon = library(env)

    def use():
        attributes = (ctypes.c_uint32 * 32)(2, 4, 8, 3)
        syscall("bpf", 0, ctypes.byref(attributes), 128)
        load_program(PROG_TYPE_KPROBE, RETURN_0)
    pid = child(use)
    event = hit(daemon, "bpf", pid, lambda e: "bpf_map" in e["function_name"])
    made = event["args"][0]["bpf_map_arg"]
    assert made["MapType"] == "BPF_MAP_TYPE_ARRAY" and made["KeySize"] == 4 and made["ValueSize"] == 8, event
    assert made["MaxEntries"] == 3, event
    event = hit(daemon, "bpf", pid, call_named("bpf_check"))
    assert event["args"][0]["bpf_attr_arg"]["ProgType"] == "BPF_PROG_TYPE_KPROBE", event


@requires("kprobes")
def test_programs(env):
    daemon = library(env)
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    event = hit(daemon, "programs", process.pid)
    assert event["args"][0]["linux_binprm_arg"]["path"].endswith("/true"), event


def named_functions(policy: Path) -> set[str]:
    """Those of a policy's calls that this kernel has."""
    symbols = kernel_symbols()
    prefix = {"x86_64": "__x64_", "aarch64": "__arm64_"}[os.uname().machine]
    names = set(re.findall(r'^ *- call: "(\w+)"', policy.read_text(), re.M))
    assert names or "loader:" in policy.read_text(), policy
    return {name for name in names if (prefix + name if name.startswith("sys_") else name) in symbols}


@sensor
def test_every_function_has_a_trigger(env):
    """All that the policies name and this kernel has was reported in the cases above."""
    if not FOLDER:
        raise Skip("looks at what the other cases of this file did; alone it has nothing to look at")
    daemon = library(env)
    reported = [event["process_kprobe"] for event in daemon.events.find(lambda e: "process_kprobe" in e)]
    seen = {(inner["policy_name"], re.sub("^__[a-z0-9]+_sys_", "sys_", inner["function_name"])) for inner in reported}
    missing = []
    for policy in CHOSEN:
        name = re.search(r"^  name: (\S+)", policy.read_text(), re.M)[1].strip('"')
        missing += [f"{name}: {function}" for function in sorted(named_functions(policy)) if (name, function) not in seen
                    and not (function in WITH_MODULES and not LOADED_MODULES) and function not in OTHER_WAYS]
    assert not missing, f"no case triggers {', '.join(missing)}"


def objects_of(daemon) -> set[tuple[str, str]]:
    """Kind and id of the BPF objects that the daemon holds."""
    found = set()
    for entry in Path(f"/proc/{daemon.process.pid}/fdinfo").iterdir():
        try:
            found |= set(re.findall(r"^(prog|map|link)_id:\t(\d+)", entry.read_text(), re.M))
        except FileNotFoundError:
            continue
    return found


def objects_of_kernel() -> set[tuple[str, str]]:
    found = set()
    for kind in ("prog", "map", "link"):
        shown = subprocess.run(["bpftool", kind, "show", "-j"], capture_output=True, text=True, check=True)
        found |= {(kind, str(one["id"])) for one in json.loads(shown.stdout)}
    return found


@sensor
def test_everything_is_detached(env):
    """After a delete nothing of the policy is left: asked of the kernel, not of the daemon."""
    daemon = env.daemon(policies=[(LIBRARY / "processes" / "ptrace.yaml").read_text()])
    victim = subprocess.Popen(["sleep", "60"])
    try:
        before = child(lambda: LIBC.ptrace(16, victim.pid, None, None))
        hit(daemon, "ptrace", before)
        had = objects_of(daemon)
        daemon.tetra("tracingpolicy", "delete", "ptrace")
        after = child(lambda: LIBC.ptrace(16, victim.pid, None, None))
        assert not hits(daemon, "ptrace", after)
        given_up = had - objects_of(daemon)
        assert {kind for kind, _ in given_up} >= {"prog", "map"}, (had, given_up)
        # The kernel frees them a moment later.
        deadline = time.monotonic() + 10 * TIME_SCALE
        while (left := given_up & objects_of_kernel()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left, left
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
