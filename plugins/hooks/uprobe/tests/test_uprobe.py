# SPDX-License-Identifier: Apache-2.0
"""uprobes and usdts: every way to name a place, arguments, returns and filters, on tests/e2e/programs/probes.c."""

import json
import struct
import subprocess

from lib import requires

HEAD = """
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: probes
spec:
"""


def policy(section: str, *hooks: dict) -> str:
    """JSON is YAML."""
    return HEAD + f"  {section}: {json.dumps(list(hooks))}\n"


def arg(index: int, kind: str, **more) -> dict:
    return {"index": index, "type": kind, **more}


def match(index: int, operator: str, *values: str) -> dict:
    return {"matchArgs": [{"index": index, "operator": operator, "values": list(values)}]}


def symbol_table(path) -> dict[str, tuple[int, int]]:
    """Name -> (address, offset in the file) of a 64-bit program."""
    data = path.read_bytes()
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", data, 54)
    loads = [struct.unpack_from("<IIQQQQ", data, phoff + i * phentsize) for i in range(phnum)]
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize) for i in range(shnum)]
    symbols = {}
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind != 2:
            continue
        for at in range(offset, offset + size, 24):
            name_at, _, _, section, address, _ = struct.unpack_from("<IBBHQQ", data, at)
            begin = sections[link][4] + name_at
            name = data[begin:data.index(b"\0", begin)].decode()
            for load_kind, _, file_offset, virtual, _, file_size in loads:
                if load_kind == 1 and section and virtual <= address < virtual + file_size:
                    symbols[name] = (address, address - virtual + file_offset)
    return symbols


class Probes:
    """A daemon with one policy, and the runs of the program under it."""

    def __init__(self, env, section: str, *hooks: dict):
        self.env, self.section = env, section
        self.path = env.program("probes")
        hooks = [{"path": str(self.path), **hook} for hook in hooks]
        self.context = env.daemon(policies=[policy(section, *hooks)])

    def __enter__(self):
        self.daemon = self.context.__enter__()
        # The API answers before the policy folder is loaded.
        self.daemon.wait_log("policy loaded")
        listing = json.loads(self.daemon.tetra("tracingpolicy", "list", "-o", "json").stdout)["policies"][0]
        assert listing["state"] == "TP_STATE_ENABLED", listing
        return self

    def __exit__(self, *args):
        return self.context.__exit__(*args)

    def run(self, *arguments: str) -> list[dict]:
        """Events of one run, in order; its exit tells that no more will come."""
        process = subprocess.Popen([self.path, *map(str, arguments)])
        assert process.wait(30) == 0
        self.daemon.events.wait_exit(process.pid)
        kind = "process_" + self.section.removesuffix("s")
        return [event[kind] for event in self.daemon.events.find(
            lambda e: kind in e and e[kind]["process"]["pid"] == process.pid)]


@requires("btf", "uprobes")
def test_symbols_offsets_addresses(env):
    symbols = symbol_table(env.program("probes"))
    address, offset = symbols["probes_two"]
    other_address, other_offset = symbols["probes_number"]
    label = symbols["probes_middle_label"][0] - symbols["probes_middle"][0]
    with Probes(env, "uprobes",
                {"symbols": ["probes_two", "probes_number", f"probes_middle+{label:#x}"], "message": "by name", "tags": ["t.one"]},
                {"offsets": [offset], "message": "by offset"},
                {"addrs": [other_address], "message": "by address"}) as probes:
        events = probes.run("two", 3, 4, "--", "number", 1, 2, 3, "--", "middle", 5)
        by_name = [event for event in events if event["message"] == "by name"]
        assert [event["symbol"] for event in by_name] == \
            ["probes_two", "probes_number", f"probes_middle+{label:#x}"], events
        assert by_name[0]["tags"] == ["t.one"] and by_name[0]["policy_name"] == "probes", by_name[0]
        assert by_name[0]["path"] == str(probes.path), by_name[0]
        assert by_name[0]["process"]["binary"] == str(probes.path), by_name[0]
        by_offset = [event for event in events if event["message"] == "by offset"]
        assert [event["offset"] for event in by_offset] == [str(offset)], by_offset
        by_address = [event for event in events if event["message"] == "by address"]
        assert [event["offset"] for event in by_address] == [str(other_offset)], by_address


