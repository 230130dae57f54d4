# SPDX-License-Identifier: Apache-2.0
"""Override of uprobes and Set of usdts: the process goes on with other registers and memory."""

import os
import subprocess

from acting import actions_of, add, counts
from lib import Skip, requires
from lib.policies import policy


KNOWN: list[bool] = []


def can_change_registers(daemon=None) -> bool | None:
    """As the daemon found out by trying: Linux 6.18, if it is not hardened. None: nobody has tried yet."""
    if not KNOWN and daemon is not None:
        KNOWN.append("uprobe_regs_change: true" in daemon.log())
    return KNOWN[0] if KNOWN else None


def needs_registers(daemon=None) -> None:
    if os.uname().machine != "x86_64":
        raise Skip("registers of x86_64 only")
    if can_change_registers(daemon) is False:
        raise Skip("this kernel lets no program change registers")


def uprobe(env, name: str, number: int, action: str, place: str = "symbols: [answers_number]", more: str = "", options: str = "") -> str:
    return policy(name, f"""
  options: [{options}]
  uprobes:
  - path: "{env.program('answers')}"
    {place}
    args: [{{index: 0, type: int64}}]
    {more}
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}]
      matchActions: [{action}]
""")


def usdt(env, name: str, probe: str, number: int, action: str) -> str:
    third = ", {index: 2, type: int32}" if probe == "memory" else ""
    return policy(name, f"""
  usdts:
  - path: "{env.program('answers')}"
    provider: answers
    name: {probe}
    args: [{{index: 0, type: int64}}, {{index: 1, type: int64}}{third}]
    selectors:
    - matchArgs: [{{index: 1, operator: Equal, values: ["{number}"]}}]
      matchActions: [{action}]
""")


