#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the inputs the fuzzers begin with: seeds.py FOLDER. One folder per fuzzer."""

import struct
import sys
from pathlib import Path

EXEC, CLONE, EXIT, DATA = 1, 2, 3, 4


def record(kind: int, body: bytes, seq: int = 0, plugin: int = 1, cpu: int = 0) -> bytes:
    return struct.pack("<IHHIIQQ", 32 + len(body), plugin, kind, cpu, 0, seq, 1000 + seq) + body


def key(pid: int, start: int) -> bytes:
    return struct.pack("<QII", start, pid, 0)


def exec_body(pid=42, start=5000, parent=(1, 10), args=b"ls\0-l\0/a b\0", data_id=0) -> bytes:
    filename, cwd, cgroup, envs = b"./ls", b"/tmp", b"docker-" + b"a" * 64 + b".scope", b"A=1\0B\0"
    fixed = key(pid, start) + key(*parent) + key(0, 0)
    fixed += struct.pack("<8I", 0x4001, pid, 0, 1000, pid, parent[0], 0x2, 0)
    fixed += struct.pack("<4Q", 12, 13, data_id, 0)
    fixed += struct.pack("<6I", 3, len(filename), len(cwd), len(cgroup), len(args), len(envs))
    fixed += struct.pack("<10I", *range(100, 110))
    fixed += struct.pack("<9IiIII I", *range(9), 1, 0, 0, 109, 0)
    fixed += struct.pack("<3Q", 1 << 21, 3, 0)
    assert len(fixed) + 32 == 288, len(fixed)
    return fixed + filename + cwd + cgroup + args + envs


def clone_body(pid=43, start=6000, parent=(42, 5000)) -> bytes:
    return key(pid, start) + key(*parent) + struct.pack("<4I", 0x2000000, pid, 2, parent[0])


def exit_body(pid=42, start=5000, code=9) -> bytes:
    return key(pid, start) + struct.pack("<2I", code, pid)


def data_body(number=77, piece=b"long\0arguments\0") -> bytes:
    return struct.pack("<QII", number, len(piece), 0) + piece


def recording(*records: bytes) -> bytes:
    head = field(1, b"node") + field(2, b"6.1.0") + varint_field(3, 1 << 60) + varint_field(4, 4026531840)
    head += field(5, varint_field(1, 1) + field(2, b"tetragon.process") + field(3, b"1.0"))
    out = b"TGREC\0\0\1" + struct.pack("<I", len(head)) + head
    for one in records:
        out += b"\0" * (-len(out) % 8) + one
    return out


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def event() -> bytes:
    """A GetEventsResponse with a kprobe: nested messages, lists, wrappers, a map, a timestamp, packed numbers."""
    pod = field(1, b"ns") + field(2, b"pod") + field(5, field(1, b"app") + field(2, b"web"))
    caps = field(1, varint(0) + varint(21)) + field(2, varint(21))
    process = field(1, b"aWQ=") + field(2, varint_field(1, 42)) + field(5, b"/bin/x\xff") + field(6, b"a\"\n")
    process += field(8, varint_field(1, 1700000000) + varint_field(2, 5)) + field(10, pod) + field(14, caps)
    arg = field(1, b"text") + field(18, b"label")
    number = varint_field(11, (1 << 64) - 1)
    kprobe = field(1, process) + field(2, process) + field(3, b"tcp_connect") + field(4, arg) + field(4, number)
    return field(9, kprobe) + field(1000, b"node") + field(1001, varint_field(1, 1)) + field(50001, varint_field(1, 3))


def process_decode() -> list:
    bodies = [exec_body(), clone_body(), exit_body(), data_body()]
    return [bytes([i]) + record(i + 1, body) for i, body in enumerate(bodies)]


