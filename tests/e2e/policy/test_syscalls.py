# SPDX-License-Identifier: Apache-2.0
"""System calls by policy: each type of argument they have, both ABIs, entry and return, several hooks on one call."""

import base64
import ctypes
import mmap
import os
import shutil
import struct
import subprocess

from lib import Skip, sensor
from lib.features import kernel_symbols
from lib.policies import check_loaded, child, folder_of, hit, hits, new_folder, policy, syscall, value

PLACE = new_folder()
FOLDER: list[str] = []
# As tests/e2e/programs/calls.c makes it.
HAS_COMPAT = "__ia32_sys_getpgid" in kernel_symbols()
FD, BIG_FD, VECTOR_FD = 700, 701, 702

NUMBERS = policy("numbers", "".join(f"""
  kprobes:""" * (first == 1) + f"""
  - call: sys_prctl
    args: [{', '.join(f'{{index: {n}, type: {kind}}}' for n, kind in enumerate(kinds))}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{0x7e0000 + first}"]}}]""" for first, kinds in (
        (1, ("int", "int8", "uint8", "int16", "uint16")), (2, ("int", "int32", "uint32", "int64", "uint64")),
        (3, ("int", "long", "ulong", "size_t", "sint32")))))

FILES = policy("files", f"""
  kprobes:
  - call: sys_lseek
    return: true
    args:
    - {{index: 0, type: fd, label: which}}
    - {{index: 1, type: int64}}
    returnArg: {{index: 0, type: int64}}
    selectors:
    - matchArgs:
      - {{index: 0, operator: Equal, values: ["{PLACE}/equal"]}}
      - {{index: 1, operator: Equal, values: ["11"]}}
    - matchArgs:
      - {{index: 0, operator: Prefix, values: ["{PLACE}/pre"]}}
      - {{index: 1, operator: Equal, values: ["12"]}}
    - matchArgs:
      - {{index: 0, operator: Postfix, values: [".post"]}}
      - {{index: 1, operator: Equal, values: ["13"]}}
""")

BUFFERS = policy("buffers", f"""
  kprobes:
  - call: sys_read
    return: true
    args:
    - {{index: 0, type: int}}
    - {{index: 1, type: char_buf, returnCopy: true, sizeArgIndex: 3}}
    - {{index: 2, type: size_t}}
    returnArg: {{index: 0, type: int64}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{FD}"]}}]
  - call: sys_write
    args:
    - {{index: 0, type: int}}
    - {{index: 1, type: char_buf, sizeArgIndex: 3}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{FD}"]}}]
  - call: sys_write
    args:
    - {{index: 0, type: int}}
    - {{index: 1, type: char_buf, sizeArgIndex: 3, maxData: true}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{BIG_FD}"]}}]
  - call: sys_writev
    args:
    - {{index: 0, type: int}}
    - {{index: 1, type: char_iovec, sizeArgIndex: 3}}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{VECTOR_FD}"]}}]
""")

STRINGS = policy("strings", """
  kprobes:
  - call: sys_openat
    message: "a path"
    tags: [one, two]
    args:
    - {index: 0, type: int}
    - {index: 1, type: string, label: path}
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["71001"]}]
    - matchArgs: [{index: 1, operator: Equal, values: ["/tetragon-no-such/equal"]}]
    - matchArgs: [{index: 1, operator: Prefix, values: ["/tetragon-no-such/pre"]}]
    - matchArgs: [{index: 1, operator: Postfix, values: ["fix-of-tetragon"]}]
""")

CHAIN = [policy(f"chain-{n}", """
  kprobes:
  - call: sys_getpgid
    args: [{index: 0, type: int}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["7654321"]}]
""") for n in range(5)]

LISTS = policy("lists", """
  lists:
  - {name: calls, type: syscalls, values: [sys_getsid, sys_getpriority]}
  kprobes:
  - call: "list:calls"
    args: [{index: 0, type: int}]
    return: true
    returnArg: {index: 0, type: int}
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["7654322"]}]
""")

