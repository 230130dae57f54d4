# SPDX-License-Identifier: Apache-2.0
"""The export file: what gets into it, and the files it becomes."""

import gzip
import json
import os
import re
import subprocess
import time

from lib import Skip, TIME_SCALE, scaled, sensor, spawn, timeout


def exit_with(env, code: int, *words: str):
    child = spawn([env.program("exitor"), "exit", str(code), *words])
    child.wait()
    return child


def wait_until(condition, what: str, seconds: float = 10, again=None):
    deadline = time.monotonic() + seconds * TIME_SCALE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds * TIME_SCALE:.0f} s: {what}"
        if again is not None:
            again()
        time.sleep(0.02)
    return result


def exported(daemon, marker: str = "marker") -> list[dict]:
    """All events of the file once everything before the marker is in it; the marker's own left out."""
    daemon.stop()
    daemon.events.poll()
    return [event for event in daemon.events.all if marker not in json.dumps(event)]


def arguments(event: dict) -> str:
    return next(iter(event.values())).get("process", {}).get("arguments", "")


@sensor
@timeout(90)
def test_rotation_by_size(env):
    """Nothing is lost between the files; old ones are compressed and the oldest removed; all have the mode asked for."""
    folder = env.tmp / "export"
    daemon = env.daemon("--export-file-max-size-mb=1", "--export-file-max-backups=3", "--export-file-compress", "--export-file-perm=640",
                        "--rb-size-total=32M", export_filename=str(folder / "events.json"))
    runs = 300
    for number in range(runs):
        exit_with(env, 0, f"run{number}", "r" * 15000)

    def complete():
        return sorted(path for path in folder.iterdir() if path.name.endswith(".gz"))
    wait_until(lambda: len(complete()) == 3 and len(list(folder.iterdir())) == 4, "three compressed files and the current one")
    assert daemon.stop() == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names[-1] == "events.json" and len(names) == 4, names
    for name in names[:-1]:
        assert re.fullmatch(r"events-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.json\.gz", name), name
    found = []
    for name in names:
        path = folder / name
        assert path.stat().st_mode & 0o7777 == 0o640, (name, oct(path.stat().st_mode))
        data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        assert len(data) <= 1 << 20 and data.endswith(b"\n"), (name, len(data))
        for line in data.splitlines():
            match = re.match(r"exit 0 run(\d+) ", arguments(json.loads(line)))
            if match:
                found.append(int(match.group(1)))
    # The newest files hold an unbroken end of the sequence: each run's exec and exit.
    expected = [number for number in range(min(found), runs) for _ in range(2)]
    assert found == expected or found[1:] == expected[2:] or found == expected[1:], (found[:6], found[-6:], len(found), len(expected))


@sensor
def test_rotation_by_time(env):
    folder = env.tmp / "export"
    daemon = env.daemon("--export-file-rotation-interval=1s", export_filename=str(folder / "events.json"))
    wait_until(lambda: len(list(folder.iterdir())) >= 2, "a rotated file", again=lambda: exit_with(env, 0))
    assert daemon.stop() == 0


@sensor
def test_file_mode(env):
    """World-writable never; the owner can always read and write."""
    for given, mode in (("666", 0o664), ("000", 0o600), ("0644", 0o644)):
        with env.daemon(f"--export-file-perm={given}") as daemon:
            assert daemon.export_path.stat().st_mode & 0o7777 == mode, (given, oct(daemon.export_path.stat().st_mode))


@sensor
def test_allow_and_deny(env):
    program = re.escape(str(env.program("exitor")))
    allow = f'{{"event_set":["PROCESS_EXEC"],"binary_regex":["^{program}$"]}}\n{{"arguments_regex":["^exit 5 "]}}'.replace("\\", "\\\\")
    daemon = env.daemon("--export-allowlist", allow, "--export-denylist", '{"arguments_regex":["unwanted"]}')
    for code in (3, 5):
        exit_with(env, code, "wanted")
        exit_with(env, code, "unwanted")
    exit_with(env, 0, "marker")
    kinds = [(next(iter(event)), arguments(event)) for event in exported(daemon) if arguments(event).startswith("exit ")]
    assert kinds == [("process_exec", "exit 3 wanted"), ("process_exec", "exit 5 wanted"), ("process_exit", "exit 5 wanted")], kinds


