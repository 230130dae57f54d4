# SPDX-License-Identifier: Apache-2.0
"""NotifyEnforcer and spec.enforcers: signals and answers for system calls and security_ functions, by every way the
kernel has. The programs call getpgid(0) and the like, which do no harm and always succeed."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib import TIME_SCALE, Skip, requires
from lib.features import kernel_symbols, probe
from lib.policies import child, hits, new_folder, policy, states

MACHINE = os.uname().machine
TABLE = {"x86_64": "x64", "aarch64": "arm64"}[MACHINE]
PREFIX = f"__{TABLE}_sys_"
ROOT = Path(__file__).resolve().parents[3]
NUMBERS = {name: int(number) for number, name in re.findall(
    r'\{(\d+), "(\w+)"\}', (ROOT / f"core/kernel/syscall_names_{TABLE}.inc").read_text())}
I386 = {"getpgid": 132, "getsid": 147, "getppid": 64}
HAS_COMPAT = "__ia32_sys_getpgid" in kernel_symbols()
# What a program needs to begin, to say something and to end.
VITAL = {"execve", "brk", "arch_prctl", "prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink",
         "readlinkat", "getrandom", "mprotect", "mmap", "munmap", "exit", "exit_group", "write", "fstat", "newfstatat",
         "fcntl", "futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "ioctl", "poll", "ppoll"}
SIGKILL = "{action: NotifyEnforcer, argSig: 9}"


def trigger(program: Path, calls: str, action: str) -> str:
    """A hook on all system calls: the action, when this program does one of the list."""
    return f"""
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 1, type: syscall64}}]
    selectors:
    - matchBinaries: [{{operator: In, values: ["{program}"]}}]
      matchArgs: [{{index: 1, operator: InMap, values: ["list:{calls}"]}}]
      matchActions: [{action}]"""


def lists(**named: list[str]) -> str:
    rows = "".join(f"\n  - {{name: {name}, type: syscalls, values: [{', '.join(calls)}]}}" for name, calls in named.items())
    return f"  lists:{rows}\n"


def enforcing(name: str, program: Path, calls: list[str], action: str, answered: str = "list:calls", options: str = "") -> str:
    return policy(name, f"""{lists(calls=calls)}  tracepoints:{trigger(program, "calls", action)}
  enforcers:
  - calls: ["{answered}"]
{options}""")


def option(name: str, value: str) -> str:
    return f"  options:\n  - {{name: {name}, value: {value}}}\n"


def victim(env, name: str = "victim") -> Path:
    """A program that no other case has, so that policies hit nobody else."""
    folder = new_folder()
    folder.chmod(0o755)
    return env.copy_program("numbers", folder / name)


def run(program: Path, *calls: str) -> tuple[int, list[int]]:
    """How it ended, and what its calls answered."""
    words = [one if "/" in one or one == "wait" else re.sub(r"^\w+", lambda name: str(NUMBERS[name[0]]), one)
             for one in calls]
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return done.returncode, [int(line) for line in done.stdout.split()]


def load(daemon, text: str) -> dict:
    """Adds it; its state as listed."""
    path = new_folder() / "policy.yaml"
    path.write_text(text)
    done = daemon.tetra("tracingpolicy", "add", str(path), check=False)
    name = re.search(r"name: (\S+)", text).group(1)
    listed = states(daemon)[name]
    listed["refused"] = done.stderr + done.stdout if done.returncode != 0 else ""
    return listed


def loaded(daemon, text: str) -> dict:
    listed = load(daemon, text)
    assert listed["state"] == "TP_STATE_ENABLED", listed
    return listed


def delete(daemon, name: str) -> None:
    daemon.tetra("tracingpolicy", "delete", name)


def counters(daemon, name: str) -> dict:
    return states(daemon)[name].get("stats", {}).get("action_counters", {})


def killed(program: Path, *calls: str) -> None:
    code, answers = run(program, *calls)
    assert code == -signal.SIGKILL, (calls, code, answers)


def lives(program: Path, *calls: str) -> None:
    code, answers = run(program, *calls)
    assert code == 0 and len(answers) == len(calls) and all(answer >= 0 for answer in answers), (calls, code, answers)


def test_signal(env):
    """The process ends at the calls of the list, at no other, and no other process does."""
    daemon, program, other = env.shared_daemon(), victim(env), victim(env, "other")
    listed = loaded(daemon, enforcing("signal", program, ["sys_getpgid", "sys_getsid"], SIGKILL))
    assert listed["mode"] == "TP_MODE_ENFORCE" and "__enforcer__" in listed["sensors"], listed
    killed(program, "getpgid")
    killed(program, "getppid", "getsid")
    lives(program, "getppid", "getuid")
    lives(other, "getpgid", "getsid")
    assert int(counters(daemon, "signal")["notify_enforcer"]) == 2, counters(daemon, "signal")

    def act():
        os.execv(program, [str(program), str(NUMBERS["getpgid"])])
    found = hits(daemon, "signal", child(act), "process_tracepoint")
    assert [one["action"] for one in found] == ["KPROBE_ACTION_NOTIFYENFORCER"], found
    delete(daemon, "signal")
    lives(program, "getpgid", "getsid")


def test_other_signal(env):
    daemon, program = env.shared_daemon(), victim(env)
    loaded(daemon, enforcing("other-signal", program, ["sys_getpgid"], "{action: NotifyEnforcer, argSig: 12}"))
    code, _ = run(program, "getpgid")
    assert code == -12, code
    delete(daemon, "other-signal")


def test_old_words(env):
    """As v1.0 wrote it."""
    daemon, program = env.shared_daemon(), victim(env)
    text = enforcing("old-words", program, ["sys_getpgid"], "{action: NotifyKiller, argSig: 9}")
    loaded(daemon, text.replace("enforcers:", "killers:").replace("- calls:", "- syscalls:"))
    killed(program, "getpgid")
    delete(daemon, "old-words")


def many_calls() -> list[str]:
    """Hundreds, without those that any program does."""
    here = kernel_symbols()
    calls = sorted(name for name in NUMBERS if name not in VITAL and PREFIX + name in here)
    assert len(calls) > 250, calls
    return calls


SAMPLE = ("getpgid", "getsid", "getuid", "getgid", "geteuid", "getpid", "gettid", "getppid", "sched_yield", "umask",
          "personality", "close", "dup", "pkey_free", "close_range", "openat")


def test_hundreds(env):
    daemon, program = env.shared_daemon(), victim(env)
    calls = many_calls()
    listed = loaded(daemon, enforcing("hundreds", program, ["sys_" + name for name in calls], SIGKILL))
    assert f"{len(calls)} system calls" in listed["info"], listed["info"]
    for name in SAMPLE:
        if name in calls:
            killed(program, name)
    lives(program, "brk")
    delete(daemon, "hundreds")


def test_generated_list(env):
    """All system calls there are: the program does not get far."""
    daemon, program = env.shared_daemon(), victim(env)
    loaded(daemon, policy("generated", f"""
  lists:
  - {{name: every, type: generated_syscalls}}
  tracepoints:{trigger(program, "every", SIGKILL)}
  enforcers:
  - calls: ["list:every"]
