# SPDX-License-Identifier: Apache-2.0
"""What an exec event says of the program, its arguments and its working directory."""

import ctypes
import os
import shutil
import subprocess

from lib import Skip, exec_id_parts, scaled, sensor, spawn, timeout

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def run(daemon, argv, number: int = 0, **settings) -> dict:
    """Starts a process, waits for its end, and returns the process member of its exec event."""
    child = spawn(argv, **settings)
    child.wait()
    event = daemon.events.wait_exec(child.pid, number)
    process = event["process"]
    assert event["parent"]["pid"] == os.getpid(), event
    assert event["parent"]["exec_id"] == process["parent_exec_id"], event
    node, start, pid = exec_id_parts(process["exec_id"])
    assert pid == child.pid and start > 0 and node, event
    assert process["tid"] == child.pid and process["uid"] == os.geteuid(), event
    assert "execve" in process["flags"].split() and "clone" in process["flags"].split(), event
    return process


def differences(process: dict, **wanted) -> list[str]:
    return [f"{name} is {process.get(name)!r}, not {value!r}" for name, value in wanted.items() if process.get(name) != value]


def expect(process: dict, **wanted) -> None:
    """None: the field is absent."""
    wrong = differences(process, **wanted)
    assert not wrong, "; ".join(wrong)[:2000]


@sensor
def test_names(env):
    """Relative, absolute and linked names: the binary is the path that was executed, made absolute by the cwd."""
    daemon = env.shared_daemon()
    place = env.tmp / "place"
    (place / "sub").mkdir(parents=True)
    program = env.copy_program("exitor", place / "program")
    (place / "link").symlink_to("program")
    os.link(program, place / "hard")
    for executable, binary in (("program", program), ("./program", program), (str(program), program),
                               ("sub/../program", program), ("./link", place / "link"), (str(place / "hard"), place / "hard"),
                               (f"/proc/self/root{program}", f"/proc/self/root{program}")):
        process = run(daemon, ["any name", "exit", "0", executable], executable=executable, cwd=place)
        expect(process, binary=str(binary), arguments=f"exit 0 {executable}", cwd=str(place))
    process = run(daemon, ["x"], executable=str(program), cwd="/")
    expect(process, binary=str(program), arguments=None, cwd="/")
    assert "rootcwd" in process["flags"].split(), process


@sensor
def test_script(env):
    daemon = env.shared_daemon()
    inner = env.tmp / "inner"
    inner.write_text("#!/bin/sh\nexit 5\n")
    outer = env.tmp / "outer"
    outer.write_text(f"#!{inner} with-option\n")
    for path in (inner, outer):
        path.chmod(0o755)
    process = run(daemon, ["zero", "one two", "three"], executable=str(inner))
    # The kernel puts the interpreter and the script in the place of argv[0].
    expect(process, binary=str(inner), arguments=f'{inner} "one two" three')
    process = run(daemon, ["zero", "one"], executable=str(outer))
    expect(process, binary=str(outer), arguments=f"{inner} with-option {outer} one")
    assert daemon.events.wait_exit(process["pid"])["status"] == 5


@sensor
def test_descriptor(env):
    """execveat with an empty path."""
    daemon = env.shared_daemon()
    fd = os.open(env.program("exitor"), os.O_RDONLY)
    try:
        process = run(daemon, ["zero", "exit", "0", "by fd"], executable=fd)
    finally:
        os.close(fd)
    assert process["binary"] in (f"/dev/fd/{fd}", f"/proc/self/fd/{fd}", str(env.program("exitor"))), process
    expect(process, arguments='exit 0 "by fd"')