GENERATED = policy("generated", """
  lists:
  - {name: every, type: generated_syscalls}
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args:
    - {index: 1, type: syscall64}
    selectors:
    - matchBinaries: [{operator: In, values: ["%s/every"]}]
      matchArgs: [{index: 1, operator: InMap, values: ["list:every"]}]
""" % PLACE)

COMPAT = policy("compat", """
  kprobes:
  - call: __ia32_sys_getpgid
    args: [{index: 0, type: int}]
    return: true
    returnArg: {index: 0, type: int}
    selectors:
    - matchBinaries: [{operator: In, values: ["%s/compat"]}]
""" % PLACE)


def daemon_of(env):
    if not FOLDER:
        FOLDER.append(folder_of([NUMBERS, FILES, BUFFERS, STRINGS, *CHAIN, LISTS, GENERATED] + [COMPAT] * HAS_COMPAT))
    return env.shared_daemon(f"--tracing-policy-dir={FOLDER[0]}")


@sensor
def test_loaded(env):
    assert len(check_loaded(daemon_of(env))) == 11 + HAS_COMPAT


@sensor
def test_numbers(env):
    """The same words as numbers of each width: what is above the width is not the argument's."""
    low, wide = 0x1234567890ABCDEF, -2

    def use():
        for first in (1, 2, 3):
            syscall("prctl", 0x7E0000 + first, low, wide, low, wide)
    found = hits(daemon_of(env), "numbers", child(use))
    assert [[value(arg) for arg in event["args"]] for event in found] == [
        [0x7E0001, struct.unpack("b", b"\xef")[0], 0xFE, -0x3211, 0xFFFE],
        [0x7E0002, struct.unpack("<i", struct.pack("<I", 0x90ABCDEF))[0], 0xFFFFFFFE, str(low), str(2**64 - 2)],
        [0x7E0003, str(low), str(2**64 - 2), str(low), -2]], found
    kinds = [list(arg)[0] for event in found for arg in event["args"]]
    assert kinds == ["int_arg", "int_arg", "uint_arg", "int_arg", "uint_arg", "int_arg", "int_arg", "uint_arg", "long_arg",
                     "size_arg", "int_arg", "long_arg", "size_arg", "size_arg", "int_arg"], kinds


@sensor
def test_files_of_descriptors(env):
    def use():
        for name, number in (("equal", 11), ("prefixed", 12), ("some.post", 13), ("other", 11), ("equal", 12), ("other", 13)):
            fd = os.open(PLACE / name, os.O_RDWR | os.O_CREAT, 0o600)
            os.lseek(fd, number, os.SEEK_SET)
            os.close(fd)
    found = hits(daemon_of(env), "files", child(use))
    assert [event["args"][0]["file_arg"]["path"] for event in found] == [
        f"{PLACE}/equal", f"{PLACE}/prefixed", f"{PLACE}/some.post"], found
    assert [event["return"]["long_arg"] for event in found] == ["11", "12", "13"], found
    assert found[0]["args"][0]["label"] == "which" and found[0]["args"][0]["file_arg"]["permission"] == "-rw-------", found


