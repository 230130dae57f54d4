# SPDX-License-Identifier: Apache-2.0
"""What the running kernel can do, found out by trying, never by version. probe(name) -> (bool, reason)."""

import ctypes
import errno
import functools
import os
import struct
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
SYS_BPF = {"x86_64": 321, "aarch64": 280}
MAP_CREATE, PROG_LOAD, LINK_CREATE = 0, 5, 28
MAP_TYPE_ARRAY, MAP_TYPE_RINGBUF = 2, 27
PROG_TYPE_KPROBE = 2
ATTACH_KPROBE_MULTI = 42
HELPER_OVERRIDE_RETURN = 58


def bpf(command: int, attributes: bytes) -> int:
    """The system call itself; a descriptor or -errno. No library: the probe must not depend on what it judges."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        return -errno.ENOSYS
    result = libc.syscall(number, command, buffer, 128)
    return result if result >= 0 else -ctypes.get_errno()


def create_map(kind: int, key: int, value: int, entries: int) -> int:
    return bpf(MAP_CREATE, struct.pack("<IIII", kind, key, value, entries))


def load_program(kind: int, instructions: bytes, attach_type: int = 0) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    # prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, flags, name, ifindex, attach type
    attributes = struct.pack("<IIQQIIQII16sII", kind, len(instructions) // 8, ctypes.addressof(code),
                             ctypes.addressof(licence), 0, 0, 0, 0, 0, b"probe", 0, attach_type)
    return bpf(PROG_LOAD, attributes)


def instruction(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, dst | src << 4, offset, value)


RETURN_0 = instruction(0xB7, dst=0) + instruction(0x95)


def outcome(descriptor: int, what: str) -> tuple[bool, str]:
    if descriptor >= 0:
        os.close(descriptor)
        return True, ""
    return False, f"{what}: {os.strerror(-descriptor)}"


@functools.cache
def kernel_symbols() -> frozenset[str]:
    try:
        with open("/proc/kallsyms", encoding="ascii", errors="replace") as table:
            return frozenset(line.split()[2] for line in table)
    except OSError:
        return frozenset()


def probe_root() -> tuple[bool, str]:
    return (True, "") if os.geteuid() == 0 else (False, "not root")


def probe_btf() -> tuple[bool, str]:
    path = Path("/sys/kernel/btf/vmlinux")
    return (True, "") if path.exists() else (False, f"no {path} (CONFIG_DEBUG_INFO_BTF)")


def probe_bpf() -> tuple[bool, str]:
    worked, reason = outcome(create_map(MAP_TYPE_ARRAY, 4, 8, 1), "bpf(MAP_CREATE)")
    return (worked, reason) if not worked else outcome(load_program(PROG_TYPE_KPROBE, RETURN_0), "bpf(PROG_LOAD)")


def probe_ringbuf() -> tuple[bool, str]:
    return outcome(create_map(MAP_TYPE_RINGBUF, 0, 0, 4096), "ring buffer map")


def probe_tracefs() -> tuple[bool, str]:
    return (True, "") if (TRACEFS / "events").is_dir() else (False, f"no {TRACEFS}/events; is tracefs mounted?")


def probe_syscall_tracepoints() -> tuple[bool, str]:
    path = TRACEFS / "events" / "raw_syscalls" / "sys_enter"
    return (True, "") if path.is_dir() else (False, f"no {path} (CONFIG_FTRACE_SYSCALLS)")


def probe_register(file: str, definition: str, remove: str) -> tuple[bool, str]:
    path = TRACEFS / file
    if not path.exists():
        return False, f"no {path}"
    try:
        # O_APPEND: truncating would clear other tools' probes; Python's own append mode seeks, which tracefs refuses.
        for line in (definition, remove):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line.encode() + b"\n")
            finally:
                os.close(descriptor)
    except OSError as error:
        return False, f"{path} refuses '{definition}': {error.strerror}"
    return True, ""


def probe_kprobes() -> tuple[bool, str]:
    name = f"tetragon_test/k{os.getpid()}"
    return probe_register("kprobe_events", f"p:{name} do_sys_openat2", f"-:{name}")


def probe_uprobes() -> tuple[bool, str]:
    """Links use perf's event source; tracefs need not be mounted."""
    source = Path("/sys/bus/event_source/devices/uprobe/type")
    return (True, "") if source.exists() else (False, f"no {source} (CONFIG_UPROBE_EVENTS)")


def probe_trampolines() -> tuple[bool, str]:
    """fentry, fexit, fmod_ret and BPF LSM programs attach through ftrace's direct calls."""
    symbols = kernel_symbols()
    if "arch_prepare_bpf_trampoline" not in symbols:
        return False, "no BPF trampolines on this architecture or no BPF JIT"
    if not symbols & {"register_ftrace_direct", "register_ftrace_direct_multi"}:
        return False, "no ftrace direct calls (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)"
    return True, ""


def probe_fprobe() -> tuple[bool, str]:
    """kprobe.multi: an empty attach request is 'invalid' where it is known and 'not supported' where it is not."""
    program = load_program(PROG_TYPE_KPROBE, RETURN_0, ATTACH_KPROBE_MULTI)
    if program < 0:
        return False, f"kprobe.multi program: {os.strerror(-program)}"
    result = bpf(LINK_CREATE, struct.pack("<IIII", program, 0, ATTACH_KPROBE_MULTI, 0))
    os.close(program)
    if result >= 0:
        os.close(result)
    return (False, "no kprobe.multi (CONFIG_FPROBE)") if result == -errno.EOPNOTSUPP else (True, "")


def probe_bpf_lsm() -> tuple[bool, str]:
    path = Path("/sys/kernel/security/lsm")
    try:
        names = path.read_text().strip().split(",")
    except OSError as error:
        return False, f"{path}: {error.strerror}"
    return (True, "") if "bpf" in names else (False, f"'bpf' is not among the active LSMs ({','.join(names)})")


def probe_override() -> tuple[bool, str]:
    code = instruction(0xB7, dst=2, value=0) + instruction(0x85, value=HELPER_OVERRIDE_RETURN) + RETURN_0
    worked, reason = outcome(load_program(PROG_TYPE_KPROBE, code), "bpf_override_return")
    return worked, reason and reason + " (CONFIG_BPF_KPROBE_OVERRIDE)"


def probe_cgroup2() -> tuple[bool, str]:
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if Path(place, "cgroup.controllers").exists():
            return True, ""
    return False, "no cgroup v2 hierarchy below /sys/fs/cgroup"


def probe_vm() -> tuple[bool, str]:
    return (True, "") if os.environ.get("TETRAGON_TEST_IN_VM") else (False, "only in the test virtual machine")


PROBES = {name.removeprefix("probe_"): function for name, function in list(globals().items())
          if name.startswith("probe_") and name != "probe_register"}


@functools.cache
def probe(name: str) -> tuple[bool, str]:
    if name not in PROBES:
        raise KeyError(f"no feature '{name}'; known: {', '.join(sorted(PROBES))}")
    return PROBES[name]()