def recordings() -> list:
    kernel = record(EXEC, exec_body(0, 1, (0, 0), b""))
    init = record(EXEC, exec_body(1, 10, (0, 1), b"init\0"), 1)
    shell = record(EXEC, exec_body(), 2)
    data = record(DATA, data_body(), 3)
    long = record(EXEC, exec_body(44, 7000, (43, 6000), b"", 77), 4)
    clone, end = record(CLONE, clone_body(), 5), record(EXIT, exit_body(), 6)
    late = record(EXIT, exit_body(45, 8000, 139), 9, cpu=1)
    return [recording(), recording(kernel), recording(kernel, init, shell, clone, data, long, end),
            recording(late, end, clone, shell, init, kernel), recording(shell, shell, end, end, kernel),
            recording(record(EXEC, exec_body(), 0, 9), record(77, b"", 1)), recording(shell)[:-3]]


def config() -> list:
    yaml = ["log-level: debug\nexport-filename: /var/log/x\n", "{log-level: [a, b]}\n", "- a\n", "a: &x [*x]\n",
            "export-allowlist: |\n  {\"pid\":[1]}\n  {\"pid\":[2]}\n", "rb-size: 64M\n---\nrb-size: 1\n", "? {a: b}\n: c\n",
            "process-cache-size: 65536\nenable-process-cred: yes\nexport-file-perm: '640'\n", "%YAML 9.9\n---\n\t"]
    lines = ["--log-level=debug\n--enable-process-cred\n--rb-size\n64M", "-f\nx", "--no-such\n--", "--export-file-perm=999",
             "--export-rate-limit\n-1\n--\nrest"]
    values = ["1m30s", "1.5h", "-3us", "64K", "0640", "true", "a,b,\"c d\"", "9223372036854775807", "18446744073709551615",
              "1e9", "\n x \n", "9999999999999999999h"]
    out = [bytes([0, 0]) + text.encode() for text in yaml] + [bytes([1, 0]) + text.encode() for text in lines]
    return out + [bytes([2, 7 * i % 256]) + text.encode() for i, text in enumerate(values)]


def filters() -> list:
    sets = ['{"binary_regex":["^/usr"],"pid":[42]}', '{"event_set":["PROCESS_KPROBE"],"health_check":true}\n{"namespace":[""]}',
            '{"labels":["app in (web, db), !x, tier != a"]}', '{"capabilities":{"effective":{"any":["CAP_SYS_ADMIN"]}}}',
            '{"pid_set":[42],"inInitTree":true}', '{"cel_expression":["process_kprobe.process.pid == 42u"]}',
            '{"ancestor_binary_regex":["curl"],"event_set":["PROCESS_EXEC"]}', '{"binary_regex":["("]}', "[{}]", '{"x":1}']
    cel = ["process_kprobe.process.binary.startsWith('/usr') && process_kprobe.process.pid > 1u",
           "process_kprobe.args.exists(a, a.sock_arg.daddr == '10.0.0.1')", "[1, 2, 3].map(x, x * 2).all(y, y > 1)",
           "{'a': 1}.a == 1 ? true : 1/0 == 2", "has(process_kprobe.parent.pod) || size('x') in [1]", "-9223372036854775808 - 1",
           "process_kprobe.function_name.matches('^tcp_.*')", "cidr('10.0.0.0/8').containsIP(ip('10.0.0.1'))",
           "timestamp('2023-01-01T00:00:00Z') + duration('1h') > process_kprobe.process.start_time", "((((((((1))))))))==1",
           "b'\\x00' + b\"a\" != br'''x'''", "1.5e3 < 2.0 || \"\\u00e9\" == 'é' // end"]
    redact = ['{"redact":["token: (\\\\S+)\\""],"binary_regex":["curl$"]}', '{"redact":["(a)|(b)","x"]}', '{"redact":["()"]}']
    out = []
    for number, texts in enumerate((sets, cel, redact)):
        out += [bytes([number]) + text.encode() for text in texts]
    return out


def field_filters() -> list:
    plans = ['{"fields":"process.pid,args"}', '{"fields":"process.binary,parent","action":"EXCLUDE"}', "{}",
             '{"fields":"process.pod.pod_labels.app","event_set":["PROCESS_KPROBE"]}{"fields":"args.label","action":"EXCLUDE"}',
             '{"fields":"process","event_set":["PROCESS_EXEC"],"invert_event_set":true}', '{"fields":"no.such"}']
    return [plan.encode() + b"\0" + event() for plan in plans]


