#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, runs every test and ends with one ctest summary: test.sh [--quick] [--build-kernel]
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
quick=false
build_kernel=false
usage() {
  cat <<END
usage: packaging/test.sh [--quick] [--build-kernel]
  --quick         the release build's tests only, without virtual machines
  --build-kernel  first build the kernel with error injection for the vm.override-6.12 test (long)
Needs root for the tests that load BPF programs. CI=true: a virtual machine test may not be skipped.
END
}
for argument in "$@"; do
  case "$argument" in
    --quick) quick=true ;;
    --build-kernel) build_kernel=true ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
cd "$root" || exit 1
combine="$root/packaging/combine_tests.py"
jobs=$(nproc)
times=()

# stage NAME COMMAND...: runs it and keeps its time; its failure is counted later by the build.* test of the summary.
stage() {
  local name=$1 begin=$SECONDS outcome=ok
  shift
  printf '\n=== %s\n' "$name"
  "$@" || outcome=FAILED
  times+=("$(printf '%-22s %5d s  %s' "$name" $((SECONDS - begin)) "$outcome")")
  [ "$outcome" = ok ]
}

# build_preset PRESET LABELS [cmake options]: LABELS "all" builds everything, else only the tests' programs.
build_preset() {
  local preset=$1 labels=$2 targets=()
  shift 2
  rm -f "build/$preset/test-targets"
  cmake --preset "$preset" "$@" || return 1
  if [ "$labels" != all ]; then
    mapfile -t targets < <(python3 -B "$combine" --programs "$root/build/$preset" "$labels")
    if [ ${#targets[@]} = 0 ]; then
      # The name makes the build.* test of the summary fail with the reason.
      targets=("no-test-with-label-$labels")
    fi
    printf '%s\n' "${targets[@]}" >"build/$preset/test-targets"
  fi
  # Keep going: one broken file should not hide the results of the others.
  cmake --build "build/$preset" ${targets[0]:+--target "${targets[@]}"} -- -k 0
}

stage "install packages" packaging/dependencies.sh build test || exit 1
if $build_kernel; then
  stage "build kernel" bash -c 'packaging/dependencies.sh kernel && tests/vm/kernel/build.sh' || exit 1
fi
rm -rf build/all build/release/vm/*/results.txt build/release/e2e/results.txt
stage "build release" build_preset release all -DTETRAGON_BUILD_TESTS=ON -DTETRAGON_BUILD_BENCH=ON
if $quick; then
  selections=('release=!vm')
else
  stage "build asan" build_preset asan all
  stage "build tsan" build_preset tsan unit
  stage "build fuzz" build_preset fuzz fuzz
  # Now rather than within a test's time limit; what cannot be had is the vm tests' to report.
  stage "fetch kernels" tests/vm/vm.py --list
  selections=('release=*' 'asan=unit,integration' 'tsan=unit' 'fuzz=fuzz')
fi
stage "combine tests" python3 -B "$combine" --write "$root/build/all" "$root" "${selections[@]}" || exit 1

printf '\n=== test\n'
begin=$SECONDS
ctest --test-dir build/all -j "$jobs" --output-on-failure --no-tests=error 2>&1 | tee build/all/output.log
code=${PIPESTATUS[0]}
times+=("$(printf '%-22s %5d s' test $((SECONDS - begin)))")

# What happened inside the tests that run many cases, then ctest's summary once more as the last word.
for file in build/release/e2e/results.txt build/release/vm/*/results.txt; do
  [ -f "$file" ] || continue
  printf '\n--- cases of %s\n' "$(basename "$(dirname "$file")")"
  cat "$file"
  awk '{n[$1]++} END {printf "%d passed, %d failed, %d skipped\n", n["PASS"], n["FAIL"], n["SKIP"]}' "$file"
done
printf '\n--- time per stage\n'
printf '%s\n' "${times[@]}"
printf '\n'
sed -n '/tests passed, /,$p' build/all/output.log
exit "$code"