@sensor
def test_buffers(env):
    content = bytes(range(256)) * 40

    def use():
        (PLACE / "content").write_bytes(content)
        source = os.open(PLACE / "content", os.O_RDONLY)
        sink = os.open("/dev/null", os.O_WRONLY)
        os.dup2(source, FD)
        os.read(FD, 100)
        os.lseek(FD, -3, os.SEEK_END)
        os.read(FD, 100)
        os.dup2(sink, FD)
        os.write(FD, b"a few")
        os.write(FD, content)
        os.dup2(sink, BIG_FD)
        os.write(BIG_FD, content)
        os.dup2(sink, VECTOR_FD)
        os.writev(VECTOR_FD, [b"one ", b"two ", b"", b"three"])
    found = hits(daemon_of(env), "buffers", child(use))
    assert [event["function_name"].rpartition("_")[2] for event in found] == ["read", "read", "write", "write", "write",
                                                                           "writev"], found
    read, rest, few, cut, big, vector = found
    assert base64.b64decode(read["args"][1]["bytes_arg"]) == content[:100] and read["return"]["long_arg"] == "100", read
    # What was read counts, not what was asked for.
    assert base64.b64decode(rest["args"][1]["bytes_arg"]) == content[-3:] and rest["return"]["long_arg"] == "3", rest
    assert base64.b64decode(few["args"][1]["bytes_arg"]) == b"a few", few
    truncated = cut["args"][1]["truncated_bytes_arg"]
    kept = base64.b64decode(truncated["bytes_arg"])
    assert int(truncated["orig_size"]) == len(content) and content.startswith(kept) and len(kept) >= 4095, cut
    assert base64.b64decode(big["args"][1]["bytes_arg"]) == content, str(big)[:500]
    assert base64.b64decode(vector["args"][1]["bytes_arg"]) == b"one two three", vector


@sensor
def test_strings(env):
    page = mmap.mmap(-1, mmap.PAGESIZE)  # nothing is in memory of it yet
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    long_path = b"/" + b"x/" * 1990 + b"end"

    def use():
        syscall("openat", 71001, None, 0)
        syscall("openat", 71001, 0x1000, 0)
        syscall("openat", 71001, ctypes.c_void_p(address), 0)
        syscall("openat", 71001, long_path, 0)
        for path in (b"/tetragon-no-such/equal", b"/tetragon-no-such/equal2", b"/tetragon-no-such/prefixed", b"/tetragon/fix-of-tetragon"):
            syscall("openat", -1, path, 0)
    found = hits(daemon_of(env), "strings", child(use))
    assert len(found) == 7, found
    for event in found[:2]:
        assert event["args"][1]["error_arg"]["Message"] == "Bad address", event
        assert event["message"] == "a path" and event["tags"] == ["one", "two"], event
    empty = found[2]["args"][1]
    assert empty.get("string_arg", "") == "" or empty["error_arg"]["Message"] == "Bad address", empty
    assert [event["args"][1]["string_arg"] for event in found[3:]] == [
        long_path.decode(), "/tetragon-no-such/equal", "/tetragon-no-such/prefixed", "/tetragon/fix-of-tetragon"], found


@sensor
def test_several_hooks_on_one_call(env):
    """One call has a list of hooks; taking one out of the middle leaves the others."""
    daemon = daemon_of(env)

    def use():
        syscall("getpgid", 7654321)

    def names(pid):
        daemon.events.wait_exit(pid)
        return sorted(event["process_kprobe"]["policy_name"] for event in daemon.events.find(
            lambda e: e.get("process_kprobe", {}).get("process", {}).get("pid") == pid))
    every = [f"chain-{n}" for n in range(5)]
    assert names(child(use)) == every
    daemon.tetra("tracingpolicy", "delete", "chain-2")
    assert names(child(use)) == [name for name in every if name != "chain-2"]
    daemon.tetra("tracingpolicy", "disable", "chain-0")
    assert names(child(use)) == ["chain-1", "chain-3", "chain-4"]
    daemon.tetra("tracingpolicy", "enable", "chain-0")
    file = env.tmp / "chain.yaml"
    file.write_text(CHAIN[2])
    daemon.tetra("tracingpolicy", "add", file)
    assert names(child(use)) == every


@sensor
def test_list_of_calls(env):
    def use():
        syscall("getsid", 7654322)
        syscall("getpriority", 7654322, 0)
        syscall("getpgid", 7654322)
    found = hits(daemon_of(env), "lists", child(use))
    assert [(event["function_name"].partition("sys_")[2], event["return"]["int_arg"]) for event in found] == [
        ("getsid", -3), ("getpriority", -22)], found


