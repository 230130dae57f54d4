# SPDX-License-Identifier: Apache-2.0
"""lsmhooks: the hooks of the security modules."""

import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

from lib import requires
from lib.policies import check_loaded, child, folder_of, hit, hits, new_folder, policy

PLACE = new_folder()
FOLDER: list[str] = []
KIND = "process_lsm"

POLICIES = [policy("lsm-files", f"""
  lsmhooks:
  - hook: file_open
    message: "a file"
    args: [{{index: 0, type: file, label: file}}, {{index: 0, type: int64, resolve: f_inode.i_size}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Prefix, values: ["{PLACE}"]}}]
"""), policy("lsm-programs", """
  lsmhooks:
  - hook: bprm_check_security
    args: [{index: 0, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 0, operator: Postfix, values: ["/true"]}]
"""), policy("lsm-sockets", """
  lsmhooks:
  - hook: socket_connect
    args: [{index: 0, type: socket}, {index: 1, type: sockaddr}]
    selectors:
    - matchArgs: [{index: 1, operator: SPort, values: ["4721"]}]
"""), policy("lsm-directories", f"""
  lsmhooks:
  - hook: path_mkdir
    args: [{{index: 0, type: path}}, {{index: 1, type: dentry}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{PLACE}"]}}]
"""), policy("lsm-hashes", """
  lsmhooks:
  - hook: bprm_check_security
    args: [{index: 0, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 0, operator: Postfix, values: ["/hashed"]}]
      matchActions: [{action: Post, imaHash: true}]
""")]


def daemon_of(env):
    if not FOLDER:
        FOLDER.append(folder_of(POLICIES))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


@requires("bpf_lsm")
def test_loaded(env):
    assert len(check_loaded(daemon_of(env))) == len(POLICIES)


@requires("bpf_lsm")
def test_hash_of_a_program(env):
    """IMA hashes the file when it is asked, whether or not it has a policy of its own."""
    program = shutil.copy(shutil.which("true"), PLACE / "hashed")
    daemon = daemon_of(env)
    started = subprocess.Popen([program])
    assert started.wait() == 0
    event = hit(daemon, "lsm-hashes", started.pid, kind=KIND)
    algorithm, digest = event["ima_hash"].split(":")
    assert digest == hashlib.new(algorithm, Path(program).read_bytes()).hexdigest(), event
    assert event["action"] == "KPROBE_ACTION_POST", event


@requires("bpf_lsm")
def test_files(env):
    (PLACE / "file").write_bytes(b"12345")
    daemon = daemon_of(env)
    pid = child(lambda: (os.open(PLACE / "file", os.O_RDONLY), os.mkdir(PLACE / "made"), os.open("/etc/hostname", os.O_RDONLY)))
    event, = hits(daemon, "lsm-files", pid, KIND)
    assert event["function_name"].endswith("file_open") and event["message"] == "a file", event
    assert event["args"][0]["file_arg"]["path"] == f"{PLACE}/file" and event["args"][0]["label"] == "file", event
    assert event["args"][1]["long_arg"] == "5", event
    event, = hits(daemon, "lsm-directories", pid, KIND)
    assert event["args"][1]["path_arg"]["path"].endswith("/made"), event


@requires("bpf_lsm")
def test_programs(env):
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    event = hit(daemon_of(env), "lsm-programs", process.pid, kind=KIND)
    assert event["args"][0]["linux_binprm_arg"]["path"].endswith("/true"), event


@requires("bpf_lsm")
def test_sockets(env):
    def use():
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", 4721))
    event = hit(daemon_of(env), "lsm-sockets", child(use), kind=KIND)
    assert event["args"][1]["sockaddr_arg"] == {"family": "AF_INET", "addr": "127.0.0.1", "port": 4721}, event
    assert event["args"][0]["sock_arg"]["type"] == "SOCK_STREAM", event
