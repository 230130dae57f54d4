# SPDX-License-Identifier: Apache-2.0
"""BPF programs of the kernel, as bpf(2) tells of them: bpftool does not print how much work the verifier had."""

import ctypes
import os
from dataclasses import dataclass

LIBC = ctypes.CDLL(None, use_errno=True)
BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
NEXT_ID, FD_BY_ID, INFO_BY_FD = 11, 13, 15  # of programs; include/uapi/linux/bpf.h
NAME, VERIFIED, INFO_SIZE = slice(64, 80), slice(216, 220), 232  # in struct bpf_prog_info


@dataclass
class Program:
    id: int
    name: str
    verified: int  # instructions that the verifier went through; 0 before 5.16


def bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 64))
    result = LIBC.syscall(ctypes.c_long(BPF), ctypes.c_int(command), buffer, ctypes.c_uint(len(attributes)))
    return result, buffer.raw


def word(number: int, size: int = 4) -> bytes:
    return number.to_bytes(size, "little")


def programs() -> list[Program]:
    found, last = [], 0
    while True:
        result, answer = bpf(NEXT_ID, word(last) + word(0) + word(0))
        if result != 0:
            return found
        last = int.from_bytes(answer[4:8], "little")
        fd, _ = bpf(FD_BY_ID, word(last) + word(0) + word(0))
        if fd < 0:
            continue  # it has gone meanwhile
        try:
            info = ctypes.create_string_buffer(INFO_SIZE)
            result, _ = bpf(INFO_BY_FD, word(fd) + word(INFO_SIZE) + word(ctypes.addressof(info), 8))
            if result == 0:
                found.append(Program(last, info.raw[NAME].split(b"\0")[0].decode(), int.from_bytes(info.raw[VERIFIED], "little")))
        finally:
            os.close(fd)