def json() -> list:
    argument = field(1, b"x") + varint_field(2, 5)
    return [bytes([0]) + event(), bytes([0]) + event() + event(), bytes([0]) + event()[:-2], bytes([3]) + argument,
            bytes([1]) + field(2, b"") + field(8, varint_field(1, (1 << 64) - 1))]


def program(*sections) -> bytes:
    """64-bit program: code at 0x400000, data at 0x600000, then the sections (name, type, link, entry size, bytes)."""
    head = b"\177ELF\2\1\1" + b"\0" * 9 + struct.pack("<HHIQQ", 2, 62, 1, 0x400100, 64)
    loads = b"".join(struct.pack("<IIQQQQQQ", 1, flags, offset, address, address, 256, 256, 256)
                     for flags, offset, address in ((5, 0, 0x400000), (6, 256, 0x600000)))
    names = b"\0" + b"".join(name + b"\0" for name, *_ in sections) + b".shstrtab\0"
    table, body, at = b"\0" * 64, b"", 512
    for name, kind, link, entry, content in (*sections, (b".shstrtab", 3, 0, 0, names)):
        table += struct.pack("<IIQQQQIIQQ", names.index(name + b"\0"), kind, 0, 0x400000, at + len(body), len(content),
                             link, 0, 1, entry)
        body += content
    count = len(sections) + 2
    head += struct.pack("<QIHHHHHH", at + len(body), 0, 64, 56, 2, 64, count, count - 1)
    return (head + loads).ljust(at, b"\x90") + body + table


def elf() -> list:
    def note(owner: bytes, kind: int, content: bytes) -> bytes:
        owner += b"\0"
        pad = lambda part: part + b"\0" * (-len(part) % 4)
        return struct.pack("<III", len(owner), len(content), kind) + pad(owner) + pad(content)

    probe = struct.pack("<QQQ", 0x400010, 0x400000, 0x600010) + b"web\0start\0" + b"8@%rdi -4@-4(%rbp) 4@$5 8@x(%rip)\0"
    symbols = b"\0" * 24 + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0x400020, 16) + struct.pack("<IBBHQQ", 6, 0x11, 0, 1, 0x600020, 8)
    go = struct.pack("<IBBBBQQQQQQQQ", 0xFFFFFFF1, 0, 0, 1, 8, 1, 0, 0x400010, 72, 0, 0, 0, 77)
    go += b"main\0" + struct.pack("<III", 0, 12, 16) + struct.pack("<Ii", 0, 0)
    files = [program((b".symtab", 2, 2, 24, symbols), (b".strtab", 3, 0, 0, b"\0main\0x\0")),
             program((b".note.stapsdt", 7, 0, 0, note(b"stapsdt", 3, probe)), (b".note.id", 7, 0, 0, note(b"GNU", 3, b"i" * 20))),
             program((b".gopclntab", 1, 0, 0, go))]
    out = [b"\0" + one for one in files] + [b"\1" + go]
    return out + [b"\2-4@%edi 8@-16(%rbp) 8@(%rax,%rbx,8) 8@a+8(%rip)", b"\3-4@[sp, 60] 8@x0 4@5 8@[x0, x1, lsl 3]"]


def hook_value(slot: int, content: bytes, flags=0, status=0, full=0) -> bytes:
    return struct.pack("<BBHiII", slot, flags, 0, status, len(content), full) + content + b"\0" * (-len(content) % 8)


def hook_record(*values: bytes, phase=0, call=0, instance=0) -> bytes:
    body = key(42, 5000) + struct.pack("<IIIBBBBQ", 43, 7, instance, phase, 255, len(values), 0, call)
    body += b"".join(values)
    return struct.pack("<HB", len(body), 1) + body


