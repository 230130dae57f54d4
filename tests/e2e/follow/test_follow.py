# SPDX-License-Identifier: Apache-2.0
"""FollowFD, CopyFD, UnfollowFD: names that descriptors were opened by."""

import os

from lib import Skip, requires
from lib.policies import LIBC, check_loaded, child, folder_of, hits, new_folder, policy

PLACE = new_folder()
FOLDER: list[str] = []
HIGH = 77  # a descriptor that nobody else has
# Old calls that newer machines do not have.
DUP2 = {"x86_64": 33}.get(os.uname().machine)
SIGKILL, SIGURG = 9, 23


def followed(name: str, backend: str, above: int) -> str:
    """Below PLACE: names of descriptors as they were opened, but for *-late; copies to `above` and the nine behind it."""
    return policy(name, f"""
  options: [{{name: backend, value: {backend}}}]
  kprobes:
  - call: fd_install
    syscall: false
    args: [{{index: 0, type: int}}, {{index: 1, type: file}}]
    selectors:
    - matchArgs:
      - {{index: 1, operator: Prefix, values: ["{PLACE}/{name}"]}}
      - {{index: 1, operator: NotPostfix, values: ["-late"]}}
      matchActions: [{{action: FollowFD, argFd: 0, argName: 1}}]
  - call: sys_dup2
    syscall: true
    args: [{{index: 0, type: fd}}, {{index: 1, type: int}}]
    selectors:
    - matchArgs: [{{index: 1, operator: InRange, values: ["{above}:{above + 9}"]}}]
      matchActions: [{{action: CopyFD, argFd: 0, argName: 1}}, {{action: Signal, argSig: {SIGURG}}}]
  - call: sys_lseek
    syscall: true
    args: [{{index: 0, type: fd}}, {{index: 1, type: int64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Prefix, values: ["{PLACE}/{name}"]}}]
  - call: sys_close
    syscall: true
    args: [{{index: 0, type: int}}]
    selectors:
    - matchActions: [{{action: UnfollowFD, argFd: 0, argName: 0}}, {{action: NoPost}}]
""")


def stops(name: str, number: int) -> str:
    return policy(name, f"""
  kprobes:
  - call: sys_dup2
    syscall: true
    args: [{{index: 0, type: int}}, {{index: 1, type: int}}]
    selectors:
    - matchArgs: [{{index: 1, operator: Equal, values: ["{number}"]}}]
      matchActions: [{{action: CopyFD, argFd: 0, argName: 1}}, {{action: Signal, argSig: {SIGKILL}}}]
  - call: sys_lseek
    syscall: true
    args: [{{index: 0, type: fd}}, {{index: 1, type: int64}}]
    selectors:
    - matchArgs: [{{index: 1, operator: Equal, values: ["{7700 + number}"]}}]
""")


def dup2(fd: int, to: int) -> int:
    return LIBC.syscall(DUP2, fd, to)


def daemon_of(env):
    if DUP2 is None:
        raise Skip("this machine has no dup2(2)")
    if not FOLDER:
        FOLDER.append(folder_of([followed("by-kprobe", "kprobe", HIGH), followed("by-fentry", "fentry", HIGH + 20)]))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


def names(daemon, policy_name: str, pid: int) -> list[str]:
    return [event["args"][0]["file_arg" if "file_arg" in event["args"][0] else "path_arg"]["path"]
            for event in hits(daemon, policy_name, pid) if event["function_name"].endswith("sys_lseek")]


def check(env, name: str, high: int) -> None:
    daemon = daemon_of(env)
    check_loaded(daemon)
    before, after, other, early, late = (PLACE / f"{name}-{word}" for word in ("before", "after", "other", "early", "late"))
    for file in (before, other, early):
        file.write_text("x")

    def use():
        fd = os.open(before, os.O_RDONLY)
        os.rename(before, after)
        os.lseek(fd, 1, os.SEEK_SET)
        dup2(fd, high)
        os.lseek(high, 2, os.SEEK_SET)
        os.close(high)
        dup2(fd, high + 15)  # unseen: the descriptor itself is asked
        os.lseek(high + 15, 3, os.SEEK_SET)
        fresh = os.open(other, os.O_RDONLY)
        os.rename(other, before)
        os.lseek(fresh, 4, os.SEEK_SET)
        dup2(high + 15, fresh)  # the entry of `fresh` is of a file that is not there any more
        os.lseek(fresh, 5, os.SEEK_SET)
        os.lseek(fd, 6, os.SEEK_SET)
        os.close(fd)
        # The same file at the same descriptor: only UnfollowFD tells.
        fd = os.open(early, os.O_RDONLY)
        os.lseek(fd, 7, os.SEEK_SET)
        os.close(fd)
        os.rename(early, late)
        assert os.open(late, os.O_RDONLY) == fd
        os.lseek(fd, 8, os.SEEK_SET)
        # A child has descriptors, but no names of them.
        again = os.open(before, os.O_RDONLY)
        os.rename(before, other)
        os.write(tell, str(child(lambda: os.lseek(again, 9, os.SEEK_SET))).encode())

    told, tell = os.pipe()
    pid = child(use)
    os.close(tell)
    grandchild = int(os.read(told, 20) or b"0")
    os.close(told)
    assert names(daemon, name, pid) == [str(one) for one in (before, before, after, other, after, before, early, late)]
    assert names(daemon, name, grandchild) == [str(other)]
    found = {event["function_name"].rpartition("_")[2]: event for event in hits(daemon, name, pid)}
    assert found["install"]["action"] == "KPROBE_ACTION_FOLLOWFD", found
    assert found["dup2"]["action"] == "KPROBE_ACTION_SIGNAL", found
    assert "close" not in found, found


@requires("kprobes")
def test_names_by_kprobes(env):
    check(env, "by-kprobe", HIGH)


@requires("kprobes", "trampolines")
def test_names_by_fentry(env):
    check(env, "by-fentry", HIGH + 20)


def test_a_copy_of_nothing_stops_the_list(env):
    if DUP2 is None:
        raise Skip("this machine has no dup2(2)")
    daemon = env.daemon()
    file = env.tmp / "stops.yaml"
    file.write_text(stops("stops", 97))
    daemon.tetra("tracingpolicy", "add", file)

    def use():
        dup2(1, 97)
        os.close(97)
        fd = os.open("/etc/hostname", os.O_RDONLY)
        os.lseek(fd, 7797, os.SEEK_SET)  # only when it is still there

    pid = child(use)
    copied, sought = hits(daemon, "stops", pid)
    assert copied["function_name"].endswith("sys_dup2"), copied
    assert copied["action"] == "KPROBE_ACTION_POST", copied  # none of the list was done
    assert "/etc/hostname" in str(sought["args"][0]), sought
