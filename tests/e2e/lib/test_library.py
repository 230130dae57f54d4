# SPDX-License-Identifier: Apache-2.0
"""The library itself: a wait that cannot fail, or a line that is dropped, would make every other case worthless."""

import json
import os
import threading
import time

from lib import DaemonError, Events, EventTimeout, features


def expect(error, function, text: str):
    try:
        function()
    except error as caught:
        assert text in str(caught), f"'{text}' is not in '{caught}'"
        return
    raise AssertionError(f"{error.__name__} was not raised")


def test_event_arrives_while_waiting(env):
    path = env.tmp / "events.json"

    def write():
        time.sleep(0.1)
        with path.open("a") as out:
            out.write('{"process_exec":{"n":1}}\n{"process_ex')
            out.flush()
            time.sleep(0.1)
            out.write('it":{"n":2}}\n')
    writer = threading.Thread(target=write)
    writer.start()
    events = Events(path)
    event = events.wait_for(lambda e: "process_exit" in e, timeout=5)
    writer.join()
    assert event == {"process_exit": {"n": 2}}, event
    assert len(events.all) == 2, events.all


def test_missing_event_is_reported_with_what_came(env):
    path = env.tmp / "events.json"
    path.write_text(json.dumps({"process_exec": {"binary": "/bin/seen"}}) + "\n")
    expect(EventTimeout, lambda: Events(path).wait_for(lambda _: False, timeout=0.1), "/bin/seen")
    expect(EventTimeout, lambda: Events(path).wait_count(lambda _: True, 2, timeout=0.1), "1 of 2")
    expect(AssertionError, lambda: Events(path).expect_none(lambda _: True, seconds=0.1), "unexpected")


def test_line_that_is_not_json_fails(env):
    path = env.tmp / "events.json"
    path.write_text("{}\nnot json\n")
    expect(AssertionError, Events(path).poll, "not json")


def test_daemon_that_dies_at_start_shows_its_log(env):
    fake_build(env, "echo bad option $*; exit 3")
    expect(DaemonError, lambda: env.daemon("--no-such-option"), "exited with 3")
    assert "bad option" in env.daemons_[-1].log() and "--no-such-option" in env.daemons_[-1].log()


def test_daemon_that_never_listens_is_ended(env):
    fake_build(env, "echo starting; exec sleep 1000")
    expect(DaemonError, lambda: env.daemon(start_timeout=0.3), "did not listen")
    started = env.daemons_[-1].process
    env.close()
    assert started.poll() is not None, "the process outlived the case"


def fake_build(env, script: str):
    """A stand-in for the daemon that answers --help and then misbehaves."""
    (env.tmp / "build" / "bin").mkdir(parents=True)
    binary = env.tmp / "build" / "bin" / "tetragon"
    binary.write_text(f"#!/bin/sh\n[ \"$1\" = --help ] && exit 0\n{script}\n")
    binary.chmod(0o755)
    env.build = env.tmp / "build"


def test_features_answer_with_a_reason(env):
    for name in features.PROBES:
        present, reason = features.probe(name)
        assert present or reason, f"{name} is absent without a reason"
    assert features.probe("root") == (os.geteuid() == 0, "")
