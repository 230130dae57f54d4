# SPDX-License-Identifier: Apache-2.0
"""Words of policies from outside of the tree: the examples of the SDK, built against the installed SDK, in a running daemon."""

import os
import re
import shutil
from pathlib import Path

from lib import Skip, sensor, spawn, timeout
from lib.examples import Noting, check_frozen, on_program, on_raw_tracepoint, on_system_call
from lib.features import probe
from lib.policies import check_loaded, policy as make_policy, syscall

ROOT = Path(__file__).resolve().parents[3]

POLICY = """apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: inodes}
spec:
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    args:
    - index: 2
      type: inode_number
      resolve: file
    selectors:
    - matchArgs:
      - index: 2
        operator: OneOf
        values: ["%s"]
"""


def install_sdk(env) -> Path:
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            raise Skip(f"no {tool}")
    if not (env.build / "cmake_install.cmake").exists():
        raise Skip(f"{env.build} is no build folder of CMake: the SDK cannot be installed from it")
    os.umask(0o022)  # plugins that others could change are refused
    prefix = env.tmp / "prefix"
    env.run("cmake", "--install", env.build, "--component", "Sdk", "--prefix", prefix)
    return prefix


def build_plugins(env, prefix: Path, example: str) -> Path:
    """The folder of plugins: the build's, and the example, which has seen nothing of the tree but the installed SDK."""
    source, build = env.tmp / example, env.tmp / f"{example}-build"
    shutil.copytree(prefix / "share/tetragon/examples" / example, source)
    env.run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release", timeout=120)
    env.run("cmake", "--build", build, timeout=300)
    env.run("ctest", "--test-dir", build, "--no-tests=error", timeout=60)
    plugins = env.tmp / "lib" / "tetragon"
    shutil.copytree(env.build / "lib" / "tetragon", plugins)
    env.run("cmake", "--install", build, "--prefix", env.tmp)
    return plugins


def traced(daemon, pid: int) -> list[dict]:
    return [event["process_tracepoint"] for event in daemon.events.find(
        lambda e: e.get("process_tracepoint", {}).get("process", {}).get("pid") == pid)]


@sensor
@timeout(500)
def test_type_and_operator_of_a_plugin(env):
    plugins = build_plugins(env, install_sdk(env), "inode")
    assert (plugins / "hooks" / "inode.so").exists()
    programs = []
    for name in ("first", "other", "second"):
        programs.append(Path(shutil.copy(shutil.which("true"), env.tmp / name)))
    first, other, second = programs
    inodes = [str(os.stat(path).st_ino) for path in (first, second)]

    policy = env.tmp / "policy.yaml"
    policy.write_text(POLICY % "|".join(inodes))
    with env.daemon(f"--plugin-dir={plugins}") as daemon:
        daemon.tetra("tracingpolicy", "add", policy)
        pids = {}
        for path in (first, other, second):
            child = spawn([str(path)])
            child.wait()
            pids[path] = child.pid
        for path, inode in ((first, inodes[0]), (second, inodes[1])):
            daemon.events.wait_exit(pids[path])
            daemon.events.wait_for(lambda e: e.get("process_tracepoint", {}).get("process", {}).get("pid") == pids[path],
                                   what=f"tracepoint event of {path}")
            events = traced(daemon, pids[path])
            assert len(events) == 1, events
            assert events[0]["policy_name"] == "inodes", events[0]
            assert events[0]["args"] == [{"size_arg": inode}], (events[0]["args"], inode)
        # The filter holds: this one is known to the daemon, and hit no hook.
        daemon.events.wait_exit(pids[other])
        assert traced(daemon, pids[other]) == []

        # What the plugin's parser refuses, the policy says with its place.
        policy.write_text((POLICY % "12||13").replace("name: inodes", "name: broken"))
        refused = daemon.tetra("tracingpolicy", "add", policy, check=False)
        assert refused.returncode != 0
        assert 'values[0]: "12||13" is no value of this operator' in refused.stderr, refused.stderr

    # Without the plugin the words mean nothing, and the message says so.
    with env.daemon() as daemon:
        policy.write_text(POLICY % inodes[0])
        refused = daemon.tetra("tracingpolicy", "add", policy, check=False)
        assert refused.returncode != 0
        assert "inode_number" in refused.stderr, refused.stderr


GETSID = 124 if os.uname().machine == "x86_64" else 156


@sensor
@timeout(500)
def test_actions_of_a_plugin(env):
    """One in the kernel, one in the daemon, in one policy; switched to monitor mode and back."""
    plugins = build_plugins(env, install_sdk(env), "actions")
    victim, number = env.copy_program("numbers", env.tmp / "victim"), 7790001
    cases = [("call", on_system_call("call", "syscall-tracepoint", number), "process_kprobe", lambda: syscall("getsid", number)),
             ("raw", on_raw_tracepoint("raw", victim, GETSID), "process_tracepoint",
              lambda: os.execv(victim, [str(victim), str(GETSID)]))]
    if probe("uprobes")[0]:
        program = env.program("answers")
        cases.append(("function", on_program("function", program, 1001), "process_uprobe",
                      lambda: os.execv(program, [str(program), "number", "1001"])))
    with Noting(env.tmp / "notes") as notes:
        with env.daemon(f"--plugin-dir={plugins}", policies=[text for _, text, _, _ in cases]) as daemon:
            daemon.wait_log("policy loaded")
            check_loaded(daemon)
            for name, _, kind, use in cases:
                check_frozen(daemon, notes, name, use, kind)
                daemon.tetra("tracingpolicy", "set-mode", name, "monitor")
                check_frozen(daemon, notes, name, use, kind, monitor=True)
                daemon.tetra("tracingpolicy", "set-mode", name, "enforce")
                check_frozen(daemon, notes, name, use, kind)