def run(env, *arguments) -> tuple[int, str]:
    process = subprocess.Popen([env.program("answers"), *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    printed = process.communicate(timeout=30)[0].strip()
    assert process.returncode == 0, (arguments, process.returncode, printed)
    return process.pid, printed


@requires("btf", "uprobes")
def test_functions_answer(env):
    needs_registers()
    with env.daemon() as daemon:
        needs_registers(daemon)
        add(env, daemon, uprobe(env, "returns", 1, "{action: Override, argError: -22}"))
        add(env, daemon, uprobe(env, "registers", 2, '{action: Override, argRegs: ["rax=0x1234", "rip=(%rsp)", "rsp=8%rsp"]}'))
        # It runs, with other arguments; the second assignment sees the first.
        add(env, daemon, uprobe(env, "arguments", 3, '{action: Override, argRegs: ["rdi=100", "rsi=11%rdi"]}'))
        add(env, daemon, uprobe(env, "parts", 4, '{action: Override, argRegs: ["dil=5", "esi=-1"]}'))
        add(env, daemon, uprobe(env, "middle", 0, '{action: Override, argRegs: ["r12=77"]}', place="symbols: [answers_middle_label]"))
        assert run(env, "number", 9, 5)[1] == "23 1"
        pid, printed = run(env, "number", 1, 5, "--", "number", 10, 0)
        assert printed.splitlines() == ["-22 0", "20 1"], printed
        assert actions_of(daemon, "returns", pid, "process_uprobe") == ["OVERRIDE"]
        assert run(env, "number", 2, 5)[1] == f"{0x1234} 0"
        assert run(env, "number", 3, 5)[1] == f"{100 * 2 + 111} 1"
        assert run(env, "number", 4, 5)[1] == f"{5 * 2 + 0xffffffff} 1"
        assert counts(daemon, "returns").get("override") == "1", counts(daemon, "returns")


@requires("btf", "uprobes")
def test_several_places_and_mode(env):
    needs_registers()
    with env.daemon() as daemon:
        needs_registers(daemon)
        add(env, daemon, uprobe(env, "multi", 1, '{action: Override, argRegs: ["rdi=50"]}', place="symbols: [answers_number, answers_middle]"))
        assert run(env, "number", 1, 5, "--", "middle", 1)[1].splitlines() == ["105 1", "50"]
        daemon.tetra("tracingpolicy", "set-mode", "multi", "monitor")
        pid, printed = run(env, "number", 1, 5, "--", "middle", 1)
        assert printed.splitlines() == ["7 1", "1"], printed
        assert actions_of(daemon, "multi", pid, "process_uprobe") == ["OVERRIDE"] * 2


@requires("btf", "uprobes")
def test_a_page_that_is_not_there_changes_nothing(env):
    needs_registers()
    with env.daemon() as daemon:
        needs_registers(daemon)
        add(env, daemon, uprobe(env, "fault", 1, '{action: Override, argRegs: ["rdi=50", "rsi=-8(%rdi)"]}'))
        pid, printed = run(env, "number", 1, 5)
        assert printed == "7 1", printed
        assert actions_of(daemon, "fault", pid, "process_uprobe") == ["POST"]


@requires("btf", "uprobes")
def test_set_memory(env):
    """Needs no register: every kernel that lets programs write into a process."""
    if os.uname().machine != "x86_64":
        raise Skip("registers of x86_64 only")
    with env.daemon() as daemon:
        added = add(env, daemon, usdt(env, "memory", "memory", 31, "{action: Set, argIndex: 0, argValue: 1234}"), check=False)
        if "does not offer the BPF helper" in added.stderr or "lockdown" in added.stderr:
            raise Skip(added.stderr.strip())
        assert added.returncode == 0, added.stderr
        pid, printed = run(env, "usdt", 31)
        assert printed == "31 -1 7 1234 9", printed  # and not the neighbours
        assert actions_of(daemon, "memory", pid, "process_usdt") == ["SET"]
        assert run(env, "usdt", 32)[1] == "32 -1 7 32 9"
        assert counts(daemon, "memory").get("set") == "1", counts(daemon, "memory")
        daemon.tetra("tracingpolicy", "set-mode", "memory", "monitor")
        assert run(env, "usdt", 31)[1] == "31 -1 7 31 9"


@requires("btf", "uprobes")
def test_set_registers(env):
    needs_registers()
    with env.daemon() as daemon:
        needs_registers(daemon)
        add(env, daemon, usdt(env, "register", "register", 41, "{action: Set, argIndex: 0, argValue: 4000000000}"))
        add(env, daemon, usdt(env, "part", "part", 42, "{action: Set, argIndex: 0, argValue: 5}"))
        assert run(env, "usdt", 41)[1] == "4000000000 -1 7 41 9"
        assert run(env, "usdt", 42)[1] == "42 5 7 42 9"


@requires("btf", "uprobes")
def test_what_cannot_be_is_refused(env):
    if os.uname().machine != "x86_64":
        raise Skip("registers of x86_64 only")
    override = "{action: Override, argError: 1}"
    wrong = [
        (uprobe(env, "frame", 1, override, more="return: true\n    returnArg: {index: 0, type: int}"), "leave out return"),
        (uprobe(env, "begin", 1, override, place="symbols: [answers_middle_label]"), "begin only"),
        (uprobe(env, "flags", 1, '{action: Override, argRegs: ["eflags=1"]}'), "is no register that can be set"),
        (uprobe(env, "segment", 1, '{action: Override, argRegs: ["cs=1"]}'), "is no register that can be set"),
        (uprobe(env, "vector", 1, '{action: Override, argRegs: ["xmm0=1"]}'), "is no register that can be set"),
        (uprobe(env, "many", 1, '{action: Override, argRegs: [' + ", ".join(f'"r{n}=1"' for n in [8, 9, 10, 11, 12, 13, 14, 15, 8]) + "]}"),
         "at most 8 registers"),
        (usdt(env, "constant", "memory", 1, "{action: Set, argIndex: 2, argValue: 1}"), "is a constant"),
    ]
    with env.daemon() as daemon:
        for text, reason in wrong:
            done = add(env, daemon, text, check=False)
            assert done.returncode != 0 and reason in done.stderr, (reason, done.stderr)


@requires("btf", "uprobes")
def test_other_kernels_refuse_registers(env):
    with env.daemon() as daemon:
        if can_change_registers(daemon) or os.uname().machine != "x86_64":
            raise Skip("this kernel lets programs change registers")
        done = add(env, daemon, uprobe(env, "returns", 1, "{action: Override, argError: 1}"), check=False)
        assert done.returncode != 0 and "6.18" in done.stderr and "What would work" in done.stderr, done.stderr
        # Nothing is left of it.
        assert run(env, "number", 1, 5)[1] == "7 1"


@requires("btf", "uprobes")
def test_return_probes_of_other_policies(env):
    """The kernel would put the return probe on the frame that Override has left."""
    returns = uprobe(env, "looks", 1, "{action: Post}", more="return: true\n    returnArg: {index: 0, type: int}")
    leaves = uprobe(env, "leaves", 1, "{action: Override, argError: 1}")
    needs_registers()
    with env.daemon() as daemon:
        needs_registers(daemon)
        for first, second, name in ((returns, leaves, "looks"), (leaves, returns, "leaves")):
            add(env, daemon, first)
            done = add(env, daemon, second, check=False)
            assert done.returncode != 0 and "frame" in done.stderr, done.stderr
            daemon.tetra("tracingpolicy", "delete", name)
            daemon.tetra("tracingpolicy", "delete", "leaves" if name == "looks" else "looks", check=False)
        add(env, daemon, returns)
        daemon.tetra("tracingpolicy", "delete", "looks")
        add(env, daemon, leaves)
        assert run(env, "number", 1, 5)[1] == "1 0"
