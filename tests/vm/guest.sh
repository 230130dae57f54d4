#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every guest runs, in one boot. Each step appends 'PASS|FAIL|SKIP name reason' lines to the result file; vm.py reads it.
set -u
out="$VM_JOB/results.txt"
code=0

python3 "$VM_ROOT/tests/vm/selfcheck.py" --kernel "$VM_KERNEL" --build "$VM_BUILD" --out "$out" || code=1

# The kernel tests of the build (label kernel) and their own results.
if [ -f "$VM_BUILD/CTestTestfile.cmake" ]; then
  ctest --test-dir "$VM_BUILD" -L '^kernel$' ${VM_KERNEL_TESTS:+-R "$VM_KERNEL_TESTS"} --timeout 300 --output-on-failure --output-junit "$VM_JOB/kernel.xml"
  python3 "$VM_ROOT/tests/vm/junit.py" "$VM_JOB/kernel.xml" "$out" || code=1
fi

# 77: every case was skipped with its reason, which the result file has.
# shellcheck disable=SC2086 # parts of names, none with a blank
python3 "$VM_ROOT/tests/e2e/run.py" --build "$VM_BUILD" --out "$out" $VM_E2E
rc=$?
[ $rc = 0 ] || [ $rc = 77 ] || code=1
exit $code