@sensor
@timeout(500)
def test_action_with_another_layout(env):
    """An action and the hook it follows work on one work space: what was built with other headers is refused, with the reason."""
    prefix = install_sdk(env)
    header = prefix / "share/tetragon/bpf/shared/action.h"
    text = header.read_text()
    assert text.count("struct tg_chain {\n") == 1
    header.write_text(text.replace("struct tg_chain {\n", "struct tg_chain {\n\t__u64 of_another_version;\n"))
    header = prefix / "share/tetragon/bpf/shared/scratch.h"
    header.write_text(re.sub(r"(?<=SCRATCH_BYTES )\d+", lambda size: str(int(size[0]) + 8), header.read_text()))
    plugins = build_plugins(env, prefix, "actions")
    policy = env.tmp / "policy.yaml"
    policy.write_text(on_system_call("mixed", "syscall-tracepoint", 7790002))
    with env.daemon(f"--plugin-dir={plugins}") as daemon:
        refused = daemon.tetra("tracingpolicy", "add", policy, check=False)
        assert refused.returncode != 0
        assert 'action Freeze" declares the shared map "tg_hook_scratch"' in refused.stderr, refused.stderr
        assert "build both with the same SDK" in refused.stderr, refused.stderr


@sensor
@timeout(500)
def test_answer_that_nobody_gives(env):
    """An action that answers in the place of what is hooked: refused where that would be counted as done and deny nothing."""
    prefix = install_sdk(env)
    for name in ("freeze.cpp", "tests/freeze_test.cpp"):
        source = prefix / "share/tetragon/examples/actions" / name
        text = source.read_text()
        assert text.count("TETRAGON_ACTION_ENFORCES") == 1
        source.write_text(text.replace("TETRAGON_ACTION_ENFORCES", "(TETRAGON_ACTION_ENFORCES | TETRAGON_ACTION_VERDICT)"))
    plugins = build_plugins(env, prefix, "actions")
    late = """
  options: [{name: backend, value: syscall-tracepoint}]
  kprobes:
  - call: sys_getsid
    syscall: true
    args: [{index: 0, type: int}]
    return: true
    returnArg: {index: 0, type: int}
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: ["7790003"]}]
      matchReturnActions: [{action: Freeze}]
"""
    cases = [(on_raw_tracepoint("raw", Path("/bin/true"), GETSID), "but in section tracepoints nothing brings an answer into force"),
             (make_policy("late", late), "which has returned already in matchReturnActions of kprobes; write it in matchActions")]
    if probe("uprobes")[0]:
        cases.append((on_program("function", env.program("answers"), 1001), "in section uprobes only the built-in Override and Set"))
    policy = env.tmp / "policy.yaml"
    with env.daemon(f"--plugin-dir={plugins}") as daemon:
        for text, reason in cases:
            policy.write_text(text)
            refused = daemon.tetra("tracingpolicy", "add", policy, check=False)
            assert refused.returncode != 0, text
            assert 'action "Freeze" answers in the place of what is hooked' in refused.stderr and reason in refused.stderr, refused.stderr


SECTION = """apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: %s}
spec:
  things:
  - do: %s
    message: hello
%s"""


@sensor
def test_section_of_a_plugin(env):
    """A section that only the plugin knows: its scalars arrive, its objects end with the policy, its failures have a reason."""
    module = env.build / "tests/integration/plugins/modules/hooks.so"
    if not module.exists():
        raise Skip(f"no {module}; build the target plugin_host_integration")
    plugins = env.tmp / "lib" / "tetragon"
    shutil.copytree(env.build / "lib" / "tetragon", plugins)
    shutil.copy(module, plugins / "hooks" / "hooks.so")
    os.chmod(plugins / "hooks" / "hooks.so", 0o755)
    policy = env.tmp / "policy.yaml"

    with env.daemon(f"--plugin-dir={plugins}") as daemon:
        def add(name: str, what: str, rest: str = ""):
            policy.write_text(SECTION % (name, what, rest))
            return daemon.tetra("tracingpolicy", "add", policy, check=False)

        done = add("good", "all")
        assert done.returncode == 0, done.stderr
        assert "good" in daemon.tetra("tracingpolicy", "list").stdout
        daemon.tetra("tracingpolicy", "delete", "good")
        assert "removed: closed" in daemon.log(), daemon.log_tail()

        # Its own place to hook, with the engine and the records of all hooks.
        done = add("reports", "report")
        assert done.returncode == 0, done.stderr
        child = spawn(["/bin/true"])
        child.wait()
        event = daemon.events.wait_for(lambda e: e.get("process_plugin", {}).get("process", {}).get("pid") == child.pid,
                                       what="event of the section")["process_plugin"]
        assert (event["plugin"], event["event"]) == ("test.hooks", "things"), event
        assert (event["policy_name"], event["message"]) == ("reports", "hello"), event
        daemon.tetra("tracingpolicy", "delete", "reports")

        for name, what, reason in (("half", "fail", "half of the hook is attached"), ("broken", "throw", "no hook today")):
            done = add(name, what)
            assert done.returncode != 0
            assert reason in done.stderr, done.stderr
        done = add("values", "all", "    args:\n    - {index: 0, type: int}\n")
        assert done.returncode != 0
        assert 'not possible in section "things"' in done.stderr, done.stderr
