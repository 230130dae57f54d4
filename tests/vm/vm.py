#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in qemu on the host's own root file system (copy-on-write) and runs one command in it.

  vm.py KERNEL [options] -- COMMAND...     run COMMAND in the guest; exit code is the command's
  vm.py KERNEL [options]                   run the test cases (tests/vm/guest.sh) and print each result
  vm.py --list                             known kernels and whether they can be had

Exit codes: the command's; 0 or 1 for the test cases; 77 when the kernel cannot be had (1 when CI=true);
2 when the guest died or ran out of time."""

import argparse
import ctypes
import gzip
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # before our own modules: the source tree stays as it is

import kernels  # noqa: E402
import results  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SKIPPED = 77
GUEST_DIED = 2
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
# Full emulation (the project supports machines where KVM is unusable); 5-level paging off because TCG walks it slowly.
QEMU = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-M", "q35",
        "-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]
# rcu_expedited: detaching BPF programs waits for grace periods, which take long with two emulated processors.
CMDLINE = ("console=ttyS0 panic=-1 quiet mitigations=off rcupdate.rcu_expedited=1 "
           "lsm=landlock,lockdown,yama,integrity,bpf")


class VmError(Exception):
    """The guest could not be started or ended without a result."""


def build_initramfs(kernel: kernels.Kernel, work: Path) -> Path:
    tree = work / "initramfs"
    for name in ("bin", "dev", "proc", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin" / "busybox")
    shutil.copy(HERE / "initramfs_init.sh", tree / "init")
    (tree / "init").chmod(0o755)
    names = []
    for module in kernel.boot_modules:
        names.append(kernels.module_name(module.name) + ".ko")
        (tree / "modules" / names[-1]).write_bytes(kernels.module_bytes(module))
    (tree / "modules" / "order").write_text("".join(f"{name}\n" for name in names))
    files = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=files.encode(),
                             stdout=subprocess.PIPE, check=True).stdout
    image = work / "initramfs.gz"
    image.write_bytes(gzip.compress(archive, compresslevel=1))
    return image


def write_job(job: Path, kernel: kernels.Kernel, build: Path, command: list[str]) -> None:
    for leftover in ("exit", "exit.tmp", "output.log", "results.txt"):
        (job / leftover).unlink(missing_ok=True)
    environment = {"VM_KERNEL": kernel.name, "VM_ROOT": ROOT, "VM_BUILD": build, "VM_JOB": "/run/vm",
                   "VM_MODULES": kernel.modules_dir or "", "TETRAGON_TEST_IN_VM": "1",
                   "TETRAGON_TEST_TIME_SCALE": "5", "TETRAGON_TEST_COUNT_SCALE": "0.1",
                   "VM_E2E": " ".join(kernel.e2e), "VM_KERNEL_TESTS": kernel.kernel_tests,
                   "TETRAGON_TEST_EXCLUDE": kernel.exclude}
    (job / "env").write_text("".join(f"export {k}={shlex.quote(str(v))}\n" for k, v in environment.items()))
    (job / "job.sh").write_text(f"cd {shlex.quote(str(ROOT))}\nexec {shlex.join(command)}\n")
    (job / "init").write_text(f"{HERE / 'guest_init.sh'}\n")
    keep = []
    for path in (ROOT, build, kernels.cache_dir()):
        hidden = any(path.is_relative_to(top) for top in ("/tmp", "/run"))
        if hidden and path.exists() and not any(path.is_relative_to(other) for other in keep):
            keep.append(path)
    (job / "keep").write_text("".join(f"{path}\n" for path in keep))


def die_with_parent() -> None:
    """Even a kill -9 of the runner leaves no guest behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Vm:
    """One guest: qemu and its two file servers, ended together."""

    def __init__(self, kernel: kernels.Kernel, job: Path, work: Path, memory: str, smp: int):
        self.kernel_, self.job_, self.work_, self.memory_, self.smp_ = kernel, job, work, memory, smp
        self.children_: list[subprocess.Popen] = []
        self.console = job / "console.log"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self) -> None:
        self.serve("root", Path("/"), "cache=always")
        self.serve("job", self.job_, "cache=none")
        initramfs = build_initramfs(self.kernel_, self.work_)
        command = [*QEMU, "-smp", str(self.smp_), "-m", self.memory_,
                   "-object", f"memory-backend-memfd,id=mem,size={self.memory_},share=on",
                   "-machine", "memory-backend=mem",
                   "-kernel", str(self.kernel_.image), "-initrd", str(initramfs), "-append", CMDLINE,
                   "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]
        for name, tag in (("root", "hostroot"), ("job", "job")):
            command += ["-chardev", f"socket,id={name},path={self.work_ / name}.sock",
                        "-device", f"vhost-user-fs-pci,queue-size=1024,chardev={name},tag={tag}"]
        self.spawn("qemu", command)

    def serve(self, name: str, source: Path, cache: str) -> None:
        sock = self.work_ / f"{name}.sock"
        # The hard limit, not the default of a million: containers often may not raise it.
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = min(1000000, files) if files != resource.RLIM_INFINITY else 1000000
        self.spawn(f"virtiofsd-{name}",
                   [VIRTIOFSD, f"--socket-path={sock}", "-o", f"source={source}", "-o", "sandbox=chroot",
                    "-o", cache, "-o", "log_level=warn", f"--rlimit-nofile={limit}", "--thread-pool-size=0"])
        deadline = time.monotonic() + 10
        while not sock.exists():
            if self.children_[-1].poll() is not None or time.monotonic() > deadline:
                raise VmError(f"virtiofsd for {source} did not start: {self.tail(self.job_ / f'virtiofsd-{name}.log')}")
            time.sleep(0.02)

    def spawn(self, name: str, command: list[str]) -> None:
        with open(self.job_ / f"{name}.log", "wb") as log:
            self.children_.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                   start_new_session=True, preexec_fn=die_with_parent))

    def stop(self) -> None:
        for child in reversed(self.children_):
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()

    def wait(self, timeout: float, show_output: bool) -> int:
        """Follows the job's output until the guest is off; its exit code."""
        qemu = self.children_[-1]
        deadline = time.monotonic() + timeout
        output = self.job_ / "output.log"
        shown = 0
        while True:
            ended = qemu.poll() is not None
            if show_output and output.exists():
                with output.open("rb") as stream:
                    stream.seek(shown)
                    text = stream.read()
                shown += len(text)
                sys.stdout.write(text.decode(errors="replace"))
                sys.stdout.flush()
            if ended:
                break
            if time.monotonic() > deadline:
                raise VmError(f"the guest did not finish within {timeout:.0f} s and was stopped (see --timeout)")
            time.sleep(0.1)
        try:
            return int((self.job_ / "exit").read_text())
        except (OSError, ValueError):
            raise VmError("the guest ended without reporting an exit code") from None

    @staticmethod
    def tail(path: Path, lines: int = 30) -> str:
        try:
            return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return f"(no {path})"