@sensor
def test_every_call(env):
    """generated_syscalls: a program's calls, one by one, by number and ABI."""
    daemon = daemon_of(env)
    program = PLACE / "every"
    shutil.copy(env.program("exitor"), program)
    process = subprocess.Popen([program, "exit", "0"])
    process.wait()
    found = hits(daemon, "generated", process.pid, "process_tracepoint")
    calls = [event["args"][0]["syscall_id"] for event in found]
    machine = {"x86_64": ("x64", 231), "aarch64": ("arm64", 94)}[os.uname().machine]
    assert calls and all(call["abi"] == machine[0] for call in calls), calls
    assert calls[-1]["id"] == machine[1], calls  # exit_group


@sensor
def test_hook_on_every_call(env):
    """The commonest use of generated_syscalls, with its filter from a macro: one program's calls, and nobody else's."""
    program, other = PLACE / "hooked", PLACE / "not-hooked"
    for copy in (program, other):
        shutil.copy(env.program("exitor"), copy)
    file = env.tmp / "every.yaml"
    file.write_text(policy("every-call", f"""
  options: [{{name: backend, value: syscall-tracepoint}}]
  lists:
  - {{name: all, type: generated_syscalls}}
  selectorsMacros:
    one-program: {{matchBinaries: [{{operator: In, values: ["{program}"]}}]}}
  kprobes:
  - call: "list:all"
    syscall: true
    selectors:
    - macros: [one-program]
"""))
    with env.daemon() as daemon:
        daemon.tetra("tracingpolicy", "add", file, timeout=60)
        pids = []
        for copy in (program, other):
            process = subprocess.Popen([copy, "exit", "0"])
            process.wait()
            pids.append(process.pid)
        found = [event["function_name"] for event in hits(daemon, "every-call", pids[0])]
        assert any(name.endswith("sys_exit_group") for name in found) and len(set(found)) > 3, found
        assert not hits(daemon, "every-call", pids[1])


@sensor
def test_vector_that_the_call_fills(env):
    """char_iovec with returnCopy: what readv has read, which is not there when it begins."""
    source = PLACE / "vector"
    source.write_bytes(b"first,second")
    file = env.tmp / "readv.yaml"
    file.write_text(policy("filled", """
  options: [{name: backend, value: syscall-tracepoint}]
  kprobes:
  - call: sys_readv
    syscall: true
    return: true
    args:
    - {index: 0, type: int}
    - {index: 1, type: char_iovec, returnCopy: true, sizeArgIndex: 3}
    - {index: 2, type: int}
    returnArg: {index: 0, type: long}
"""))
    with env.daemon() as daemon:
        daemon.tetra("tracingpolicy", "add", file, timeout=60)

        def use():
            fd = os.open(source, os.O_RDONLY)
            os.readv(fd, [bytearray(6), bytearray(6)])
        (event,) = hits(daemon, "filled", child(use))
        assert event["return"] == {"long_arg": "12"}, event
        assert base64.b64decode(event["args"][1]["bytes_arg"]) == b"first,second", event


@sensor
def test_32_bit_calls(env):
    if not HAS_COMPAT:
        raise Skip("this kernel has no 32-bit calls of x86")
    daemon = daemon_of(env)
    program = PLACE / "compat"
    shutil.copy(env.program("calls"), program)
    process = subprocess.Popen([program, "/etc/hostname", PLACE / "written"], stdout=subprocess.PIPE, text=True)
    printed = process.communicate()[0].strip()
    if process.returncode != 0:
        raise Skip(f"this kernel has no 32-bit calls (status {process.returncode})")
    found = hits(daemon, "compat", process.pid)
    # The 64-bit getpgid of the same program is another call.
    assert [event["function_name"] for event in found] == ["__ia32_sys_getpgid"], found
    assert found[0]["args"][0]["int_arg"] == 0 and str(found[0]["return"]["int_arg"]) == printed, (found, printed)