def hook_args() -> list:
    """Each event type once; values as the readers write them, types as core/hook/arg_type.h numbers them."""
    number, text = struct.pack("<q", -5), b"text\xff\0"
    path = struct.pack("<IHH", 1, 0o100644, 0) + b"/etc/passwd"
    sock = struct.pack("<QIIHHHBBHHI", 1, 2, 3, 10, 1, 6, 1, 0, 80, 443, 0) + bytes(range(32))
    un, cred = struct.pack("<HHHH", 1, 0, 0, 0) + b"\0name", bytes(80)
    piece = struct.pack("<QII", 9, 4, 0) + b"long"
    data = struct.pack("<HB", len(piece), 2) + piece
    values = [hook_value(0, number), hook_value(1, text), hook_value(2, path), hook_value(3, sock)]
    types = bytes([2, 12, 20, 26, 14, 2])  # int, string, file, sock, char_buf; returns int
    long = hook_value(4, struct.pack("<Q", 9), flags=2, full=8)
    whole = hook_record(*values, long, hook_value(5, number))
    merged = hook_record(*values, phase=1, call=3) + data + hook_record(long, hook_value(5, number), phase=2, call=3)
    out = [bytes([event]) + types + data + whole + merged for event in range(5)]
    kernel = [(28, bytes(64)), (29, bytes(24)), (30, un), (31, cred), (32, bytes(16)), (33, number), (34, number),
              (38, bytes(24)), (39, bytes(32)), (41, number), (42, bytes(88)), (43, bytes(80)), (45, number), (47, b"ab")]
    for kind, content in kernel:
        out.append(bytes([0, kind | 0x40]) + types[1:] + hook_record(hook_value(0, content), hook_value(1, b"", status=-14)))
    define = varint_field(1, 8) + varint_field(2, 9) + field(3, b"p") + field(7, varint_field(4, 2)) + field(8, field(1, b"f"))
    out.append(bytes(7) + struct.pack("<HB", len(define), 3) + define + hook_record(phase=3))
    return out


def policies() -> list:
    folder = Path(__file__).resolve().parent.parent / "unit" / "policy" / "data"
    head = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a}\nspec:\n"
    specs = ["  kprobes: [&a {call: sys_a}, {<<: *a, args: [{index: 0, type: int}]}]\n", "  loader: true\n---\n", "  a: [[[[\n",
             "  lists: [{name: l, type: generated_ftrace, pattern: '^a(b|c)*'}]\n  kprobes: [{call: 'list:l'}]\n"]
    files = [path.read_text() for path in sorted(folder.glob("*.yaml"))] + [head + spec for spec in specs]
    cel = ["arg0 > -1 ? arg1 == 7 : arg0 / 0 == 0", "!(arg0 < 3) || uint(arg0) % 4u == arg1 && true", "1 + (2 * (3 - -4)) == 15"]
    values = ["-0x80", "0b11", "017", "5:10", "10.0.0.0/8", "fe80::1/64", "a.b[3].c", "CAP_BPF,CAP_KILL", "5m", "main+0x10",
              "i386/sys_read", "rsp=8(%rsp)", "IPPROTO_TCP", "Example_NS 1"]
    out = [b"\0\0" + text.encode() for text in files] + [b"\2\0" + text.encode() for text in cel]
    return out + [bytes([3, 5 * i % 32]) + text.encode() for i, text in enumerate(values)]


def urls() -> list:
    return [b"http://u:p%40@a.test:81/b/c;d?q\n../x?y#z", b"https://[2001:db8::1]:8443/\n//x/../y",
            b"http://192.0.2.1\n192.0.2.0/24, .a.test", b"http://a?b\nhttp://u@[::1]:8"]


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    seeds = {"process_decode": process_decode(), "recording": recordings(), "config": config(), "filter": filters(),
             "field_filter": field_filters(), "json": json(), "elf": elf(),
             "hook_args": hook_args(), "policy": policies(), "url": urls()}
    for name, inputs in seeds.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(inputs):
            (folder / f"{number:02}").write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
