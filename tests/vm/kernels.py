# SPDX-License-Identifier: Apache-2.0
"""Finds the kernels of kernels.json: Debian packages are downloaded and unpacked into a cache, never installed."""

import fcntl
import json
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What the guest needs before it sees the host root; built-in ones are simply not found as files.
BOOT_MODULES = ["virtio_pci", "virtio_console", "fuse", "virtiofs", "overlay"]


class Unavailable(Exception):
    """The kernel cannot be had on this machine; the text says why and what to do."""


@dataclass
class Kernel:
    name: str
    image: Path
    expect: dict
    modules_dir: Path | None = None
    boot_modules: list[Path] = field(default_factory=list)
    e2e: list[str] = field(default_factory=list)  # parts of the names of the cases that run there; empty: all
    kernel_tests: str = ""  # which tests of the label kernel, as ctest -R takes it; empty: all
    exclude: str = ""  # kernel test cases that do not, as doctest takes it
    cpus: int = 2


def cache_dir() -> Path:
    return Path(os.environ.get("TETRAGON_KERNEL_CACHE", ROOT / "build" / "kernels"))


def load_table() -> dict:
    return json.loads((HERE / "kernels.json").read_text())["kernels"]


def find(name: str, refresh: bool = False) -> Kernel:
    entry = load_table()[name]
    if "image" in entry:
        return find_prebuilt(name, entry)
    return find_debian(name, entry, refresh)


def cases(entry: dict) -> dict:
    return {"e2e": entry.get("e2e", []), "kernel_tests": entry.get("kernel", ""), "exclude": entry.get("exclude", ""),
            "cpus": entry.get("cpus", 2)}


def find_prebuilt(name: str, entry: dict) -> Kernel:
    folders = [cache_dir()] + [(ROOT / p).resolve() for p in entry.get("search", [])]
    if os.environ.get("TETRAGON_TEST_KERNELS"):
        folders.insert(0, Path(os.environ["TETRAGON_TEST_KERNELS"]))
    for folder in folders:
        image = folder / entry["image"]
        if image.is_file():
            return Kernel(name, image, entry["expect"], **cases(entry))
    raise Unavailable(f"no {entry['image']} in {', '.join(map(str, folders))}; {entry['how']}")


def find_debian(name: str, entry: dict, refresh: bool) -> Kernel:
    folder = cache_dir() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Tests of several kernels may start together; package tools and the folder are for one at a time.
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if refresh or not (folder / "complete").exists():
            fetch_debian(entry["meta_package"], entry.get("suite"), folder)
    release = (folder / "complete").read_text().strip()
    modules_dir = folder / "lib" / "modules" / release
    image = folder / "boot" / f"vmlinuz-{release}"
    if not image.exists():  # since 7.0
        image = modules_dir / "vmlinuz"
    return Kernel(name, image, entry["expect"], modules_dir, boot_modules(modules_dir), **cases(entry))


def run_tool(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"'{' '.join(command)}' cannot be run: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"'{' '.join(command)}' failed ({done.returncode}): {done.stderr.strip()[-400:]}")
    return done.stdout


def depends(package: str, pattern: str, apt: list[str]) -> list[str]:
    return re.findall(rf"Depends: ({pattern})", run_tool("apt-cache", *apt, "depends", "--important", package))


def download(meta_package: str, apt: list[str], work: Path) -> str:
    """The image's packages into `work`; answers the kernel's release."""
    images = depends(meta_package, r"linux-image-\d\S+", apt)
    if not images:
        raise Unavailable(f"package '{meta_package}' depends on no versioned kernel image; is the Debian 12 security suite in the apt sources?")
    # Since 7.0 the image is an empty package that depends on these.
    parts = depends(images[0], r"linux-(?:binary|modules)-\d\S+", apt)
    run_tool("apt-get", *apt, "download", *(parts or images[:1]), cwd=work)
    return images[0].removeprefix("linux-image-")


def apt_of_suite(suite: str, work: Path) -> list[str]:
    """Options for apt-get that know this suite of the machine's own Debian archive and nothing else: the machine's sources stay as they are."""
    sites = run_tool("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Component: main", "Codename: bookworm").split()
    if not sites:
        raise Unavailable("no Debian 12 archive in the apt sources")
    for name in ("lists/partial", "cache/archives/partial"):
        (work / "apt" / name).mkdir(parents=True)
    sources = work / "apt" / "sources.list"
    sources.write_text(f"deb {sites[0]} {suite} main\n")
    settings = {"Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": work / "apt" / "lists",
                "Dir::Cache": work / "apt" / "cache", "APT::Sandbox::User": "root"}
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    run_tool("apt-get", *options, "update", "-q")
    return options


def fetch_debian(meta_package: str, suite: str | None, folder: Path) -> None:
    """Two attempts: package lists may be absent or older than the archive."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as work_name:
        work = Path(work_name)
        apt = apt_of_suite(suite, work) if suite else []
        try:
            release = download(meta_package, apt, work)
        except Unavailable:
            run_tool("apt-get", *apt, "update", "-q")
            release = download(meta_package, apt, work)
        tree = work / "tree"
        for archive in work.glob("*.deb"):
            run_tool("dpkg-deb", "-x", str(archive), str(tree))
        if not (tree / "lib").exists():  # Debian 13 and later have it in /usr
            (tree / "lib").symlink_to("usr/lib")
        run_tool("depmod", "-b", str(tree), release)
        (tree / "complete").write_text(release + "\n")
        tree.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        tree.rename(folder)


def boot_modules(modules_dir: Path) -> list[Path]:
    """Files to insmod in order, dependencies first, as depmod found them."""
    deps = {}
    for line in (modules_dir / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        deps[path] = needs.split()
    by_name = {module_name(path): path for path in deps}
    order: list[str] = []
    for name in BOOT_MODULES:
        path = by_name.get(name)
        if path is None:
            continue
        # modules.dep lists what must be loaded first at the end.
        for item in [*reversed(deps[path]), path]:
            if item not in order:
                order.append(item)
    return [modules_dir / item for item in order]


def module_name(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")


def module_bytes(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    return path.read_bytes()