"""))
    assert run(program, "getpgid") == (-signal.SIGKILL, [])
    delete(daemon, "generated")
    lives(program, "getpgid")


def two_steps(name: str, program: Path, answered: str, *extra: str) -> str:
    """getpgid notifies; `answered` is what the enforcer answers."""
    return policy(name, f"""{lists(calls=["sys_getpgid"], back=["sys_getuid"])}  tracepoints:{trigger(program, "calls", SIGKILL)}{"".join(extra)}
  enforcers:
  - calls: [{answered}]
""")


def test_policies_do_not_mix(env):
    """A notification is for the enforcer of its own policy."""
    daemon, one, other = env.shared_daemon(), victim(env, "one"), victim(env, "other")
    loaded(daemon, two_steps("mix-1", one, "sys_getsid"))
    loaded(daemon, two_steps("mix-2", other, "sys_getpgid, sys_getppid"))
    code, answers = run(one, "getpgid", "getppid", "getsid", "getppid")
    assert code == -signal.SIGKILL and len(answers) == 2, (code, answers)
    killed(other, "getpgid")
    lives(one, "getppid", "getsid")
    delete(daemon, "mix-2")
    delete(daemon, "mix-1")


def test_what_waits_is_not_the_next_policys(env):
    """What waited for a thread when its policy went hits nobody of the next one, which gets the same number."""
    daemon, program = env.shared_daemon(), victim(env)
    for known in ("gone-1", "gone-2"):
        loaded(daemon, two_steps(known, program, "sys_getsid"))
        killed(program, "getpgid", "getsid")
        with subprocess.Popen([program, str(NUMBERS["getpgid"]), "wait", str(NUMBERS["getsid"])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout.readline() != ""
            delete(daemon, known)
            loaded(daemon, two_steps("next", program, "sys_getsid"))
            running.stdin.close()
            assert running.wait() == 0, (known, running.returncode)
        killed(program, "getpgid", "getsid")
        delete(daemon, "next")


def test_cleanup_and_missed(env):
    daemon, program = env.shared_daemon(), victim(env)
    loaded(daemon, two_steps("cleanup", program, "sys_getsid",
                             trigger(program, "back", "{action: CleanupEnforcerNotification}")))
    lives(program, "getpgid", "getuid", "getsid")
    killed(program, "getpgid", "getpgid", "getsid")
    info = states(daemon)["cleanup"]["info"]
    assert "1 overwritten by a later one, 1 taken back" in info, info
    delete(daemon, "cleanup")


def test_nothing_is_left(env):
    if shutil.which("bpftool") is None:
        raise Skip("needs bpftool")
    daemon, program = env.daemon(), victim(env)

    def attached() -> set[str]:
        """By number: those of an earlier case may be on their way out."""
        return set(re.findall(r"^(\d+): .* name tg_enforce", env.run("bpftool", "prog", "list").stdout, re.MULTILINE))
    before = attached()
    loaded(daemon, enforcing("left", program, ["sys_getpgid"], SIGKILL))
    made = attached() - before
    assert made
    killed(program, "getpgid")
    delete(daemon, "left")
    lives(program, "getpgid")
    # The kernel lets go of programs a little later.
    deadline = time.monotonic() + 10 * TIME_SCALE
    while made & attached() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not made & attached(), made


def test_stays_when_the_daemon_is_gone(env):
    """--keep-sensors-on-exit: notifications are still answered."""
    if not any(line.split()[1:3] == ["/sys/fs/bpf", "bpf"] for line in Path("/proc/mounts").read_text().splitlines()):
        raise Skip("no BPF file system at /sys/fs/bpf")
    program = victim(env)
    daemon = env.prepare_daemon("--keep-sensors-on-exit", policies=[enforcing("stays", program, ["sys_getpgid"], SIGKILL)])
    folder = Path("/sys/fs/bpf") / next(one for one in daemon.command if one.startswith("--bpf-dir=")).split("=")[1]
    try:
        daemon.start()
        killed(program, "getpgid")
        daemon.process.kill()
        daemon.process.wait()
        killed(program, "getpgid")
        lives(program, "getsid")
    finally:
        daemon.kill()
        shutil.rmtree(folder, ignore_errors=True)
    deadline = time.monotonic() + 10 * TIME_SCALE
    while run(program, "getpgid")[0] != 0:
        assert time.monotonic() < deadline, "still enforced"
        time.sleep(0.05)


def test_monitor_mode(env):
    daemon, program = env.shared_daemon(), victim(env)
    text = enforcing("monitored", program, ["sys_getpgid"], SIGKILL, options=option("policy-mode", "monitor"))
    assert loaded(daemon, text)["mode"] == "TP_MODE_MONITOR"
    lives(program, "getpgid")
    counted = counters(daemon, "monitored")
    assert int(counted["monitor_notify_enforcer"]) == 1 and "notify_enforcer" not in counted, counted
    daemon.tetra("tracingpolicy", "set-mode", "monitored", "enforce")
    killed(program, "getpgid")
    daemon.tetra("tracingpolicy", "set-mode", "monitored", "monitor")
    lives(program, "getpgid")
    delete(daemon, "monitored")


def test_switch_while_it_waits(env):
    """What was left for a thread before the mode was switched is not done after."""
    daemon, program = env.shared_daemon(), victim(env)
    loaded(daemon, two_steps("switched", program, "sys_getsid"))
    for mode, code in (("monitor", 0), ("enforce", -signal.SIGKILL)):
        with subprocess.Popen([program, str(NUMBERS["getpgid"]), "wait", str(NUMBERS["getsid"])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout.readline() != ""
            daemon.tetra("tracingpolicy", "set-mode", "switched", mode)
            running.stdin.close()
            assert running.wait() == code, (mode, running.returncode)
        daemon.tetra("tracingpolicy", "set-mode", "switched", "enforce")
    delete(daemon, "switched")


def test_uprobe(env):
    """A function of the program itself notifies: what it calls later is answered, once."""
    daemon, program, other = env.shared_daemon(), victim(env), victim(env, "other")
    loaded(daemon, policy("from-uprobe", f"""
  uprobes:
  - path: "{program}"
    symbols: [main]
    selectors:
    - matchActions: [{SIGKILL}]
  enforcers:
  - calls: [sys_getpgid]
