# SPDX-License-Identifier: Apache-2.0
"""Arguments of kernel functions, type by type: those that system calls do not have and the policies of policies/ do not read."""

import base64
import ctypes
import fcntl
import os
import socket
import struct

from lib import requires
from lib.policies import CLONE_NEWNET, LIBC, check_loaded, child, folder_of, hit, hits, new_folder, policy, syscall, value

PLACE = new_folder()
PYTHON = os.path.realpath("/proc/self/exe")
FOLDER: list[str] = []
OURS = f'matchBinaries: [{{operator: In, values: ["{PYTHON}"]}}]'


def on(name: str, call: str, args: str, selector: str = f"- {OURS}", more: str = "") -> str:
    return policy(name, f"""
  kprobes:
  - call: {call}
    syscall: false
    args:
    {args}
    selectors:
    {selector}
{more}""")


POLICIES = [
    on("file", "security_file_open", f"""
    - {{index: 0, type: file}}
    - {{index: 0, type: int64, resolve: f_inode.i_size}}
    - {{index: 0, type: string, resolve: f_path.dentry.d_name.name}}
    - {{index: 0, type: uint16, resolve: f_inode.i_mode}}""",
       f'- matchArgs: [{{index: 0, operator: Equal, values: ["{PLACE}/file"]}}]'),
    on("file-type", "security_file_open", "- {index: 0, type: file}",
       f'- matchArgs: [{{index: 0, operator: FileType, values: [fifo]}}]\n      {OURS}'),
    on("path", "security_path_truncate", "- {index: 0, type: path}",
       f'- matchArgs: [{{index: 0, operator: Prefix, values: ["{PLACE}"]}}]'),
    on("dentry", "security_inode_rmdir", "- {index: 1, type: dentry}",
       '- matchArgs: [{index: 0, args: [0], operator: Postfix, values: ["/directory-of-tetragon"]}]'),
    on("kiocb", "random_write_iter", "- {index: 0, type: kiocb}\n    - {index: 1, type: iov_iter}",
       f'- matchArgs: [{{index: 0, operator: Postfix, values: ["random"]}}]\n      {OURS}'),
    on("filename", "do_filp_open", "- {index: 0, type: int}\n    - {index: 1, type: filename}",
       '- matchArgs: [{index: 0, operator: Equal, values: ["73000"]}]'),
    on("socket", "security_socket_connect", "- {index: 0, type: socket}\n    - {index: 1, type: sockaddr}\n    - {index: 2, type: int}",
       '- matchArgs: [{index: 1, operator: SAddr, values: ["127.0.0.0/8"]}, {index: 1, operator: SPort, values: ["4711"]}]\n'
       '    - matchArgs: [{index: 1, operator: SAddr, values: ["::1"]}, {index: 1, operator: SPort, values: ["4712"]}]'),
    on("sockaddr-un", "security_socket_bind", "- {index: 0, type: socket}\n    - {index: 1, type: sockaddr_un}",
       f'- matchArgs: [{{index: 1, operator: Prefix, values: ["@tetragon-", "{PLACE}"]}}]'),
    on("skb", "ip_output", "- {index: 2, type: skb}",
       '- matchArgs: [{index: 2, operator: DPort, values: ["4713"]}, {index: 2, operator: Protocol, values: [IPPROTO_UDP]}]'),
    on("sock", "udp_sendmsg", "- {index: 0, type: sock}\n    - {index: 2, type: size_t}",
       '- matchArgs: [{index: 0, operator: Family, values: [AF_INET]}, {index: 2, operator: Equal, values: ["23"]}]'),
    on("cred", "commit_creds", """
    - {index: 0, type: cred}
    - {index: 0, type: cap_effective}
    - {index: 0, type: cap_permitted}
    - {index: 0, type: cap_inheritable}"""),
    on("capset", "security_capset", """
    - {index: 0, type: nop}
    - {index: 1, type: cap_effective}
    - {index: 2, type: kernel_cap_t}""",
       f'- matchArgs: [{{operator: CapabilitiesGained, args: [2, 1]}}]\n      {OURS}'),
    on("capability", "cap_capable", "- {index: 0, type: cred}\n    - {index: 1, type: user_namespace}\n    - {index: 2, type: capability}"),
    on("bpf-prog", "security_bpf_prog", "- {index: 0, type: bpf_prog}"),
    on("perf-event", "security_perf_event_alloc", "- {index: 0, type: perf_event}"),
    on("net-device", "__dev_change_flags", "- {index: 0, type: net_device}\n    - {index: 1, type: uint32}",
       f'- matchArgs: [{{index: 0, operator: Equal, values: ["lo"]}}]\n      {OURS}'),
    policy("registers", f"""
  options: [{{name: backend, value: kprobe}}]
  kprobes:
  - call: do_filp_open
    syscall: false
    args: [{{index: 0, type: int}}]
    data:
    - {{index: 0, type: int32, source: pt_regs, resolve: {'di' if os.uname().machine == 'x86_64' else 'regs[0]'}}}
    - {{index: 0, type: int, source: current_task, resolve: real_parent.tgid}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["73000"]}}]
"""),
]


