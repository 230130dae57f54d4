# SPDX-License-Identifier: Apache-2.0
"""GetUrl and DnsLookup from a hook to the server: the daemon asks once a hit, and goes on when nobody answers."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lib import sensor
from lib.policies import child, hits, policy, syscall

KIND = "process_tracepoint"


class Server:
    def __init__(self):
        self.paths: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                self.send_response(404 if self.path == "/missing" else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, path: str, count: int) -> None:
        deadline = time.monotonic() + 20
        while self.paths.count(path) < count:
            assert time.monotonic() < deadline, self.paths
            time.sleep(0.01)


def remote(name: str, number: int, action: str) -> str:
    """When getsid(number) begins, which fails, because there is no such process."""
    return policy(name, f"""
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 0, type: int64, resolve: di}}, {{index: 1, type: syscall64}}]
    selectors:
    - matchArgs:
      - {{index: 0, operator: Equal, values: ["{number}"]}}
      matchActions: [{{{action}}}]
""")


@sensor
def test_remote_actions(env):
    server = Server()
    daemon = env.daemon("--log-level=debug", policies=[
        remote("get", 7660101, f"action: GetUrl, argUrl: \"{server.url}/hit?a=b\""),
        remote("missing", 7660102, f"action: GetUrl, argUrl: \"{server.url}/missing\""),
        remote("lookup", 7660103, "action: DnsLookup, argFqdn: localhost")])
    pid = child(lambda: [syscall("getsid", 7660101) for _ in range(3)] + [syscall("getsid", 7660102),
                                                                        syscall("getsid", 7660103)])
    server.wait("/hit?a=b", 3)
    server.wait("/missing", 1)
    assert len(server.paths) == 4, server.paths
    daemon.wait_log("resolved localhost:")
    daemon.wait_log("/missing: status 404")
    events = hits(daemon, "get", pid, KIND)
    assert [event["action"] for event in events] == ["KPROBE_ACTION_GETURL"] * 3, events
    assert hits(daemon, "lookup", pid, KIND)[0]["action"] == "KPROBE_ACTION_DNSLOOKUP"


@sensor
def test_any_selector(env):
    """Not the first one only: each selector that matched has its own calls."""
    server = Server()
    text = policy("several", f"""
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 0, type: int64, resolve: di}}, {{index: 1, type: syscall64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["7660111"]}}]
    - matchArgs: [{{index: 0, operator: Equal, values: ["7660112"]}}]
      matchActions: [{{action: GetUrl, argUrl: "{server.url}/second"}}]
    - matchArgs: [{{index: 0, operator: Equal, values: ["7660113"]}}]
      matchActions: [{{action: GetUrl, argUrl: "{server.url}/third"}}, {{action: DnsLookup, argFqdn: localhost}}]
""")
    daemon = env.daemon("--log-level=debug", policies=[text])
    pid = child(lambda: [syscall("getsid", number) for number in (7660111, 7660112, 7660113, 7660112)])
    server.wait("/second", 2)
    server.wait("/third", 1)
    daemon.wait_log("resolved localhost:")
    assert sorted(server.paths) == ["/second", "/second", "/third"], server.paths
    actions = [event["action"].removeprefix("KPROBE_ACTION_") for event in hits(daemon, "several", pid, KIND)]
    assert actions == ["POST", "GETURL", "DNSLOOKUP", "GETURL"], actions