"""))
    killed(program, "getppid", "getpgid")
    lives(program, "getppid", "getsid")
    lives(other, "getpgid")
    delete(daemon, "from-uprobe")
    lives(program, "getpgid")


def test_refused_with_the_reason(env):
    """argError needs more than tracepoints."""
    daemon, program = env.shared_daemon(), victim(env)
    listed = load(daemon, enforcing("refused", program, ["sys_getpgid"], "{action: NotifyEnforcer, argError: -1, argSig: 9}"))
    if listed["state"] == "TP_STATE_ENABLED":
        delete(daemon, "refused")
        raise Skip("this kernel can answer for system calls: " + listed["info"])
    assert listed["state"] == "TP_STATE_LOAD_ERROR", listed
    for part in ("kprobe-multi: ", "kprobe: ", "fmod-ret: ", "syscall-tracepoint: a tracepoint cannot answer",
                 "What would work: argSig without argError"):
        assert part in listed["error"], listed["error"]
    lives(program, "getpgid")
    delete(daemon, "refused")


def test_refused_mixture(env):
    daemon, program = env.shared_daemon(), victim(env)
    text = enforcing("mixture", program, ["sys_getpgid"], "{action: NotifyEnforcer, argError: -1}", "security_task_getpgid",
                     option("override-method", "override-return"))
    listed = load(daemon, text)
    assert "override-method override-return does not serve \"security_task_getpgid\"" in listed["error"], listed
    delete(daemon, "mixture")


def test_compat_signal(env):
    if not HAS_COMPAT:
        raise Skip("this kernel has no 32-bit system calls")
    daemon, program = env.shared_daemon(), victim(env)
    loaded(daemon, enforcing("compat-signal", program, ["i386/sys_getpgid", "sys_getsid"], SIGKILL))
    killed(program, f"32/{I386['getpgid']}")
    killed(program, "getsid")
    lives(program, "getpgid", f"32/{I386['getsid']}", f"32/{I386['getppid']}")
    delete(daemon, "compat-signal")


ANSWER = "{action: NotifyEnforcer, argError: -122}"


def check_answers(env, name: str, backend: str, calls: list[str], sample: list[str], options: str = "") -> None:
    daemon, program = env.shared_daemon(), victim(env)
    listed = loaded(daemon, enforcing(name, program, calls, ANSWER, options=options))
    assert f"backend={backend}: " in listed["info"], listed["info"]
    for one in sample:
        assert run(program, one) == (0, [-122]), (one, run(program, one), listed["info"])
    lives(program, "brk")
    delete(daemon, name)
    assert run(program, sample[0])[1] != [-122]


@requires("override", "kprobes", "fprobe")
def test_answer_multi(env):
    check_answers(env, "answer-multi", "kprobe-multi", ["sys_getpgid", "sys_getsid"], ["getpgid", "getsid"])


@requires("override", "kprobes")
def test_answer_single(env):
    check_answers(env, "answer-single", "kprobe", ["sys_getpgid", "sys_getsid"], ["getpgid", "getsid"],
                  option("disable-kprobe-multi", '"true"'))


@requires("override", "kprobes", "trampolines")
def test_answer_by_trampoline(env):
    check_answers(env, "answer-modify", "fmod-ret", ["sys_getpgid", "sys_getsid"], ["getpgid", "getsid"],
                  option("override-method", "fmod-ret"))


@requires("override", "kprobes", "fprobe")
def test_answer_hundreds(env):
    calls = many_calls()
    check_answers(env, "answer-many", "kprobe-multi", ["sys_" + name for name in calls],
                  [name for name in SAMPLE if name in calls])


def test_answer_compat(env):
    if not HAS_COMPAT:
        raise Skip("this kernel has no 32-bit system calls")
    daemon, program = env.shared_daemon(), victim(env)
    listed = load(daemon, enforcing("answer-compat", program, ["i386/sys_getpgid", "i386/sys_openat", "sys_getsid"], ANSWER))
    if listed["state"] != "TP_STATE_ENABLED":
        delete(daemon, "answer-compat")
        raise Skip("this kernel cannot answer for system calls: " + listed["error"])
    assert run(program, f"32/{I386['getpgid']}", "32/295", "getsid") == (0, [-122, -122, -122])
    lives(program, "getpgid", f"32/{I386['getsid']}")
    delete(daemon, "answer-compat")


@requires("override", "kprobes")
def test_own_kprobe(env):
    """The hook that notifies is on the very function that answers."""
    daemon, program = env.shared_daemon(), victim(env)
    listed = loaded(daemon, policy("own-kprobe", f"""
  kprobes:
  - call: sys_getpgid
    args: [{{index: 0, type: int}}]
    selectors:
    - matchBinaries: [{{operator: In, values: ["{program}"]}}]
      matchActions: [{ANSWER}]
  enforcers:
  - calls: [sys_getpgid, sys_getsid]