@requires("btf", "uprobes")
def test_arguments(env):
    with Probes(env, "uprobes",
                {"symbols": ["probes_number"], "args": [arg(0, "int", label="first"), arg(1, "uint8"), arg(2, "int64")]},
                {"symbols": ["probes_text"], "args": [arg(0, "string"), arg(1, "int32")]},
                {"symbols": ["probes_literal"], "args": [arg(0, "string")]}) as probes:
        events = probes.run("number", -7, 200, -1000000000000, "--", "text", "some text", 9, "--", "text", "",
                            "--", "literal")
        number, text, empty, literal = events
        assert number["args"] == [{"int_arg": -7, "label": "first"}, {"uint_arg": 200}, {"long_arg": "-1000000000000"}], number
        assert text["args"] == [{"string_arg": "some text"}, {"int_arg": 9}], text
        assert empty["args"][1] == {"int_arg": 0} and empty["args"][0].get("string_arg", "") == "", empty
        assert literal["args"] == [{"string_arg": "a literal that nothing has read yet"}], literal
        # A NULL pointer is an error of this argument, not an empty text.
        null = probes.run("text")
        assert "error_arg" in null[0]["args"][0], null


@requires("btf", "uprobes")
def test_returns(env):
    with Probes(env, "uprobes",
                {"symbols": ["probes_two"], "args": [arg(0, "int")], "return": True, "returnArg": arg(0, "int"),
                 "message": "all"},
                {"symbols": ["probes_two"], "return": True, "returnArg": arg(0, "int"), "message": "some",
                 "selectors": [{"matchReturnArgs": [{"index": 0, "operator": "GT", "values": ["10"]}]}]}) as probes:
        events = probes.run("two", 3, 3, "--", "two", 3, 4)
        # The message has no field of its own for it: the return value is the last argument.
        all_of = [event["args"] for event in events if event["message"] == "all"]
        assert all_of == [[{"int_arg": 3}, {"int_arg": 9, "label": "return"}],
                          [{"int_arg": 3}, {"int_arg": 12, "label": "return"}]], events
        assert [e["args"] for e in events if e["message"] == "some"] == [[{"int_arg": 12, "label": "return"}]], events


@requires("btf", "uprobes")
def test_filters(env):
    two = {"symbols": ["probes_two"], "args": [arg(0, "int"), arg(1, "int")]}
    text = {"symbols": ["probes_text"], "args": [arg(0, "string")]}
    with Probes(env, "uprobes",
                {**two, "message": "equal", "selectors": [match(0, "Equal", "5")]},
                {**two, "message": "range", "selectors": [match(1, "InRange", "10:20")]},
                {**text, "message": "text equal", "selectors": [match(0, "Equal", "exact")]},
                {**text, "message": "prefix", "selectors": [match(0, "Prefix", "ex")]},
                {**text, "message": "postfix", "selectors": [match(0, "Postfix", "ct", "end")]},
                {**text, "message": "substring", "selectors": [match(0, "SubString", "xac")]},
                {**text, "message": "empty", "selectors": [match(0, "Equal", "")]}) as probes:
        def hits(*arguments):
            return sorted(event["message"] for event in probes.run(*arguments))
        assert hits("two", 5, 9) == ["equal"]
        assert hits("two", 5, 10) == ["equal", "range"]
        assert hits("two", 6, 21) == []
        assert hits("text", "exact") == ["postfix", "prefix", "substring", "text equal"]
        assert hits("text", "the end") == ["postfix"]
        assert hits("text", "exa") == ["prefix"]
        assert hits("text", "") == ["empty"]


@requires("btf", "uprobes")
def test_binary_filter_and_threads(env):
    path = str(env.program("probes"))
    two = {"symbols": ["probes_two"], "args": [arg(0, "int"), arg(1, "int")]}
    binaries = lambda operator: [{"matchBinaries": [{"operator": operator, "values": [path]}]}]
    with Probes(env, "uprobes", {**two, "message": "in", "selectors": binaries("In")},
                {**two, "message": "not in", "selectors": binaries("NotIn")}) as probes:
        events = probes.run("threads", 4, 25)
        assert len(events) == 100, len(events)
        assert {event["message"] for event in events} == {"in"}
        # The event names the thread that was there.
        assert all(event["process"]["tid"] == event["args"][1]["int_arg"] for event in events), events[0]
        assert len({event["process"]["tid"] for event in events}) == 4


@requires("btf", "uprobes")
def test_pt_regs_and_current_task(env):
    with Probes(env, "uprobes",
                {"symbols": ["probes_two"],
                 "data": [arg(0, "uint64", source="pt_regs", resolve="rdi"),
                          arg(0, "int", source="current_task", resolve="tgid")]}) as probes:
        event = probes.run("two", 1234, 1)[0]
        assert event["data"][0] == {"size_arg": "1234"}, event
        assert event["data"][1] == {"int_arg": event["process"]["pid"]}, event