def daemon_of(env):
    if not FOLDER:
        FOLDER.append(folder_of(POLICIES))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


@requires("kprobes")
def test_loaded(env):
    assert len(check_loaded(daemon_of(env))) == len(POLICIES)


@requires("kprobes")
def test_files(env):
    def use():
        (PLACE / "file").write_bytes(b"0123456789")
        os.chmod(PLACE / "file", 0o640)
        os.close(os.open(PLACE / "file", os.O_RDONLY))
        os.truncate(PLACE / "file", 3)
        os.mkfifo(PLACE / "fifo")
        os.close(os.open(PLACE / "fifo", os.O_RDWR))
        os.mkdir(PLACE / "directory-of-tetragon")
        os.rmdir(PLACE / "directory-of-tetragon")
    daemon = daemon_of(env)
    pid = child(use)
    event = hits(daemon, "file", pid)[-1]
    assert event["args"][0]["file_arg"] == {"path": f"{PLACE}/file", "permission": "-rw-r-----"}, event
    assert [value(arg) for arg in event["args"][1:]] == ["10", "file", 0o100640], event
    event, = hits(daemon, "file-type", pid)
    assert event["args"][0]["file_arg"]["path"] == f"{PLACE}/fifo", event
    event, = hits(daemon, "path", pid)
    assert event["args"][0]["path_arg"]["path"] == f"{PLACE}/file", event
    event, = hits(daemon, "dentry", pid)
    assert event["args"][0]["path_arg"]["path"].endswith("/directory-of-tetragon"), event


@requires("kprobes")
def test_buffers_of_the_kernel(env):
    def use():
        with open("/dev/urandom", "wb", buffering=0) as device:
            device.write(b"seed of tetragon")
            os.writev(device.fileno(), [b"one ", b"two"])
    found = hits(daemon_of(env), "kiocb", child(use))
    assert [event["args"][0]["file_arg"]["path"] for event in found] == ["/dev/urandom"] * 2, found
    assert base64.b64decode(found[0]["args"][1]["bytes_arg"]) == b"seed of tetragon", found
    assert base64.b64decode(found[1]["args"][1]["bytes_arg"]).startswith(b"one "), found


@requires("kprobes")
def test_names_and_registers(env):
    pid = child(lambda: syscall("openat", 73000, b"/no/such/file/of/tetragon", 0))
    daemon = daemon_of(env)
    event = hit(daemon, "filename", pid)
    assert [value(arg) for arg in event["args"]] == [73000, "/no/such/file/of/tetragon"], event
    event = hit(daemon, "registers", pid)
    assert [value(one) for one in event["data"]] == [73000, os.getpid()], event


