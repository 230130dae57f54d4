# SPDX-License-Identifier: Apache-2.0
"""Where settings come from. Files below /etc and /usr are written into copies that only the case's own mounts show."""

import json
import re
import subprocess

from lib import Skip, TIME_SCALE, sensor, spawn

SCRIPT = """
set -e
rm -rf "${TMP:?}/etc"
mount --make-rprivate /
mkdir -p "$TMP/etc" "$TMP/lib" "$TMP/local"
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache "$TMP/etc/" 2>/dev/null || true
mount --bind "$TMP/etc" /etc
mount -t tmpfs none /usr/local/lib
mkdir -p /etc/tetragon/tetragon.conf.d /usr/local/lib/tetragon/tetragon.conf.d
cd "$TMP"
. "$TMP/setup"
exec "$@"
"""


def configured(env, setup: str, *arguments: str, **settings):
    """Runs tetragon with configuration files made by the shell lines of setup."""
    (env.tmp / "setup").write_text(setup)
    variables = {"TMP": str(env.tmp), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **settings}
    command = ["unshare", "-m", "/bin/sh", "-c", SCRIPT, "sh", str(env.build / "bin" / "tetragon"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=30 * TIME_SCALE)
    if "unshare failed" in done.stderr:
        raise Skip(f"no private mounts: {done.stderr.strip()}")
    return done


def settings_of(done) -> dict[str, tuple[str, str]]:
    """Option -> value, origin, of --print-config."""
    assert done.returncode == 0, (done.returncode, done.stderr[-800:])
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"(\S+)\s+(\S+)\s+(.*)$", line)
        if match:
            found[match.group(1)] = (match.group(2), match.group(3))
    return found


def test_precedence(env):
    """Package, yaml, administrator, config-dir, environment, command line: the later wins, and --print-config says which."""
    local = "/usr/local/lib/tetragon/tetragon.conf.d"
    admin = "/etc/tetragon/tetragon.conf.d"
    steps = [(f"echo cluster-1 >{local}/cluster-name\n", {}, (), "cluster-1", local),
             ("echo 'cluster-name: cluster-2' >/etc/tetragon/tetragon.yaml\n", {}, (), "cluster-2", "/etc/tetragon/tetragon.yaml"),
             (f"echo cluster-3 >{admin}/cluster-name\n", {}, (), "cluster-3", admin),
             ('mkdir -p "$TMP/more"; echo cluster-4 >"$TMP/more/cluster-name"\n', {}, (f"--config-dir={env.tmp}/more",), "cluster-4",
              f"{env.tmp}/more"),
             ("", {"TETRAGON_CLUSTER_NAME": "cluster-5"}, (), "cluster-5", "TETRAGON_CLUSTER_NAME"),
             ("", {}, ("--cluster-name=cluster-6",), "cluster-6", "command line")]
    setup, variables, arguments = "", {}, ()
    for text, more_variables, more_arguments, value, origin in steps:
        setup, variables, arguments = setup + text, {**variables, **more_variables}, (*arguments, *more_arguments)
        settings = settings_of(configured(env, setup, "--print-config", *arguments, **variables))
        assert settings["cluster-name"][0] == value and origin in settings["cluster-name"][1], (value, settings["cluster-name"])
        assert settings["rb-size"][1] == "default", settings["rb-size"]


def test_file_rules(env):
    """White space is trimmed, an empty file is the empty value, links are followed, backup files and folders are skipped."""
    admin = "/etc/tetragon/tetragon.conf.d"
    settings = settings_of(configured(env, f"""
        printf '\\n  debug \\n\\n' >{admin}/log-level
        : >{admin}/export-filename
        echo json >"$TMP/elsewhere"; ln -s "$TMP/elsewhere" {admin}/log-format
        echo warn >{admin}/log-level~; echo warn >{admin}/.log-level; mkdir {admin}/folder
        """, "--print-config"))
    assert settings["log-level"][0] == "debug", settings["log-level"]
    assert settings["export-filename"][0] == '""' and admin in settings["export-filename"][1], settings["export-filename"]
    assert settings["log-format"][0] == "json", settings["log-format"]


def test_wrong_settings(env):
    """Each is refused with its place and its name."""
    admin = "/etc/tetragon/tetragon.conf.d"
    for setup, arguments, words in (
            (f"echo x >{admin}/no-such-option\n", (), (f"{admin}/no-such-option",)),
            (f"mkdir {admin}/log-level\n", (), (f"{admin}/log-level", "directory")),
            (f"echo loud >{admin}/log-level\n", (), ("loud", "log-level")),
            (f"echo many >{admin}/process-cache-size\n", (), ("many", "process-cache-size")),
            ("printf 'rb-size: 1M\\nno-such: 2\\n' >/etc/tetragon/tetragon.yaml\n", (), ("/etc/tetragon/tetragon.yaml", "no-such")),
            ("printf 'rb-size: [\\n' >/etc/tetragon/tetragon.yaml\n", (), ("/etc/tetragon/tetragon.yaml",)),
            ("", ("--metrics-server=:2112",), ("metrics-server", "later version")),
            ("", ("--tracing-policy=/x.yaml",), ("tracing-policy",)),
            ("", ("--enable-k8s-api",), ("enable-k8s-api",)),
            ("", ("--rb-size=1M", "--rb-size-total=1M"), ("rb-size", "rb-size-total")),
            ("", ("--export-filename=/tmp",), ("export-filename", "/tmp")),
            ("", ("--config-dir=/no/such/folder",), ("/no/such/folder",)),
            ("", ("--no-such-option",), ("no-such-option",))):
        done = configured(env, setup, *arguments)
        assert done.returncode == 1, (setup, arguments, done.returncode, done.stdout[-300:], done.stderr[-300:])
        for word in words:
            assert word in done.stderr, (setup, arguments, word, done.stderr[-600:])


def test_all_problems_at_once(env):
    admin = "/etc/tetragon/tetragon.conf.d"
    done = configured(env, f"echo loud >{admin}/log-level; echo x >{admin}/first-wrong; echo x >{admin}/second-wrong\n")
    assert done.returncode == 1
    for word in ("first-wrong", "second-wrong", "log-level"):
        assert word in done.stderr, (word, done.stderr)


def test_unknown_variable(env):
    """Images set variables that other versions know; they must not keep the daemon from starting."""
    done = configured(env, "", "--print-config", TETRAGON_NO_SUCH_OPTION="1", TETRAGON_LOG_LEVEL="")
    assert settings_of(done)["log-level"] == ("info", "default"), done.stdout[:300]


@sensor
def test_node_and_cluster_name(env):
    daemon = env.daemon("--node-name=the-node", "--cluster-name=the-cluster")
    child = spawn([env.program("exitor"), "exit", "0"])
    child.wait()
    daemon.events.wait_exit(child.pid)
    daemon.stop()
    daemon.events.poll()
    assert daemon.events.all
    for event in daemon.events.all:
        assert event["node_name"] == "the-node" and event["cluster_name"] == "the-cluster", event


@sensor
def test_log_file_and_format(env):
    daemon = env.daemon("--log-format=json", f"--log-file={env.tmp}/more/daemon.log")
    assert daemon.stop() == 0
    written = (env.tmp / "more" / "daemon.log").read_text()
    for line in written.splitlines():
        assert json.loads(line)["level"], line
    assert written.splitlines() == daemon.log().splitlines(), "the log file is not the log"
