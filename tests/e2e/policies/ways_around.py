# SPDX-License-Identifier: Apache-2.0
"""Ways around a policy, each tried against each kind of policy. What holds is in docs/enforcement.md, compared with what is seen here.

TETRAGON_TEST_WRITE_TABLE=FILE writes the table as it is seen."""

import errno
import os
import platform
import subprocess
from pathlib import Path

from enforced import CONTENT, PLACE, fresh, place, program
from lib import TIME_SCALE, Skip
from lib.policies import policy

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "enforcement.md"
BEGIN, END = "<!-- table of ways: begin -->", "<!-- table of ways: end -->"
CANNOT = 200
OWN_PATHS = (6, 12)  # the first one tried where overlayfs opens the files of its layers under their own paths

# The way, as docs say it, and the kernels where it has a line of its own.
WAYS = {
    "plain": "opened as usual (openat)",
    "old-call": "system call open",
    "openat2": "system call openat2",
    "relative": "relative to the working folder",
    "32-bit": "32-bit system call",
    "io-uring": "io_uring",
    "execute": "executed (execveat)",
    "reopen": "O_PATH, then /proc/self/fd",
    "proc-root": "through /proc/self/root",
    "symlink": "symbolic link",
    "handle": "by file handle",
    "link": "hard link",
    "rename": "file moved",
    "exchange": "file exchanged with another",
    "rename-folder": "folder moved",
    "bind": "bind mount in a mount namespace",
    "overlay": "overlay mount in a mount namespace",
    "chroot": "chroot to the folder",
    "impostor": "own program at the path of one that may, in a chroot",
    "link-before": "hard link made before the policy",
    "inherited": "descriptor opened before the policy",
}
# What writes cannot be executed, nor go to the lower layer of an overlay.
READ_ONLY = {"execute", "overlay"}
WRITTEN = "etc"
KINDS = {  # the column: folder, name, what is denied, program that may
    "secrets-folder": ("etc/secrets", "key", "r", "usr/bin/secret-agent"),
    "sensitive-files": (WRITTEN, "passwd", "w", "usr/bin/passwd"),
    "kprobe on security_file_open, Override": ("function", "key", "r", None),
    "kprobe on sys_openat, Sigkill": ("call", "key", "r", None),
}
FREE = ("free", "key")
# A file with a second name of its own: a handle can lead to either.
LINKED = {"key": "linked", "passwd": "group"}

POLICIES = [policy("ways-function", f"""
  kprobes:
  - call: security_file_open
    syscall: false
    args: [{{index: 0, type: file}}]
    selectors:
    - matchArgs: [{{index: 0, operator: Prefix, values: ["{PLACE}/function/"]}}]
      matchActions: [{{action: Override, argError: -13}}]
"""), policy("ways-call", f"""
  kprobes:
  - call: sys_openat
    syscall: true
    args: [{{index: 1, type: string}}]
    selectors:
    - matchArgs: [{{index: 1, operator: Prefix, values: ["{PLACE}/call/"]}}]
      matchActions: [{{action: Sigkill}}]
""")]


def kernel() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor)))


class Trier:
    """Folders and programs of all ways, made before there is a policy."""

    def __init__(self, env):
        self.program, self.descriptors = program(env, place() / "usr/bin/ways"), {}
        targets = [(folder, name, may) for folder, name, _, may in KINDS.values()] + [(*FREE, "usr/bin/passwd")]
        for folder, name, may in targets:
            scratch = self.scratch(folder)
            scratch.mkdir(parents=True)
            for one in (name, LINKED[name]):
                fresh(place() / folder / one)
                # None for writing of what is executed.
                self.descriptors[folder, one] = os.open(place() / folder / one, os.O_RDWR if folder == WRITTEN else os.O_RDONLY)
            os.link(place() / folder / LINKED[name], scratch / "before")
            if may:
                copied = scratch / "root" / str(place() / may)[1:]
                copied.parent.mkdir(parents=True)
                copied.write_bytes(self.program.read_bytes())
                copied.chmod(0o755)

    def scratch(self, folder: str) -> Path:
        return place() / "ways" / folder.replace("/", "-")

    def __call__(self, way: str, folder: str, name: str, mode: str, may: str | None) -> int:
        """The exit code. What the way has moved or written is as before then."""
        if way == "link-before":
            name = LINKED[name]
        home, scratch, descriptor = place() / folder / name, self.scratch(folder), self.descriptors[folder, name]
        os.lseek(descriptor, 0, os.SEEK_SET)
        more = {"inherited": str(descriptor), "impostor": str(place() / may) if may else ""}.get(way, "")
        done = subprocess.run([self.program, way, place() / folder, name, mode, scratch, more], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=30 * TIME_SCALE, pass_fds=[descriptor], check=False)
        if (scratch / "file").exists():
            (scratch / "file").rename(home)
        if (scratch / "folder").exists():
            (scratch / "folder").rename(place() / folder)
        if home.stat().st_size == 0:
            (scratch / "exchanged").rename(home)
        if mode == "w":
            changed = os.pread(descriptor, len(CONTENT), 0) != CONTENT.encode()
            assert changed is (done.returncode == 0), (way, folder, done.returncode)
            os.pwrite(descriptor, CONTENT.encode(), 0)
        return done.returncode


def document_table() -> str:
    text = DOCUMENT.read_text()
    assert BEGIN in text and END in text, f"{DOCUMENT} lacks its marks"
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def label(way: str) -> list[str]:
    """The lines of the document that are about this way; where kernels differ, the first is that of older ones."""
    if way == "overlay":
        return [f"{WAYS[way]}, Linux 6.1", f"{WAYS[way]}, Linux 6.12"]
    return [WAYS[way]]


def held(code: int) -> str:
    if code == 0:
        return "no"
    assert code < 0 or code in (errno.EACCES, errno.EPERM), f"neither done nor denied: {code}"
    return "holds"


def try_all(trier: Trier) -> None:
    seen, missing = {}, []
    for way in WAYS:
        code = trier(way, *FREE, "r", "usr/bin/passwd")
        if code == CANNOT or code < 0:
            missing.append(way)
            continue
        # A way that is no way proves nothing.
        assert code == 0, f"{way} does not work without a policy: {code}"
        cells = []
        for folder, name, mode, may in KINDS.values():
            if mode == "w" and way in READ_ONLY or way == "impostor" and may is None:
                cells.append("-")
                continue
            cells.append(held(trier(way, folder, name, mode, may)))
        seen[way] = cells
    compare(seen, missing)


def compare(seen: dict[str, list[str]], missing: list[str]) -> None:
    lines = ["| way | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 1) + "|"]
    document = document_table().splitlines()
    for way in WAYS:
        labels = label(way)
        chosen = labels[-1] if kernel() >= OWN_PATHS else labels[0]
        for one in labels:
            known = next((line for line in document if line.startswith(f"| {one} |")), f"| {one} | not tried |")
            lines.append(f"| {one} | " + " | ".join(seen[way]) + " |" if one == chosen and way in seen else known)
    table = "\n".join(lines)
    if os.environ.get("TETRAGON_TEST_WRITE_TABLE"):
        Path(os.environ["TETRAGON_TEST_WRITE_TABLE"]).write_text(table + "\n")
    assert table == "\n".join(document), f"{DOCUMENT.name} says otherwise; this kernel says:\n{table}"
    if missing:
        raise Skip(f"cannot be tried here: {', '.join(missing)}; all others are as {DOCUMENT.name} says")
