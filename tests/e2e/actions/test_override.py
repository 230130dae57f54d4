# SPDX-License-Identifier: Apache-2.0
"""Override of system calls, of functions of the security modules, and of lsmhooks: what is denied is not done."""

import ctypes
import os
import socket

from acting import MARK, Shared, actions_of, add, asks, attempt, counts, on_getsid
from lib import Skip, requires
from lib.features import kernel_symbols, probe
from lib.policies import LIBC, new_folder, policy, states, syscall

PLACE = new_folder()
PORT = 4731
DENY = "{action: Override, argError: -13}"
WAYS = {"best": "", "kprobe": "{name: backend, value: kprobe}", "return": "{name: override-method, value: override-return}",
        "fmod": "{name: override-method, value: fmod-ret}"}

CALL_OF = {"best": "sys_mkdir", "fmod": "sys_mkdir", "kprobe": "sys_creat", "return": "sys_creat"}
CREAT = 85  # of x86_64; one call of the library for each


def on_paths(name: str, call: str, actions: str, options: str = "", lists: str = "") -> str:
    """The path is argument 0 of all of them."""
    return policy(name, f"""
  {lists}
  options: [{options}]
  kprobes:
  - call: {call}
    syscall: true
    args: [{{index: 0, type: string}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Prefix, values: ["{PLACE}/{name}-"]}}]
      matchActions: [{actions}]
""")


def on_names(name: str, call: str, argument: int, actions: str, options: str = "") -> str:
    return policy(name, f"""
  options: [{options}]
  kprobes:
  - call: {call}
    syscall: false
    args: [{{index: {argument}, type: string, resolve: d_name.name}}]
    selectors:
    - matchArgs: [{{index: {argument}, operator: Prefix, values: ["{name}-"]}}]
      matchActions: [{actions}]
""")


def on_lsm(name: str, hook: str, argument: int, kind: str, operator: str, value: str, actions: str) -> str:
    return policy(name, f"""
  lsmhooks:
  - hook: {hook}
    args: [{{index: {argument}, {kind}}}]
    selectors:
    - matchArgs: [{{index: {argument}, operator: {operator}, values: ["{value}"]}}]
      matchActions: [{actions}]
""")


DENTRY = "type: string, resolve: d_name.name"


def policies() -> list[str]:
    made = []
    if probe("override")[0]:
        # A function is answered for by fmod_ret or by kprobes, not by both.
        made += [on_paths(f"call-{way}", CALL_OF[way], "{action: Override, argError: -28}", options) for way, options in WAYS.items()]
        made += [on_paths("nothing", "sys_creat", "{action: Override, argError: 0}"),
                 on_paths("killed", "sys_mkdir", "{action: Sigkill}, " + DENY),
                 on_paths("killed-kprobe", "sys_creat", "{action: Sigkill}, " + DENY, WAYS["kprobe"]),
                 on_paths("many", '"list:calls"', DENY, lists="lists: [{name: calls, type: syscalls, values: [sys_mkdir, sys_rmdir, sys_unlink]}]"),
                 on_paths("many-kprobe", '"list:calls"', DENY, WAYS["kprobe"],
                          lists="lists: [{name: calls, type: syscalls, values: [sys_creat, sys_truncate, sys_chmod]}]")]
    if probe("trampolines")[0] and probe("kprobes")[0]:
        made += [on_names("make", "security_inode_mkdir", 1, DENY), on_names("rename", "security_inode_rename", 1, DENY),
                 on_names("remove", "security_inode_unlink", 1, DENY), on_names("murder", "security_inode_mkdir", 1, "{action: Sigkill}, " + DENY),
                 on_names("posted", "security_inode_mkdir", 1, DENY + ", {action: Post}", WAYS["fmod"])]
        made.append(policy("connect", f"""
  kprobes:
  - call: security_socket_connect
    syscall: false
    args: [{{index: 1, type: sockaddr}}]
    selectors:
    - matchArgs: [{{index: 1, operator: SPort, values: ["{PORT}"]}}]
      matchActions: [{DENY}]
"""))
    if probe("bpf_lsm")[0]:
        made += [on_lsm("lsm-open", "file_open", 0, "type: file", "Prefix", f"{PLACE}/lsm-open-", "{action: Override, argError: -5}"),
                 on_lsm("lsm-make", "inode_mkdir", 1, DENTRY, "Prefix", "lsm-make-", DENY),
                 on_lsm("lsm-remove", "inode_unlink", 1, DENTRY, "Prefix", "lsm-remove-", DENY),
                 on_lsm("lsm-rename", "inode_rename", 1, DENTRY, "Prefix", "lsm-rename-", DENY),
                 on_lsm("lsm-murder", "inode_mkdir", 1, DENTRY, "Prefix", "lsm-murder-", "{action: Sigkill}, " + DENY),
                 on_lsm("lsm-connect", "socket_connect", 1, "type: sockaddr", "SPort", str(PORT + 1), DENY),
                 on_lsm("lsm-exec", "bprm_check_security", 0, "type: linux_binprm", "Prefix", f"{PLACE}/lsm-exec-", DENY)]
    return made