@sensor
def test_filters_of_every_kind(env):
    """Each alone in an allowlist keeps what it names and nothing else."""
    program = str(env.program("exitor"))
    shell = f"{program} exit 1 chosen; {program} exit 1 other; :"
    for allow, expected, options in (
            ('{"pid":[%d]}' % os.getpid(), 0, ()),
            ('{"parent_binary_regex":["/sh$"]}', 4, ()),
            ('{"parent_arguments_regex":["chosen; .*other"]}', 4, ()),
            ('{"arguments_regex":["chosen$"]}', 2, ()),
            ('{"health_check":true}', 0, ()),
            ('{"namespace":[""],"binary_regex":["exitor$"]}', 4, ()),
            ('{"cel_expression":["process_exec.process.arguments.endsWith(\'chosen\')"]}', 1, ()),
            ('{"event_set":["PROCESS_EXIT"],"arguments_regex":["other$"]}', 1, ()),
            ('{"pid_set":[%d],"binary_regex":["exitor"]}' % os.getpid(), 4, ("--enable-pid-set-filter",)),
            ('{"ancestor_binary_regex":["python"],"binary_regex":["exitor"],"event_set":["PROCESS_EXEC"]}', 2,
             ("--enable-ancestors=base",)),
            ('{"capabilities":{"effective":{"any":["CAP_SYS_ADMIN"]}},"arguments_regex":["chosen$"]}', 2, ("--enable-process-cred",))):
        daemon = env.daemon("--export-allowlist", allow, *options)
        subprocess.run(["/bin/sh", "-c", shell], check=False)
        daemon.stop()
        daemon.events.poll()
        ours = [event for event in daemon.events.all
                if arguments(event) in ("exit 1 chosen", "exit 1 other")]
        assert len(ours) == expected, (allow, len(ours), [(next(iter(e)), arguments(e)) for e in ours])
        text = json.dumps(daemon.events.all)
        assert "lost_events" not in text, allow


@sensor
def test_bad_filters_are_refused(env):
    for option, value, words in (("--export-allowlist", '{"binary_regex":["("]}', ("export-allowlist",)),
                                 ("--export-denylist", '{"no_such_filter":1}', ("export-denylist", "no_such_filter")),
                                 ("--export-allowlist", '{"pid_set":[1]}', ("enable-pid-set-filter",)),
                                 ("--export-allowlist", '{"event_set":["PROCESS_NOTHING"]}', ("PROCESS_NOTHING",)),
                                 ("--export-allowlist", '{"cel_expression":["process_exec."]}', ("cel_expression",)),
                                 ("--field-filters", '{"fields":"process.nothing"}', ("process.nothing",)),
                                 ("--redaction-filters", '{"redact":["("]}', ("redact",)),
                                 ("--export-file-rotation-interval", "-1s", ("export-file-rotation-interval",))):
        daemon = env.prepare_daemon(option, value)
        done = subprocess.run(daemon.command, capture_output=True, text=True, timeout=30 * TIME_SCALE)
        assert done.returncode == 1, (option, value, done.returncode)
        for word in words:
            assert word in done.stderr, (option, value, done.stderr[-600:])


@sensor
def test_field_filters(env):
    fields = ('{"fields":"process.pid,process.binary,parent.pid,status","action":"INCLUDE"}'
              '{"fields":"parent","action":"EXCLUDE","event_set":["PROCESS_EXIT"]}')
    daemon = env.daemon("--field-filters", fields)
    child = exit_with(env, 9)
    execution, end = daemon.events.wait_exec(child.pid), daemon.events.wait_exit(child.pid)
    assert execution == {"process": {"pid": child.pid, "binary": str(env.program("exitor"))}, "parent": {"pid": os.getpid()}}, execution
    assert end == {"process": {"pid": child.pid, "binary": str(env.program("exitor"))}, "status": 9}, end
    event = daemon.events.find(lambda e: "process_exec" in e)[0]
    assert event["node_name"] and event["time"], event