@sensor
def test_memfd_and_deleted(env):
    """A program without a name on disk is told by its link count."""
    daemon = env.shared_daemon("--enable-process-cred")
    fd = os.memfd_create("hidden")
    os.write(fd, env.program("exitor").read_bytes())
    inode = os.fstat(fd).st_ino
    child = spawn(["zero", "exit", "0"], executable=fd)
    child.wait()
    os.close(fd)
    process = daemon.events.wait_exec(child.pid)["process"]
    file = process["binary_properties"]["file"]
    assert file["inode"] == {"number": str(inode), "links": 0}, process

    path = env.copy_program("exitor", env.tmp / "deleted")
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    child = spawn(["zero", "exit", "0"], executable=fd)
    child.wait()
    os.close(fd)
    process = daemon.events.wait_exec(child.pid)["process"]
    assert process["binary_properties"]["file"]["inode"]["links"] == 0, process

    child = spawn([env.program("exitor"), "exit", "0"])
    child.wait()
    process = daemon.events.wait_exec(child.pid)["process"]
    assert "binary_properties" not in process, process


@sensor
def test_argument_text(env):
    daemon = env.shared_daemon()
    program = str(env.program("exitor"))
    for arguments, text in (
            (["a b", "c"], ' "a b" c'),
            (["c", "a b", "d"], 'c "a b" d'),
            (["a", "", "b"], "a  b"),
            (["line\nbreak", "tab\there"], "line\nbreak tab\there"),
            (["\x1b[31mred\x1b[0m", "\r", "\x07"], "\x1b[31mred\x1b[0m \r \x07"),
            ([b"bad\xffutf8", b"\xc3"], "bad\ufffdutf8 \ufffd"),
            (["gr\u00fc\u00dfe", "\U0001f680"], "gr\u00fc\u00dfe \U0001f680"),
            (['"quoted"', "back\\slash"], '"quoted" back\\slash'),
            (["<&>", "\u2028"], "<&> \u2028")):
        process = run(daemon, ["zero", *arguments], executable=program)
        expect(process, arguments=text)
    process = run(daemon, ["zero"], executable=program)
    expect(process, arguments=None)


@sensor
def test_long_arguments(env):
    daemon = env.shared_daemon()
    program = str(env.program("exitor"))
    for pieces in (["i" * 900], ["x" * 10000, "y" * 6000], ["x" * 17000], ["m" * 40960], ["l" * 61440] * 5, ["s"] * 20000):
        process = run(daemon, ["zero", *pieces], executable=program)
        text = process.get("arguments", "")
        assert text == " ".join(pieces), f"{len(text)} characters instead of {len(' '.join(pieces))}: {process['flags']}"
        assert "truncArgs" not in process["flags"] and "errorArgs" not in process["flags"], process["flags"]
    pieces = [f"{number:05}" + "t" * 60000 for number in range(8)]
    process = run(daemon, ["zero", *pieces], executable=program)
    text = process["arguments"]
    assert "truncArgs" in process["flags"].split(), process["flags"]
    assert " ".join(pieces).startswith(text) and len(text) > 320000, f"{len(text)} characters"