@requires("btf", "uprobes")
def test_usdts(env):
    with Probes(env, "usdts",
                {"provider": "probes", "name": "plain",
                 "args": [arg(0, "int64"), arg(1, "int32"), arg(2, "int32"), arg(3, "string")]},
                {"provider": "probes", "name": "memory", "args": [arg(0, "int64"), arg(1, "int32")]},
                {"provider": "probes", "name": "counted", "args": [arg(0, "int64")],
                 "selectors": [match(0, "Equal", "21")]}) as probes:
        plain, memory, counted = probes.run("usdt", 21, -3, "a text")
        assert (plain["provider"], plain["name"], plain["path"]) == ("probes", "plain", str(probes.path)), plain
        assert plain["args"] == [{"long_arg": "21"}, {"int_arg": -3}, {"int_arg": -5}, {"string_arg": "a text"}], plain
        assert memory["args"] == [{"long_arg": "42"}, {"int_arg": 77}], memory
        # Behind its semaphore: reached only while somebody listens.
        assert counted["args"] == [{"long_arg": "21"}], counted
        assert [event["name"] for event in probes.run("usdt", 22)] == ["plain", "memory"]


@requires("btf", "uprobes")
def test_reference_counters(env):
    """refCtrOffsets: the kernel counts the program's semaphore up while the hook is there, also in one that runs already."""
    symbols = symbol_table(env.program("probes"))
    counter, offset = symbols["probes_counted_semaphore"][1], symbols["probes_number"][1]
    path = env.program("probes")
    running = subprocess.Popen([path, "listeners", "--", "wait", "--", "listeners", "--", "wait", "--", "listeners"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def say() -> str:
        running.stdin.write("x")
        running.stdin.flush()
        return running.stdout.readline()
    assert running.stdout.readline() == "0\n"
    with Probes(env, "uprobes",
                {"symbols": ["probes_two"], "refCtrOffsets": [counter], "message": "by name", "args": [arg(0, "int")]},
                {"offsets": [offset], "refCtrOffsets": [counter], "message": "by offset"}) as probes:
        said = say()
        assert said == "2\n", said
        events = probes.run("two", 3, 4, "--", "number", 1, 2, 3)
        assert [event["message"] for event in events] == ["by name", "by offset"], events
        # The counter of a symbol or offset is part of what the event says of the place.
        assert all(event["ref_ctr_offset"] == str(counter) for event in events), (counter, events)
        printed = subprocess.run([path, "listeners"], capture_output=True, text=True, check=True).stdout
        assert printed == "2\n", printed
        probes.daemon.tetra("tracingpolicy", "delete", "probes")
        assert say() == "0\n"
    running.communicate(timeout=30)


@requires("btf", "uprobes")
def test_wrong_places_are_refused(env):
    path = str(env.program("probes"))
    with env.daemon() as daemon:
        for number, (section, hook, reason) in enumerate((
                ("uprobes", {"path": path, "symbols": ["probes_none"]}, "has no function"),
                ("uprobes", {"path": path, "symbols": ["probes_two+0x10000"]}, "beyond its end"),
                ("uprobes", {"path": path, "offsets": [1]}, "executable segment"),
                ("uprobes", {"path": path, "symbols": ["probes_two"], "refCtrOffsets": [1]}, "refCtrOffsets[0]"),
                ("uprobes", {"path": "/no/such", "symbols": ["x"]}, "No such file"),
                ("usdts", {"path": path, "provider": "probes", "name": "none"}, "has no probe"),
                ("usdts", {"path": path, "provider": "probes", "name": "plain", "args": [arg(9, "int")]}, "argument"))):
            file = env.tmp / f"wrong{number}.yaml"
            file.write_text(policy(section, hook).replace("name: probes", f"name: wrong{number}", 1))
            done = daemon.tetra("tracingpolicy", "add", str(file), check=False)
            assert done.returncode != 0 and reason in done.stderr, (reason, done.stderr)


@requires("btf", "uprobes")
def test_nothing_is_left(env):
    """A removed policy leaves the program as it was: the semaphore is back, the breakpoint is gone."""
    hook = {"path": str(env.program("probes")), "provider": "probes", "name": "counted"}
    file = env.tmp / "policy.yaml"
    file.write_text(policy("usdts", hook))
    with env.daemon() as daemon:
        daemon.tetra("tracingpolicy", "add", str(file))
        env.run(env.program("probes"), "usdt", "1")
        daemon.events.wait_for(lambda e: "process_usdt" in e, what="usdt event")
        daemon.tetra("tracingpolicy", "delete", "probes")
        before = len(daemon.events.find(lambda e: "process_usdt" in e))
        process = subprocess.Popen([env.program("probes"), "usdt", "1"])
        assert process.wait(30) == 0
        daemon.events.wait_exit(process.pid)
        assert len(daemon.events.find(lambda e: "process_usdt" in e)) == before