def boot_and_run(kernel, args, command: list[str], show_output: bool) -> int:
    job = args.results.resolve()
    job.mkdir(parents=True, exist_ok=True)
    write_job(job, kernel, args.build.resolve(), command)
    with tempfile.TemporaryDirectory(prefix="tetragon-vm-") as work, \
            Vm(kernel, job, Path(work), args.memory, args.smp or kernel.cpus) as vm:
        try:
            return vm.wait(args.timeout, show_output)
        except VmError as error:
            print(f"vm {kernel.name}: {error}\nlast lines of {vm.console}:\n{vm.tail(vm.console)}\n"
                  f"last lines of {job / 'qemu.log'}:\n{vm.tail(job / 'qemu.log')}")
            return GUEST_DIED


def run_cases(kernel, args) -> int:
    command = ["bash", str(HERE / "guest.sh")]
    code = boot_and_run(kernel, args, command, show_output=args.verbose)
    cases = results.read(args.results / "results.txt")
    if code == GUEST_DIED and not cases:
        # Under emulation a kernel now and then panics while it boots, before anything of ours has run. Once more; a
        # guest that dies in the middle of its cases is a failure.
        print(f"vm {kernel.name}: the guest died before its first case; trying once more")
        code = boot_and_run(kernel, args, command, show_output=args.verbose)
        cases = results.read(args.results / "results.txt")
    tally = results.report(cases, f"vm {kernel.name}")
    log = args.results / "output.log"
    if code == GUEST_DIED or tally.failed or code != 0:
        if not args.verbose:
            print(f"last lines of {log}:\n{Vm.tail(log, 60)}")
        return 1
    if tally.passed == 0:
        print(f"vm {kernel.name}: no case passed; a run without results is a failure (see {log})")
        return 1
    return 0


def unavailable(name: str, folder: Path, error: Exception) -> int:
    on_ci = os.environ.get("CI") == "true"
    print(f"vm {name}: {'FAIL' if on_ci else 'SKIP'}: {error}")
    listing = subprocess.run([sys.executable, str(ROOT / "tests" / "e2e" / "run.py"), "--list"], capture_output=True,
                             text=True)
    cases = [results.Case("SKIP", line, f"kernel {name} is not here") for line in listing.stdout.split()]
    results.write(folder / "results.txt", cases)
    results.report(cases, f"vm {name}")
    if on_ci:
        print("CI=true: a virtual machine test may not be skipped there")
        return 1
    return SKIPPED


def require_tools() -> None:
    for path in (VIRTIOFSD, "/bin/busybox"):
        if not os.path.exists(path):
            raise kernels.Unavailable(f"{path} is missing; run packaging/dependencies.sh test")
    for tool in ("qemu-system-x86_64", "cpio", "depmod"):
        if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            raise kernels.Unavailable(f"{tool} is missing; run packaging/dependencies.sh test")
    if os.geteuid() != 0:
        raise kernels.Unavailable("the host root is served by virtiofsd, which needs root; run as root")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", nargs="?")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="build folder the guest uses")
    parser.add_argument("--results", type=Path, help="folder for job files and logs (default: BUILD/vm/KERNEL)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds until the guest is killed")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--smp", type=int, help="processors; else as kernels.json says")
    parser.add_argument("--refresh", action="store_true", help="download the kernel package again")
    parser.add_argument("--verbose", "-v", action="store_true", help="show the guest's output while it runs")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, command = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1:]
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if args.list:
        for name in kernels.load_table():
            try:
                print(f"{name}: {kernels.find(name).image}")
            except kernels.Unavailable as error:
                print(f"{name}: not available: {error}")
        return 0
    if not args.kernel:
        parser.error("name a kernel of kernels.json, or --list")
    if args.kernel not in kernels.load_table():
        parser.error(f"kernel '{args.kernel}' is not in kernels.json; it has: {', '.join(kernels.load_table())}")
    args.results = args.results or args.build / "vm" / args.kernel
    try:
        require_tools()
        kernel = kernels.find(args.kernel, args.refresh)
    except kernels.Unavailable as error:
        return unavailable(args.kernel, args.results, error)
    begin = time.monotonic()
    code = boot_and_run(kernel, args, command, show_output=True) if command else run_cases(kernel, args)
    print(f"vm {kernel.name}: {time.monotonic() - begin:.0f} s")
    return code


if __name__ == "__main__":
    # ctest and users stop us with TERM: turn it into an exit that still ends qemu.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
