# SPDX-License-Identifier: Apache-2.0
"""What the cases of enforcing policies share: the policies, turned to paths of the test, and a file system for these."""

import atexit
import ctypes
import re
import shutil
from pathlib import Path

from lib.policies import LIBC, folder_of, new_folder

LIBRARY = Path(__file__).resolve().parents[3] / "policies" / "enforcement"
# On tmpfs: an overlay calls the hooks for each of its layers. Mounted when the first policy is needed.
PLACE = new_folder()
PROGRAMS = ("/usr/bin/secret-agent", "/usr/bin/passwd", "/usr/bin/wget")
CONTENT = "#!/bin/true\n"
MADE: dict[str, str] = {}


def place() -> Path:
    if not PLACE.is_mount():
        if LIBC.mount(b"tmpfs", str(PLACE).encode(), b"tmpfs", ctypes.c_ulong(0), None) != 0:
            raise OSError(ctypes.get_errno(), "mount tmpfs")
        atexit.register(LIBC.umount2, str(PLACE).encode(), 2)
    return PLACE


def turned(text: str) -> str:
    """Each path of files and programs has one in the test's folder beside it, in the lists of the policy."""
    return re.sub(r'^( *- )"((?:/etc|/root|/usr)[^"]*)"', rf'\g<0>\n\1"{PLACE}\2"', text, flags=re.M)


def policies_folder(more: list[str] = ()) -> str:
    """All of policies/enforcement, and more."""
    key = "\n".join(more)
    if key not in MADE:
        MADE[key] = folder_of([turned(path.read_text()) for path in sorted(LIBRARY.glob("*.yaml"))] + list(more))
    return MADE[key]


def fresh(path: Path, content: str = CONTENT) -> Path:
    """A file of this content, whatever lies there. For before the daemon has the policies, or for files they do not name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def program(env, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        shutil.copy(env.program("ways"), path)
    return path
