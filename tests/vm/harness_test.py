#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of the test tooling that decide what counts as passed; no guest, no root."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "packaging")]

import combine_tests  # noqa: E402
import kernels  # noqa: E402
import results  # noqa: E402


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.tmp = Path(holder.name)


class ResultLines(Folder):
    def test_torn_line_is_a_failure(self):
        path = self.tmp / "r"
        path.write_text("PASS a\nSKIP b no such feature\nPA")
        cases = results.read(path)
        self.assertEqual([case.status for case in cases], ["PASS", "SKIP", "FAIL"])
        self.assertEqual(cases[1].reason, "no such feature")

    def test_write_then_read(self):
        path = self.tmp / "deep" / "r"
        cases = [results.Case("FAIL", "x.y", "why not"), results.Case("PASS", "z")]
        results.write(path, cases)
        self.assertEqual(results.read(path), cases)


class Junit(Folder):
    def convert(self, body: str) -> tuple[int, list[str]]:
        source, target = self.tmp / "in.xml", self.tmp / "out"
        source.write_text(f"<testsuite>{body}</testsuite>")
        target.unlink(missing_ok=True)
        done = subprocess.run([sys.executable, "-B", HERE / "junit.py", source, target])
        return done.returncode, target.read_text().splitlines()

    def test_statuses(self):
        code, lines = self.convert(
            '<testcase name="a" status="run"/>'
            '<testcase name="b" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
            "<system-out>x\nno kprobes here</system-out></testcase>")
        self.assertEqual((code, lines), (0, ["PASS a", "SKIP b no kprobes here"]))

    def test_program_that_was_not_built_fails(self):
        code, lines = self.convert('<testcase name="a" status="notrun"><skipped message="Unable to find executable"/></testcase>')
        self.assertEqual(code, 1)
        self.assertTrue(lines[0].startswith("FAIL a"), lines)

    def test_failure(self):
        code, lines = self.convert('<testcase name="a" status="fail"><failure message=""/></testcase>')
        self.assertEqual((code, lines), (1, ["FAIL a see output.log"]))


class BootModules(Folder):
    def test_dependencies_come_first(self):
        (self.tmp / "modules.dep").write_text(
            "kernel/virtiofs.ko.xz: kernel/fuse.ko.xz kernel/virtio.ko.xz\nkernel/fuse.ko.xz:\n"
            "kernel/virtio.ko.xz:\nkernel/other.ko.xz:\nkernel/virtio_pci.ko.xz: kernel/ring.ko.xz kernel/virtio.ko.xz\n"
            "kernel/ring.ko.xz: kernel/virtio.ko.xz\n")
        order = [kernels.module_name(path.name) for path in kernels.boot_modules(self.tmp)]
        self.assertEqual(sorted(order), ["fuse", "ring", "virtio", "virtio_pci", "virtiofs"])
        for first, later in (("virtio", "ring"), ("ring", "virtio_pci"), ("fuse", "virtiofs"), ("virtio", "virtiofs")):
            self.assertLess(order.index(first), order.index(later))


class Combined(Folder):
    """The generated folder, run by ctest itself."""

    def run_ctest(self, entries: list[str]) -> subprocess.CompletedProcess:
        (self.tmp / "CTestTestfile.cmake").write_text("\n".join(entries) + "\n")
        return subprocess.run(["ctest", "--test-dir", self.tmp, "--no-tests=error", "-V"], capture_output=True, text=True)

    def test_arguments_and_properties_survive(self):
        test = {"name": "unit.a", "command": ["sh", "-c", 'echo "<$1|$2>"; exit 77', "sh", 'a "b" ]=] $x', "c;d"],
                "properties": [{"name": "SKIP_RETURN_CODE", "value": 77}, {"name": "LABELS", "value": ["unit"]},
                               {"name": "TIMEOUT", "value": 20.0}]}
        done = self.run_ctest([combine_tests.entry(test, "asan", self.tmp, [])])
        self.assertIn('<a "b" ]=] $x|c;d>', done.stdout)
        self.assertIn("asan.unit.a (Skipped)", done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_test_without_program_fails(self):
        done = self.run_ctest([combine_tests.entry({"name": "unit.gone"}, "release", self.tmp, [])])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("unit.gone (Not Run)", done.stdout)

    def test_selection(self):
        test = {"name": "x", "properties": [{"name": "LABELS", "value": ["vm", "slow"]}]}
        self.assertTrue(combine_tests.selected(test, "*"))
        self.assertTrue(combine_tests.selected(test, "unit,vm"))
        self.assertFalse(combine_tests.selected(test, "unit"))
        self.assertFalse(combine_tests.selected(test, "!vm"))
        self.assertTrue(combine_tests.selected({"name": "y"}, "!vm"))


class KernelTable(unittest.TestCase):
    def test_every_kernel_can_be_looked_up_and_says_what_it_expects(self):
        expected = set()
        for name, entry in kernels.load_table().items():
            self.assertTrue("meta_package" in entry or {"image", "search", "how"} <= set(entry), name)
            expected.add(frozenset(entry["expect"]))
        self.assertEqual(len(expected), 1, "kernels expect different sets of features")


if __name__ == "__main__":
    unittest.main()
