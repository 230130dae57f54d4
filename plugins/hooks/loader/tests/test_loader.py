# SPDX-License-Identifier: Apache-2.0
"""loader: true: what a dynamic program maps, with build ids as the files have them."""

import base64
import struct
import subprocess
from pathlib import Path

from lib import Skip, requires

POLICY = """
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: libraries
spec:
  loader: true
"""


def build_id(path: str) -> bytes:
    data = Path(path).read_bytes()
    phoff, = struct.unpack_from("<Q", data, 32)
    phentsize, phnum = struct.unpack_from("<HH", data, 54)
    for i in range(phnum):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, phoff + i * phentsize)
        at = offset
        while kind == 4 and at + 12 <= offset + size:
            owner, content, note = struct.unpack_from("<III", data, at)
            begin = at + 12 + (owner + 3 & ~3)
            if note == 3 and data[at + 12:at + 12 + owner] == b"GNU\0":
                return data[begin:begin + content]
            at = begin + (content + 3 & ~3)
    return b""


@requires("btf")
def test_program_linker_library(env):
    program = "/bin/sleep"
    if b"ld-linux" not in Path(program).read_bytes()[:65536]:
        raise Skip(f"{program} is not dynamically linked")
    with env.daemon(policies=[POLICY]) as daemon:
        # The API answers before the policy folder is loaded.
        daemon.wait_log("policy loaded")
        process = subprocess.Popen([program, "0"])
        process.wait()
        daemon.events.wait_exit(process.pid)
        events = daemon.events.find(
            lambda e: "process_loader" in e and e["process_loader"]["process"]["pid"] == process.pid)
        assert all("time" not in event for event in events), events
        loaded = [event["process_loader"] for event in events]
        paths = [event["path"] for event in loaded]
        assert paths[0] == str(Path(program).resolve()), paths
        assert "ld-linux" in paths[1] or "ld-2" in paths[1], paths
        assert any("libc.so" in path or "libc-2" in path for path in paths[2:]), paths
        for event in loaded:
            assert event["process"]["binary"] == program, event
            wanted = build_id(event["path"])
            assert base64.b64decode(event.get("buildid", "")) == wanted and wanted, event


@requires("btf")
def test_nothing_without_a_policy(env):
    with env.daemon() as daemon:
        process = subprocess.Popen(["/bin/sleep", "0"])
        process.wait()
        daemon.events.wait_exit(process.pid)
        assert not daemon.events.find(lambda e: "process_loader" in e)