"""))
    assert "backend=kprobe: " in listed["info"], listed["info"]
    assert run(program, "getpgid", "getsid", "getpgid")[1][::2] == [-122, -122]
    lives(program, "getsid")
    delete(daemon, "own-kprobe")


@requires("kprobes", "trampolines")
def test_security_function(env):
    """By fmod_ret, on every kernel that has trampolines."""
    daemon, program = env.shared_daemon(), victim(env)
    listed = loaded(daemon, enforcing("security", program, ["sys_getpgid"], "{action: NotifyEnforcer, argError: -13}",
                                      "security_task_getpgid"))
    assert "backend=fmod-ret: " in listed["info"], listed["info"]
    # The calling thread's own group is looked up without asking: pid 1's is not.
    assert run(program, "getpgid:1")[1] == [-13]
    delete(daemon, "security")
    loaded(daemon, enforcing("security-kill", program, ["sys_getpgid"], "{action: NotifyEnforcer, argError: -13, argSig: 9}",
                             "security_task_getpgid"))
    killed(program, "getpgid:1")
    delete(daemon, "security-kill")


@requires("kprobes")
def test_signal_by_probes(env):
    """Signals need no helper that answers: kprobes serve them without CONFIG_BPF_KPROBE_OVERRIDE."""
    daemon, program = env.shared_daemon(), victim(env)
    for name, options, backend in (("probe-multi", "", "kprobe-multi" if probe("fprobe")[0] else "kprobe"),
                                   ("probe-single", option("disable-kprobe-multi", '"true"'), "kprobe")):
        listed = loaded(daemon, enforcing(name, program, ["sys_getpgid"], SIGKILL, options=options))
        assert f"backend={backend}: " in listed["info"], listed["info"]
        killed(program, "getpgid")
        lives(program, "getsid")
        delete(daemon, name)