@requires("kprobes")
def test_sockets(env):
    def use():
        for family, address, port in ((socket.AF_INET, "127.0.0.1", 4711), (socket.AF_INET6, "::1", 4712),
                                      (socket.AF_INET, "127.0.0.1", 4712)):
            try:
                socket.socket(family, socket.SOCK_STREAM).connect((address, port))
            except OSError:
                pass
        for name in ("\0tetragon-abstract", str(PLACE / "socket"), "\0other"):
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(name)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for port in (4713, 4714):
            sender.sendto(b"twenty-three bytes.....", ("127.0.0.1", port))
    daemon = daemon_of(env)
    pid = child(use)
    found = hits(daemon, "socket", pid)
    addresses = [{key: one for key, one in event["args"][1]["sockaddr_arg"].items()} for event in found]
    assert addresses == [{"family": "AF_INET", "addr": "127.0.0.1", "port": 4711},
                         {"family": "AF_INET6", "addr": "::1", "port": 4712}], found
    assert found[0]["args"][0]["sock_arg"]["protocol"] == "IPPROTO_TCP", found
    found = hits(daemon, "sockaddr-un", pid)
    assert [event["args"][1]["sockaddrun_arg"] for event in found] == [
        {"family": "AF_UNIX", "path": "@tetragon-abstract"}, {"family": "AF_UNIX", "path": f"{PLACE}/socket"}], found
    event, = hits(daemon, "skb", pid)
    packet = event["args"][0]["skb_arg"]
    assert (packet["saddr"], packet["daddr"], packet["dport"], packet["protocol"]) == (
        "127.0.0.1", "127.0.0.1", 4713, "IPPROTO_UDP") and packet["len"] == 20 + 8 + 23, packet
    found = hits(daemon, "sock", pid)
    assert len(found) == 2 and all(event["args"][0]["sock_arg"]["type"] == "SOCK_DGRAM" for event in found), found


@requires("kprobes")
def test_credentials(env):
    daemon = daemon_of(env)
    # Effective ids away from root take the effective set away and leave the permitted one.
    event = hits(daemon, "cred", child(lambda: os.setresuid(0, 12345, 0)))[-1]
    credentials, effective, permitted, inheritable = event["args"]
    assert credentials["process_credentials_arg"]["euid"] == 12345, event
    assert effective["cap_effective_arg"] == "0" * 16 and int(permitted["cap_permitted_arg"], 16) != 0, event
    assert len(inheritable["cap_inheritable_arg"]) == 16, event
    pid = child(lambda: LIBC.sethostname(None, 4096))  # refused, but only after the privilege was looked at
    event = hit(daemon, "capability", pid, lambda inner: inner["args"][2]["capability_arg"]["name"] == "CAP_SYS_ADMIN")
    assert event["args"][2]["capability_arg"]["value"] == 21 and event["args"][1]["user_ns_arg"]["level"] == 0, event


@requires("kprobes")
def test_capabilities_gained(env):
    """Taken away: no event. Given back: one, with the set that has it."""
    boot = 1 << 22

    def lose_and_gain():
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        sets = (ctypes.c_uint32 * 6)()
        syscall("capget", ctypes.byref(head), ctypes.byref(sets))
        for effective in (sets[0] & ~boot, sets[0] | boot):
            sets[0] = effective
            syscall("capset", ctypes.byref(head), ctypes.byref(sets))
    found = hits(daemon_of(env), "capset", child(lose_and_gain))
    assert len(found) == 1, found
    old, new = (int(value(one), 16) for one in found[0]["args"])
    assert "cap_effective_arg" in found[0]["args"][0] and "kernel_cap_t_arg" in found[0]["args"][1], found
    assert not old & boot and new & boot, found


@requires("kprobes")
def test_bpf_and_perf(env):
    def use():
        from lib.features import PROG_TYPE_KPROBE, RETURN_0, load_program
        load_program(PROG_TYPE_KPROBE, RETURN_0)
        attributes = ctypes.create_string_buffer(struct.pack("<IIQ", 1, 112, 2), 112)  # PERF_TYPE_SOFTWARE, page faults
        LIBC.syscall(ctypes.c_long({"x86_64": 298, "aarch64": 241}[os.uname().machine]), attributes, 0, -1, -1, 0)
    daemon = daemon_of(env)
    pid = child(use)
    program = hit(daemon, "bpf-prog", pid)["args"][0]["bpf_prog_arg"]
    assert program["ProgType"] == "BPF_PROG_TYPE_KPROBE" and program["InsnCnt"] == 2 and program["ProgName"] == "probe", program
    event = hit(daemon, "perf-event", pid)
    assert event["args"][0]["perf_event_arg"] == {"Type": "PERF_TYPE_SOFTWARE", "Config": "2"}, event


@requires("kprobes")
def test_devices(env):
    def use():
        LIBC.unshare(CLONE_NEWNET)
        fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack("16sH14x", b"lo", 1))  # up
    found = hits(daemon_of(env), "net-device", child(use))
    assert found and found[0]["args"][0]["string_arg"] == "lo" and found[0]["args"][1]["uint_arg"] & 1, found
