# SPDX-License-Identifier: Apache-2.0
"""TrackSock, UntrackSock: events of a socket belong to the process that had it when it was noted."""

import os
import socket

from lib import requires, timeout
from lib.policies import check_loaded, policy

PORT = 4791
TEXT = b"some words"
ROUNDS = 20


def received(name: str, port: int, more: str = "", pids: str = "") -> str:
    """Packets that a server's socket takes, by the port that it has."""
    return policy(name, f"""
  kprobes:
{more}
  - call: tcp_rcv_established
    syscall: false
    args: [{{index: 0, type: sock}}]
    selectors:
    - matchArgs: [{{index: 0, operator: SPort, values: ["{port}"]}}]
{pids}
""")


ACCEPT = """
  - call: inet_csk_accept
    syscall: false
    return: true
    returnArg: {index: 0, type: sock}
    returnArgAction: TrackSock
"""
UNTRACK = """
  - call: tcp_setsockopt
    syscall: false
    args: [{index: 0, type: sock}]
    selectors:
    - matchActions: [{action: UntrackSock, argSock: 0}]
"""


class Server:
    """A process that takes one connection when it is let go; each step is told over a pipe."""

    def __init__(self, port: int):
        self.listener_ = socket.create_server(("127.0.0.1", port))
        told, tell = os.pipe()
        started, start = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            os.close(start)
            self.serve_(started, tell)
        os.close(tell)
        os.close(started)
        self.told_, self.start_ = told, start
        self.listener_.close()

    def serve_(self, started: int, tell: int) -> None:
        try:
            os.read(started, 1)  # the policies are there: calls that had begun before have no return
            connection, _ = self.listener_.accept()
            os.write(tell, b"a")
            while data := connection.recv(4096):
                os.write(tell, data[:1])
                if data.endswith(b"down"):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    os.write(tell, b"d")
        finally:
            os._exit(0)

    def go(self) -> None:
        os.close(self.start_)

    def wait(self) -> bytes:
        return os.read(self.told_, 1)

    def end(self) -> None:
        os.waitpid(self.pid, 0)
        os.close(self.told_)


def talk(client: socket.socket, server: Server) -> None:
    for _ in range(ROUNDS):
        client.sendall(TEXT)
        assert server.wait() == TEXT[:1]


def pids_of(daemon, name: str, function: str = "tcp_rcv_established") -> list[int]:
    events = daemon.events.find(lambda e: e.get("process_kprobe", {}).get("policy_name") == name
                                and e["process_kprobe"]["function_name"] == function)
    return [event["process_kprobe"]["process"].get("pid") for event in events]


def add(env, daemon, name: str, text: str) -> None:
    file = env.tmp / f"{name}.yaml"
    file.write_text(text)
    daemon.tetra("tracingpolicy", "add", file)


@requires("kprobes")
@timeout(120)
def test_owner(env):
    daemon = env.daemon()
    server = Server(PORT)
    add(env, daemon, "plain", received("plain", PORT))
    add(env, daemon, "tracked", received("tracked", PORT, ACCEPT))
    only = f"      matchPIDs: [{{operator: In, values: [{server.pid}]}}]"
    add(env, daemon, "of-the-server", received("of-the-server", PORT, ACCEPT, only))
    others = f"      matchPIDs: [{{operator: NotIn, values: [{server.pid}]}}]"
    add(env, daemon, "of-others", received("of-others", PORT, ACCEPT, others))
    check_loaded(daemon)
    with socket.create_connection(("127.0.0.1", PORT)) as client:
        server.go()
        assert server.wait() == b"a"
        talk(client, server)
    server.end()
    daemon.events.wait_exit(server.pid)
    plain = pids_of(daemon, "plain")
    # Loopback hands a packet over in the sender's time.
    assert len(plain) >= ROUNDS and os.getpid() in plain, plain
    tracked = pids_of(daemon, "tracked")
    assert len(tracked) == len(plain) and set(tracked) == {server.pid}, (tracked, plain)
    assert pids_of(daemon, "of-the-server") == tracked
    assert not pids_of(daemon, "of-others"), pids_of(daemon, "of-others")


@requires("kprobes")
@timeout(120)
def test_untracked(env):
    daemon = env.daemon()
    server = Server(PORT + 1)
    add(env, daemon, "forgotten", received("forgotten", PORT + 1, ACCEPT + UNTRACK))
    check_loaded(daemon)
    with socket.create_connection(("127.0.0.1", PORT + 1)) as client:
        server.go()
        assert server.wait() == b"a"
        talk(client, server)
        client.sendall(b"down")
        assert server.wait() == b"d" and server.wait() == b"d"
        talk(client, server)
    server.end()
    daemon.events.wait_exit(server.pid)
    found = pids_of(daemon, "forgotten")
    assert found[:ROUNDS] == [server.pid] * ROUNDS, found
    assert os.getpid() in found[ROUNDS:], found


@requires("kprobes")
@timeout(120)
def test_packets(env):
    daemon = env.daemon()
    server = Server(PORT + 2)
    sent = """
  - call: __ip_local_out
    syscall: false
    args: [{index: 2, type: skb}]
    selectors:
    - matchArgs: [{index: 2, operator: SPort, values: ["%d"]}]
""" % (PORT + 2)
    add(env, daemon, "plain-packets", policy("plain-packets", "  kprobes:\n" + sent))
    add(env, daemon, "packets", policy("packets", "  kprobes:\n" + ACCEPT + sent))
    check_loaded(daemon)
    with socket.create_connection(("127.0.0.1", PORT + 2)) as client:
        server.go()
        assert server.wait() == b"a"
        talk(client, server)
    server.end()
    daemon.events.wait_exit(server.pid)
    # The first one answers the connection, before there is a socket; acknowledgements go out in the time of who sent.
    plain, packets = (pids_of(daemon, name, "__ip_local_out")[1:] for name in ("plain-packets", "packets"))
    assert os.getpid() in plain, plain
    assert len(packets) == len(plain) and set(packets) == {server.pid}, (packets, plain)