@sensor
def test_deep_cwd(env):
    daemon = env.shared_daemon()
    program = str(env.program("exitor"))
    for component, depth in (("d" * 200, 18), ("e", 100), ("f", 130), ("g", 1500)):
        top = os.open(env.tmp, os.O_RDONLY | os.O_DIRECTORY)
        at = top
        path = str(env.tmp)
        for _ in range(depth):
            try:
                os.mkdir(component, dir_fd=at)
            except FileExistsError:
                pass
            below = os.open(component, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
            path += "/" + component
        process = run(daemon, ["zero"], executable=program, before=lambda fd=at: os.fchdir(fd))
        os.close(at)
        if "errorPathResolutionCwd" in process["flags"].split() and depth > 128:
            # A kernel without bpf_loop: what is known is the end of the path.
            assert path.endswith(process["cwd"].lstrip("/")) and "no bpf_loop" in daemon.log(), process
            continue
        expect(process, cwd=path)
        assert "CWD" not in process["flags"] and "Cwd" not in process["flags"], process["flags"]


@sensor
def test_cwd_longer_than_a_path(env):
    """More than 4096 bytes: the end is told, and that it is not all."""
    daemon = env.shared_daemon()
    at = os.open(env.tmp, os.O_RDONLY | os.O_DIRECTORY)
    names = [f"{number:03}" + "h" * 247 for number in range(24)]
    for name in names:
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    process = run(daemon, ["zero"], executable=str(env.program("exitor")), before=lambda: os.fchdir(at))
    os.close(at)
    assert "errorPathResolutionCwd" in process["flags"].split(), process["flags"]
    path = str(env.tmp) + "/" + "/".join(names)
    assert path.endswith(process["cwd"].lstrip("/")) and len(process["cwd"]) > 3800, process["cwd"][:300]


@sensor
def test_cwd_across_mounts(env):
    daemon = env.shared_daemon()
    program = str(env.program("exitor"))
    place = env.tmp / "mounted"
    place.mkdir()

    def enter_mounts():
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
            raise OSError(ctypes.get_errno(), "private mounts")
        at = place
        for number in range(3):
            if libc.mount(b"none", os.fsencode(at), b"tmpfs", 0, None):
                raise OSError(ctypes.get_errno(), f"mount on {at}")
            at = at / f"level{number}"
            (at / "below").mkdir(parents=True)
            at = at / "below"
        os.chdir(at)
    process = run(daemon, ["zero"], executable=program, before=enter_mounts)
    expect(process, cwd=f"{place}/level0/below/level1/below/level2/below")


@sensor
def test_cwd_in_chroot(env):
    """As the process sees it."""
    daemon = env.shared_daemon()
    root = env.tmp / "root"
    (root / "inside" / "deeper").mkdir(parents=True)
    env.copy_program("exitor", root / "exitor")

    def enter():
        os.chroot(root)
        os.chdir("/inside/deeper")
    process = run(daemon, ["zero", "exit", "0"], executable="/exitor", before=enter)
    expect(process, binary="/exitor", cwd="/inside/deeper")
    process = run(daemon, ["zero", "exit", "0"], executable="../../exitor", before=enter)
    expect(process, binary="/exitor", cwd="/inside/deeper")


@sensor
def test_cwd_deleted(env):
    daemon = env.shared_daemon()
    gone = env.tmp / "gone"
    gone.mkdir()

    def enter():
        os.chdir(gone)
        gone.rmdir()
    process = run(daemon, ["zero"], executable=str(env.program("exitor")), before=enter)
    assert process["cwd"].removesuffix(" (deleted)") == str(gone), process


@sensor
def test_long_file_name(env):
    daemon = env.shared_daemon()
    place = env.tmp
    for number in range(14):
        place = place / (f"{number}" + "n" * 240)
    place.mkdir(parents=True)
    program = env.copy_program("exitor", place / "exitor")
    assert len(str(program)) > 3300
    process = run(daemon, ["zero", "exit", "0"], executable=str(program))
    expect(process, binary=str(program), arguments="exit 0")
    process = run(daemon, ["zero", "exit", "0"], executable="./exitor", cwd=place)
    expect(process, binary=str(program), cwd=str(place))


@sensor
def test_hostile_names(env):
    """Names with a line break, ESC or bytes that are no UTF-8: one event, one line, valid JSON (lib.Events checks both)."""
    daemon = env.shared_daemon()
    for name, text in ((b"new\nline", "new\nline"), (b"\x1b]0;title\x07", "\x1b]0;title\x07"), (b"bad\xfeend", "bad\ufffdend"),
                       (b" sp ace ", " sp ace "), (b'"},{"', '"},{"')):
        folder = os.fsencode(env.tmp) + b"/" + name
        os.mkdir(folder)
        shutil.copy(env.program("exitor"), folder + b"/" + name)
        process = run(daemon, [name], executable=b"./" + name, cwd=folder)
        expect(process, binary=f"{env.tmp}/{text}/{text}", cwd=f"{env.tmp}/{text}")


@sensor
def test_failed_exec_is_no_event(env):
    daemon = env.shared_daemon()
    data = env.tmp / "data"
    data.write_bytes(b"no program at all")
    data.chmod(0o755)
    secret = env.tmp / "secret"
    secret.write_bytes(b"x")
    secret.chmod(0o600)
    broken = env.tmp / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    failed = []
    for path in (env.tmp / "absent", data, secret, broken, env.tmp):
        child = spawn(["zero"], executable=str(path), check=False)
        assert os.waitstatus_to_exitcode(child.wait()) == 127
        failed.append(child.pid)
    last = spawn([env.program("exitor"), "exit", "0"])
    last.wait()
    daemon.events.wait_exec(last.pid)
    for pid in failed:
        assert not daemon.events.execs(pid), daemon.events.execs(pid)
        exit_event = daemon.events.wait_exit(pid)
        assert exit_event["status"] == 127 and exit_event["process"]["flags"] == "clone", exit_event


REDACTION = '{"redact":["--password[= ](\\\\S+)","TOKEN=(.*)"],"binary_regex":["exitor$"]}'


def full_daemon(env):
    return env.shared_daemon("--enable-process-cred", "--enable-process-ns", "--username-metadata=unix", "--enable-ancestors=base",
                             "--enable-process-environment-variables", "--filter-environment-variables=KEEP_ME,TOKEN,LONG",
                             "--redaction-filters", REDACTION)


@sensor
def test_environment(env):
    daemon = full_daemon(env)
    program = str(env.program("exitor"))
    many = {f"VARIABLE_{number}": "value" * 8 for number in range(2000)}
    for length in (10, 3000, 50000):
        variables = {"KEEP_ME": "yes please", "DROP_ME": "no", **many, "LONG": "v" * length, "TOKEN": "abc"}
        process = run(daemon, ["zero"], executable=program, env=variables)
        got = {entry["Key"]: entry.get("Value", "") for entry in process["environment_variables"]}
        assert got == {"KEEP_ME": "yes please", "LONG": "v" * length, "TOKEN": "*****"}, (length, str(got)[:300], process["flags"])
        assert "errorEnvs" not in process["flags"], process["flags"]
    process = run(daemon, ["zero"], executable=program, env={"KEEP_ME": "1"})
    assert process["environment_variables"] == [{"Key": "KEEP_ME", "Value": "1"}], process
    process = run(daemon, ["zero"], executable=program, env={})
    assert "environment_variables" not in process, process


@sensor
def test_redaction(env):
    daemon = full_daemon(env)
    secret = os.urandom(8).hex()
    process = run(daemon, ["zero", f"--password={secret}", "--user", "me", "--password", "again"], executable=str(env.program("exitor")))
    expect(process, arguments="--password=***** --user me --password *****")
    process = run(daemon, ["zero", "--password=shown"], executable="/bin/true")
    expect(process, arguments="--password=shown")
    assert secret not in daemon.export_path.read_text(), "the export file has the secret"


@sensor
def test_identity(env):
    """User name, capabilities, credentials, namespaces, set-user-ID files."""
    daemon = full_daemon(env)
    process = run(daemon, ["zero"], executable=str(env.program("exitor")))
    expect(process, user={"name": "root"})
    credentials = process["process_credentials"]
    for name in ("uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid"):
        assert credentials[name] == 0, credentials
    permitted = int(next(line for line in open("/proc/self/status") if line.startswith("CapPrm")).split()[1], 16)
    assert len(process["cap"]["permitted"]) == bin(permitted).count("1"), (process["cap"], hex(permitted))
    for name in ("uts", "ipc", "mnt", "pid", "net", "cgroup", "user"):
        assert process["ns"][name]["inum"] == os.stat(f"/proc/self/ns/{name}").st_ino, process["ns"]

    program = env.copy_program("exitor", env.tmp / "raising")
    os.chmod(program, 0o4755)

    def become_user():
        os.setgroups([])
        os.setresgid(1234, 1234, 1234)
        os.setresuid(1234, 1234, 1234)
    child = spawn(["zero"], executable=str(program), before=become_user)
    child.wait()
    process = daemon.events.wait_exec(child.pid)["process"]
    if process["uid"] == 1234:
        raise Skip("set-user-ID has no effect in the folder for temporary files (mounted nosuid)")
    expect(process, uid=0)
    assert process["binary_properties"]["setuid"] == 0, process
    assert process["process_credentials"]["uid"] == 1234 and process["process_credentials"]["euid"] == 0, process
    assert "PRIVILEGES_RAISED_EXEC_FILE_SETUID" in process["binary_properties"]["privileges_changed"], process


@sensor
def test_other_user(env):
    daemon = full_daemon(env)
    program = env.copy_program("exitor", env.tmp / "plain")

    def become_user():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    child = spawn(["zero"], executable=str(program), before=become_user)
    child.wait()
    process = daemon.events.wait_exec(child.pid)["process"]
    expect(process, uid=65534, user={"name": "nobody"})
    assert not process.get("cap", {}).get("effective"), process


@sensor
def test_other_namespaces(env):
    daemon = full_daemon(env)
    numbers = env.tmp / "numbers"

    def enter():
        if libc.unshare(0x04000000 | 0x08000000):  # CLONE_NEWUTS | CLONE_NEWIPC
            raise OSError(ctypes.get_errno(), "unshare")
        numbers.write_text(" ".join(str(os.stat(f"/proc/self/ns/{name}").st_ino) for name in ("uts", "ipc", "mnt")))
    process = run(daemon, ["zero"], executable=str(env.program("exitor")), before=enter)
    uts, ipc, mnt = (int(number) for number in numbers.read_text().split())
    spaces = process["ns"]
    assert spaces["uts"] == {"inum": uts} and spaces["ipc"] == {"inum": ipc}, spaces
    assert spaces["mnt"] == {"inum": mnt, "is_host": True}, spaces


@sensor
def test_ancestors(env):
    daemon = full_daemon(env)
    program = env.program("exitor")
    script = f"/bin/sh -c '/bin/sh -c \"{program} exit 0 innermost; :\"; :'"
    child = spawn(["/bin/sh", "-c", script + "; :"])
    child.wait()
    event = daemon.events.wait_for(lambda e: e.get("process_exec", {}).get("process", {}).get("arguments") == "exit 0 innermost",
                                   what="exec of the innermost process")["process_exec"]
    chain = [event["parent"], *event["ancestors"]]
    assert chain[0]["binary"] == "/bin/sh" and [one["pid"] for one in chain].count(child.pid) == 1, chain
    for lower, upper in zip(chain, chain[1:]):
        assert lower["parent_exec_id"] == upper["exec_id"], chain
    assert os.getpid() in [one["pid"] for one in chain], chain
    assert chain[-1]["pid"] in (1, 2), chain[-1]


@sensor
@timeout(40)
def test_many_at_once(env):
    """Output of a shell with a long pipeline: each member once, all with the same parent."""
    daemon = env.shared_daemon()
    program = env.program("exitor")
    members = scaled(60, 10)
    tag = f"pipeline-{os.getpid()}-{os.urandom(4).hex()}"
    script = " | ".join(f"{program} exit {number} {tag}" for number in range(members))
    shell = subprocess.Popen(["/bin/sh", "-c", script + "; :"])
    shell.wait()
    found = daemon.events.wait_count(lambda e: e.get("process_exec", {}).get("process", {}).get("arguments", "").endswith(" " + tag),
                                     members, what="members of the pipeline")
    assert len(found) == members, len(found)
    assert {event["process_exec"]["parent"]["pid"] for event in found} == {shell.pid}
    assert sorted(int(event["process_exec"]["process"]["arguments"].split()[1]) for event in found) == list(range(members))