@sensor
def test_rate_limit(env):
    """A burst as large as the limit, then nothing."""
    daemon = env.daemon("--export-rate-limit=200")
    for _ in range(150):
        exit_with(env, 0)
    daemon.stop()
    daemon.events.poll()
    # While it runs the bucket is filled again, 200 a minute.
    assert 200 <= len(daemon.events.all) <= 200 + 20 * TIME_SCALE, len(daemon.events.all)


@sensor
@timeout(150)
def test_rate_limit_info(env):
    """Once a minute the file says how many were left out."""
    if not os.environ.get("TETRAGON_TEST_SLOW"):
        raise Skip("takes a minute; set TETRAGON_TEST_SLOW=1")
    daemon = env.daemon("--export-rate-limit=1")
    for _ in range(50):
        exit_with(env, 0)
    info = daemon.events.wait_for(lambda e: "rate_limit_info" in e, timeout=90, what="rate_limit_info")
    assert int(info["rate_limit_info"]["number_of_dropped_process_events"]) >= 100, info
    assert info["node_name"] and info["time"], info


@sensor
def test_lines(env):
    """One event, one line of JSON in UTF-8 without control characters, whatever the names are."""
    daemon = env.daemon()
    folder = os.fsencode(env.tmp) + b"/\xff\n\r\x1b[2J\xe2\x80\xa8"
    os.mkdir(folder)
    env.copy_program("exitor", os.fsdecode(folder) + "/x")
    hostile = [b"", b"\n{\"process_exec\":{}}\n", bytes(range(1, 128)), bytes(range(128, 256)), "\u2028\u202e".encode(), b"\xed\xa0\x80"]
    for _ in range(scaled(20, 3)):
        spawn([b"zero", *hostile], executable=folder + b"/x", cwd=folder).wait()
    daemon.stop()
    raw = daemon.export_path.read_bytes()
    assert raw.endswith(b"\n")
    text = raw.decode("utf-8")
    lines = text.split("\n")[:-1]
    bad = [line for line in lines if re.search("[\x00-\x1f]", line)]
    assert not bad, bad[0]
    for line in lines:
        event = json.loads(line)
        assert set(event) <= {"process_exec", "process_exit", "node_name", "time"}, line
    assert len(lines) == daemon.balance()["published"], (len(lines), daemon.balance())


@sensor
def test_standard_output(env):
    """'-' writes events to standard output, and the log stays on standard error."""
    daemon = env.prepare_daemon(export_filename="-")
    with (env.tmp / "out").open("wb") as out, daemon.log_path.open("wb") as log:
        daemon.process = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
    wait_until(lambda: daemon.answers(), "the daemon answers", 20)
    exit_with(env, 4, "to standard output")
    wait_until(lambda: b"to standard output" in (env.tmp / "out").read_bytes(), "the event")
    assert daemon.stop() == 0
    for line in (env.tmp / "out").read_text().split("\n")[:-1]:
        json.loads(line)
    assert "level=info" in daemon.log()


@sensor
def test_file_moved_away(env):
    """By a log rotation of the system: the daemon goes on in a new file of the old name."""
    daemon = env.daemon()
    exit_with(env, 0, "before")
    daemon.events.wait_for(lambda e: arguments(e) == "exit 0 before", what="event before the move")
    moved = daemon.export_path.with_name("moved")
    daemon.export_path.rename(moved)
    wait_until(lambda: daemon.export_path.exists() and b"after" in daemon.export_path.read_bytes() or b"after" in moved.read_bytes(),
               "an event after the move", again=lambda: exit_with(env, 0, "after"))
    assert daemon.stop() == 0