SHARED = Shared(policies)


def denied(env, name: str, use, wanted: str, kind: str = "process_kprobe", told=("OVERRIDE",)) -> None:
    daemon = SHARED.daemon(env)
    pid, end = attempt(use)
    assert end == wanted, (name, end)
    assert actions_of(daemon, name, pid, kind) == list(told), name


def connect(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(1)
        client.connect(("127.0.0.1", port))


def make(name: str):
    return lambda: os.mkdir(PLACE / name)


def create(name: str):
    def use():
        if LIBC.syscall(ctypes.c_long(CREAT), str(PLACE / name).encode(), ctypes.c_long(0o644)) == -1:
            raise OSError(ctypes.get_errno(), name)
    return use


def doing(call: str):
    return make if call == "sys_mkdir" else create


def files_of(prefix: str, *suffixes: str) -> None:
    for suffix in suffixes:
        (PLACE / f"{prefix}-{suffix}").write_text("content")


def check_denied_files(env, remove: str, rename: str, kind: str) -> None:
    files_of(remove, "file")
    files_of(rename, "file")
    denied(env, remove, lambda: os.unlink(PLACE / f"{remove}-file"), "EACCES", kind)
    denied(env, rename, lambda: os.rename(PLACE / f"{rename}-file", PLACE / f"{rename}ed"), "EACCES", kind)
    assert (PLACE / f"{remove}-file").read_text() == "content" == (PLACE / f"{rename}-file").read_text()
    assert not (PLACE / f"{rename}ed").exists()
    # Neighbours.
    files_of("free", "one")
    assert attempt(lambda: (os.rename(PLACE / "free-one", PLACE / "free-two"), os.unlink(PLACE / "free-two")))[1] == "done"


@requires("kprobes")
def test_loaded(env):
    assert len(SHARED.check(env)) == len(policies())


@requires("override")
def test_system_call_by_every_way(env):
    listed = SHARED.check(env)
    for way, wanted in (("best", "fentry"), ("kprobe", "kprobe"), ("return", "kprobe"), ("fmod", "fentry")):
        assert f"backend={wanted}:" in listed[f"call-{way}"]["info"].replace('"', ""), listed[f"call-{way}"]
        denied(env, f"call-{way}", doing(CALL_OF[way])(f"call-{way}-dir"), "ENOSPC")
        assert not (PLACE / f"call-{way}-dir").exists()
        assert counts(SHARED.daemon(env), f"call-{way}").get("override") == "1"
    assert attempt(make("call-other"))[1] == "done" and (PLACE / "call-other").is_dir()


@requires("override")
def test_answer_of_zero(env):
    assert "backend=kprobe:" in SHARED.check(env)["nothing"]["info"].replace('"', "")
    denied(env, "nothing", create("nothing-dir"), "done")
    assert not (PLACE / "nothing-dir").exists()


@requires("override")
def test_killed_and_not_done(env):
    for name, action in (("killed", make), ("killed-kprobe", create)):
        denied(env, name, action(f"{name}-dir"), "SIGKILL")
        assert not (PLACE / f"{name}-dir").exists()


@requires("override")
def test_list_of_calls(env):
    os.mkdir(PLACE / "old")
    os.rename(PLACE / "old", PLACE / "many-old")
    files_of("many", "file")
    denied(env, "many", make("many-dir"), "EACCES")
    denied(env, "many", lambda: os.rmdir(PLACE / "many-old"), "EACCES")
    denied(env, "many", lambda: os.unlink(PLACE / "many-file"), "EACCES")
    assert (PLACE / "many-old").is_dir() and (PLACE / "many-file").exists() and not (PLACE / "many-dir").exists()
    files_of("many-kprobe", "file")
    denied(env, "many-kprobe", create("many-kprobe-new"), "EACCES")
    denied(env, "many-kprobe", lambda: os.truncate(PLACE / "many-kprobe-file", 0), "EACCES")
    denied(env, "many-kprobe", lambda: os.chmod(PLACE / "many-kprobe-file", 0o777), "EACCES")
    assert (PLACE / "many-kprobe-file").read_text() == "content" and not (PLACE / "many-kprobe-new").exists()


@requires("override")
def test_return_is_seen(env):
    """The event of a denied call has what it answered."""
    with env.daemon() as daemon:
        for way in ("kprobe", "fmod"):
            add(env, daemon, on_getsid(f"seen-{way}", MARK + 41, "{action: Override, argError: -75}", WAYS[way],
                                       more="return: true\n    returnArg: {index: 0, type: int}"))
            pid, end = attempt(lambda: syscall_or_raise("getsid", MARK + 41))
            assert end == "EOVERFLOW", end
            daemon.events.wait_exit(pid)
            event, = [e["process_kprobe"] for e in daemon.events.find(lambda e: e.get("process_kprobe", {}).get("process", {}).get("pid") == pid)]
            assert event["return"]["int_arg"] == -75 and event["action"] == "KPROBE_ACTION_OVERRIDE", event
            daemon.tetra("tracingpolicy", "delete", f"seen-{way}")


@requires("override")
def test_monitor_mode(env):
    with env.daemon() as daemon:
        for way in ("kprobe", "fmod"):
            name, make = f"mode-{way}", doing(CALL_OF[way])
            add(env, daemon, on_paths(name, CALL_OF[way], DENY, WAYS[way]))
            pid, end = attempt(make(f"{name}-1"))
            assert end == "EACCES", (end, actions_of(daemon, name, pid), counts(daemon, name))
            daemon.tetra("tracingpolicy", "set-mode", name, "monitor")
            pid, end = attempt(make(f"{name}-2"))
            assert end == "done" and (PLACE / f"{name}-2").exists() and actions_of(daemon, name, pid) == ["OVERRIDE"], end
            daemon.tetra("tracingpolicy", "set-mode", name, "enforce")
            assert attempt(make(f"{name}-3"))[1] == "EACCES" and not (PLACE / f"{name}-3").exists()
            daemon.tetra("tracingpolicy", "delete", name)
            assert attempt(make(f"{name}-4"))[1] == "done"


@requires("override")
def test_trampolines_do_not_undo_kprobes(env):
    """One that calls the function (fexit, fmod_ret) does so whatever a kprobe has answered."""
    looks = policy("looks", """
  kprobes:
  - call: sys_creat
    syscall: true
    return: true
    args: [{index: 0, type: string}]
    returnArg: {index: 0, type: int}
    selectors:
    - matchArgs: [{index: 0, operator: Postfix, values: ["-looked-at"]}]
""")
    forced, best = (on_paths(f"meet-{way}", "sys_creat", DENY, WAYS[way]) for way in ("return", "best"))
    zero = on_paths("meet-zero", "sys_creat", "{action: Override, argError: 0}")
    with env.daemon() as daemon:
        def backend_of(name: str) -> str:
            return states(daemon)[name]["info"].replace('"', "").partition("backend=")[2].partition(":")[0]
        # The kprobe first: what comes later keeps away from trampolines.
        add(env, daemon, forced)
        add(env, daemon, looks)
        add(env, daemon, best)
        assert (backend_of("looks"), backend_of("meet-best")) == ("kprobe", "kprobe")
        for name in ("meet-return-a", "meet-best-looked-at"):
            assert attempt(create(name))[1] == "EACCES" and not (PLACE / name).exists(), name
        for name in ("meet-return", "looks", "meet-best"):
            daemon.tetra("tracingpolicy", "delete", name)
        # The trampoline first.
        add(env, daemon, looks)
        add(env, daemon, best)
        assert (backend_of("looks"), backend_of("meet-best")) == ("fentry", "fentry")
        for text in (forced, zero):
            done = add(env, daemon, text, check=False)
            assert done.returncode != 0 and "whatever a kprobe answers" in done.stderr, done.stderr
        assert attempt(create("meet-best-b"))[1] == "EACCES" and not (PLACE / "meet-best-b").exists()
        for name in ("looks", "meet-best"):
            daemon.tetra("tracingpolicy", "delete", name)
        for name in ("meet-return", "meet-zero"):
            daemon.tetra("tracingpolicy", "delete", name, check=False)
        add(env, daemon, zero)
        assert attempt(create("meet-zero-c"))[1] == "done" and not (PLACE / "meet-zero-c").exists()


@requires("override")
def test_functions_that_are_no_system_calls(env):
    """Those that the kernel lists for error injection: here the one that puts a page into a file's cache."""
    if "__filemap_add_folio" not in kernel_symbols():
        raise Skip("this kernel has no __filemap_add_folio")
    place = new_folder()
    env.run("mount", "-t", "ramfs", "none", str(place))

    def write(page: int):
        def use():
            file = os.open(place / "file", os.O_RDWR | os.O_CREAT)
            os.pwrite(file, b"x", page * os.sysconf("SC_PAGE_SIZE"))
        return use

    def adds(name: str, call: str, options: str) -> str:
        return policy(name, f"""
  options: [{options}]
  kprobes:
  - call: {call}
    syscall: false
    args: [{{index: 2, type: uint64, label: page}}]
    selectors:
    - matchArgs: [{{index: 2, operator: Equal, values: ["{MARK}"]}}]
      matchActions: [{{action: Override, argError: -28}}]
""")
    try:
        with env.daemon() as daemon:
            for way in ("best", "kprobe"):
                add(env, daemon, adds(f"page-{way}", "__filemap_add_folio", WAYS[way]))
                pid, end = attempt(write(MARK))
                assert end == "ENOSPC", (way, end, states(daemon)[f"page-{way}"])
                assert actions_of(daemon, f"page-{way}", pid) == ["OVERRIDE"], way
                assert attempt(write(MARK + 1))[1] == "done"
                daemon.tetra("tracingpolicy", "delete", f"page-{way}")
            assert attempt(write(MARK))[1] == "done"
            for way in ("best", "kprobe", "fmod"):
                done = add(env, daemon, adds(f"refused-{way}", "filemap_add_folio", WAYS[way]), check=False)
                for part in ("filemap_add_folio is none of the functions that the kernel lets programs answer for", "What would work"):
                    assert done.returncode != 0 and part in done.stderr, (way, done.stderr)
    finally:
        env.run("umount", str(place))


@requires("override")
def test_enforcers_and_trampolines(env):
    """The same between plugins: an enforcer's kprobes, and a hook that sees the return."""
    number = MARK + 43
    looks = on_getsid("looks", MARK + 44, "{action: Post}", more="return: true\n    returnArg: {index: 0, type: int}")
    enforcer = policy("enforcer", f"""
  enforcers: [{{calls: [sys_getsid]}}]
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{{index: 0, type: int64, resolve: di}}, {{index: 1, type: int64}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Equal, values: ["{number}"]}}, {{index: 1, operator: Equal, values: ["124"]}}]
      matchActions: [{{action: NotifyEnforcer, argError: -75}}]
""")
    with env.daemon() as daemon:
        for first, second in (("looks", "enforcer"), ("enforcer", "looks")):
            for name in (first, second):
                add(env, daemon, looks if name == "looks" else enforcer)
            info = {name: one["info"].replace('"', "") for name, one in states(daemon).items()}
            by_kprobe = first == "enforcer"
            assert ("backend=kprobe:" if by_kprobe else "backend=fentry:") in info["looks"], info
            assert ("backend=kprobe" if by_kprobe else "backend=fmod-ret:") in info["enforcer"], info
            assert attempt(lambda: syscall_or_raise("getsid", number))[1] == "EOVERFLOW", (first, second)
            for name in (first, second):
                daemon.tetra("tracingpolicy", "delete", name)


@requires("override")
def test_what_only_looks_or_signals(env):
    """Its trampoline would undo a kprobe's answer, too: it is a kprobe then, or the one that comes later is refused."""
    def enforcer(options: str) -> str:
        return policy("other", f"""
  options: [{options}]
  enforcers: [{{calls: [sys_creat]}}]
  kprobes:
  - call: sys_getsid
    selectors:
    - matchPIDs: [{{operator: In, values: [{os.getpid()}]}}]
      matchActions: [{{action: NotifyEnforcer, argSig: 9}}]
""")
    looks = on_paths("other", "sys_creat", "{action: Post}")
    forced = on_paths("answers", "sys_creat", DENY, WAYS["return"])

    def loads(daemon, text: str) -> str:
        done = add(env, daemon, text, check=False)
        return "" if done.returncode == 0 else done.stderr

    with env.daemon() as daemon:
        for number, (other, with_it, before_it) in enumerate((
                (looks, "", "whatever a kprobe answers"),
                (on_paths("other", "sys_creat", "{action: Post}", "{name: backend, value: fentry}"), "which a trampoline would undo",
                 "whatever a kprobe answers"),
                (enforcer(""), "", ""),
                (enforcer(WAYS["fmod"]), "which a trampoline would undo", "whatever a kprobe answers"))):
            for order, reason in (((forced, other), with_it), ((other, forced), before_it)):
                assert loads(daemon, order[0]) == ""
                refused = loads(daemon, order[1])
                assert reason in refused if reason else refused == "", (number, reason, refused)
                if order[0] == forced or not reason:
                    name = f"answers-{number}"
                    assert attempt(create(name))[1] == "EACCES" and not (PLACE / name).exists(), (number, states(daemon))
                for name in ("answers", "other"):
                    daemon.tetra("tracingpolicy", "delete", name)


def syscall_or_raise(name: str, *arguments) -> None:
    if syscall(name, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "")


@requires("kprobes", "trampolines")
def test_security_functions(env):
    denied(env, "make", make("make-dir"), "EACCES")
    denied(env, "murder", make("murder-dir"), "SIGKILL")
    denied(env, "posted", make("posted-dir"), "EACCES", told=("POST",))
    assert not any((PLACE / f"{name}-dir").exists() for name in ("make", "murder", "posted"))
    check_denied_files(env, "remove", "rename", "process_kprobe")
    denied(env, "connect", lambda: connect(PORT), "EACCES")
    assert attempt(lambda: connect(PORT + 5))[1] == "done"


@requires("bpf_lsm")
def test_lsm(env):
    kind = "process_lsm"
    files_of("free", "open")
    os.rename(PLACE / "free-open", PLACE / "lsm-open-file")
    denied(env, "lsm-open", lambda: os.open(PLACE / "lsm-open-file", os.O_RDONLY), "EIO", kind)
    denied(env, "lsm-make", make("lsm-make-dir"), "EACCES", kind)
    denied(env, "lsm-murder", make("lsm-murder-dir"), "SIGKILL", kind)
    assert not any((PLACE / f"{name}-dir").exists() for name in ("lsm-make", "lsm-murder"))
    check_denied_files(env, "lsm-remove", "lsm-rename", kind)
    denied(env, "lsm-connect", lambda: connect(PORT + 1), "EACCES", kind)
    program = PLACE / "lsm-exec-true"
    program.write_bytes(open("/bin/true", "rb").read())
    program.chmod(0o755)
    denied(env, "lsm-exec", lambda: os.execv(program, ["true"]), "EACCES", kind)


@requires("kprobes", "trampolines")
def test_functions_that_answer_nothing_else(env):
    """security_ functions are no place for bpf_override_return, and fmod_ret cannot answer 0."""
    with env.daemon() as daemon:
        for text in (on_names("wrong-way", "security_inode_mkdir", 1, DENY, WAYS["return"]),
                     on_names("wrong-zero", "security_inode_mkdir", 1, "{action: Override, argError: 0}")):
            done = add(env, daemon, text, check=False)
            assert done.returncode != 0 and "What would work" in done.stderr, done.stderr
        both = on_names("both", "security_inode_mkdir", 1, DENY, WAYS["return"] + ", {name: backend, value: fentry}")
        assert "is demanded" in add(env, daemon, both, check=False).stderr


def test_kernels_without_error_injection_refuse(env):
    if probe("override")[0]:
        raise Skip("this kernel has bpf_override_return")
    with env.daemon() as daemon:
        done = add(env, daemon, on_getsid("refused", MARK + 42, DENY), check=False)
        assert done.returncode != 0 and "What would work" in done.stderr and "lsmhooks" in done.stderr, done.stderr
        assert attempt(asks(MARK + 42))[1] == "done"
