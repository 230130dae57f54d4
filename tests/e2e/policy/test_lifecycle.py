# SPDX-License-Identifier: Apache-2.0
"""A policy's life: added, listed, disabled, enabled, another mode, deleted; what does not load; recorded and replayed."""

import json
import subprocess

from lib import TIME_SCALE, sensor
from lib.policies import child, folder_of, hits, policy, states, syscall

GOOD = policy("good", """
  kprobes:
  - call: sys_getsid
    args: [{index: 0, type: int}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["7670001"]}]
""")
BAD = policy("bad", """
  kprobes:
  - call: sys_no_such_call_of_any_kernel
    args: [{index: 0, type: int}]
""")


def ask():
    return child(lambda: syscall("getsid", 7670001))


@sensor
def test_over_the_client(env):
    daemon = env.daemon()
    assert states(daemon) == {}
    for name, text in (("good", GOOD), ("bad", BAD)):
        (env.tmp / f"{name}.yaml").write_text(text)
    daemon.tetra("tracingpolicy", "add", env.tmp / "good.yaml")
    one = states(daemon)["good"]
    assert one["state"] == "TP_STATE_ENABLED" and one["mode"] in ("TP_MODE_MONITOR_ONLY", "TP_MODE_MONITOR"), one
    assert int(one["kernel_memory_bytes"]) > 0, one
    assert len(hits(daemon, "good", ask())) == 1

    again = daemon.tetra("tracingpolicy", "add", env.tmp / "good.yaml", check=False)
    assert again.returncode != 0 and "good" in again.stderr, again
    assert len(hits(daemon, "good", ask())) == 1

    refused = daemon.tetra("tracingpolicy", "add", env.tmp / "bad.yaml", check=False)
    assert refused.returncode != 0 and "sys_no_such_call_of_any_kernel" in refused.stderr, refused

    daemon.tetra("tracingpolicy", "disable", "good")
    assert states(daemon)["good"]["state"] == "TP_STATE_DISABLED"
    assert hits(daemon, "good", ask()) == []
    daemon.tetra("tracingpolicy", "enable", "good")
    assert states(daemon)["good"]["state"] == "TP_STATE_ENABLED"
    assert len(hits(daemon, "good", ask())) == 1

    # Nothing of it enforces: there is nothing to switch on.
    assert daemon.tetra("tracingpolicy", "set-mode", "good", "enforce", check=False).returncode != 0
    assert daemon.tetra("tracingpolicy", "delete", "no-such-policy", check=False).returncode != 0

    daemon.tetra("tracingpolicy", "delete", "good")
    assert "good" not in states(daemon)
    assert hits(daemon, "good", ask()) == []


@sensor
def test_one_bad_file_in_the_folder(env):
    folder = folder_of([BAD, GOOD, "this: [is, no policy\n"])
    daemon = env.daemon(f"--tracing-policy-dir={folder}")
    listed = states(daemon)
    assert listed["good"]["state"] == "TP_STATE_ENABLED", listed
    assert listed["bad"]["state"] == "TP_STATE_LOAD_ERROR" and "sys_no_such_call" in listed["bad"]["error"], listed
    assert len(hits(daemon, "good", ask())) == 1
    # The file that is no policy has no name to be listed by; the log has it.
    assert "02.yaml" in daemon.log()
    daemon.tetra("tracingpolicy", "delete", "bad")
    assert "bad" not in states(daemon)


@sensor
def test_a_bad_file_by_name_is_fatal(env):
    file = env.tmp / "bad.yaml"
    file.write_text(BAD)
    daemon = env.daemon()
    daemon.stop()
    done = subprocess.run([*daemon.command, f"--tracing-policy={file}"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30 * TIME_SCALE)
    assert done.returncode == 1 and "level=fatal" in done.stderr and "bad.yaml" in done.stderr, (done.returncode, done.stderr[-1000:])
    assert "sys_no_such_call_of_any_kernel" in done.stderr, done.stderr[-1000:]


@sensor
def test_recorded_and_replayed(env):
    """The events of a recording are those of the kernel, byte for byte where no clock is in them."""
    record = env.tmp / "records"
    daemon = env.daemon(f"--record={record}", policies=[GOOD])
    pid = ask()
    live = hits(daemon, "good", pid)
    daemon.stop()
    assert len(live) == 1
    replay = env.tmp / "replayed.json"
    command = [daemon.binary, f"--replay={record}", f"--export-filename={replay}", f"--tracing-policy-dir={daemon.policy_dir}",
               f"--server-address=unix://{env.tmp}/replay.sock", "--health-server-address=", f"--run-dir={env.tmp}/replay-run"]
    again = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, log = again.communicate(timeout=20 * TIME_SCALE)
    except subprocess.TimeoutExpired:
        again.terminate()
        _, log = again.communicate()
    assert replay.exists(), log[-2000:]
    events = [json.loads(line) for line in replay.read_text().splitlines()]
    replayed = [event["process_kprobe"] for event in events
                if event.get("process_kprobe", {}).get("process", {}).get("pid") == pid]
    assert replayed == live, (replayed, live, log[-2000:])
