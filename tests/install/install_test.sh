#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs every component into an empty prefix, builds the plugin template against it with nothing but
# CMAKE_PREFIX_PATH, and has the installed daemon load the result and report an event of it.
#   install_test.sh CMAKE BUILD_FOLDER SOURCE_FOLDER
set -euo pipefail
cmake=$1 build=$2 source=$3

fail() { echo "FAILED: $*" >&2; exit 1; }

umask 022 # plugins that others could change are refused
work=$(mktemp -d /tmp/tetragon-install-XXXXXX)
daemon=
cleanup() {
  if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
prefix=$work/prefix

echo "== install"
"$cmake" --install "$build" --prefix "$prefix" > "$work/install.log" || { cat "$work/install.log"; fail "cmake --install"; }
for file in include/tetragon/abi.h include/tetragon/plugin.h include/tetragon/testing/fake_host.h \
            share/tetragon/bpf/shared/record.h share/tetragon/bpf/lib/emit.bpf.h lib/cmake/tetragon-sdk/TetragonPlugin.cmake \
            lib/cmake/tetragon-sdk/tetragon_plugin.map share/doc/tetragon-sdk/ABI.md share/tetragon/template/CMakeLists.txt; do
  [ -f "$prefix/$file" ] || fail "$file is not installed"
done
if grep -rIlF -e "$source" -e "$build" "$prefix/include" "$prefix/share" "$prefix/lib/cmake"; then
  fail "these files name folders of the building machine"
fi

echo "== each header of the SDK compiles alone"
for header in $(cd "$prefix/include" && find tetragon -name '*.h' | sort); do
  echo "#include <$header>" > "$work/one.cpp"
  "${CXX:-c++}" -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$prefix/include" -I"$prefix/share/tetragon/bpf" \
    "$work/one.cpp" || fail "$header does not compile alone"
done
echo '#include <tetragon/abi.h>' > "$work/one.c"
"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$prefix/include" "$work/one.c" || fail "abi.h is not C11"

echo "== template against the installed SDK"
cp -r "$prefix/share/tetragon/template" "$work/template"
"$cmake" -S "$work/template" -B "$work/template-build" -DCMAKE_PREFIX_PATH="$prefix" > "$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; fail "configure the template"; }
"$cmake" --build "$work/template-build" > "$work/build.log" 2>&1 || { cat "$work/build.log"; fail "build the template"; }
"$(dirname "$cmake")/ctest" --test-dir "$work/template-build" --output-on-failure --no-tests=error || fail "tests of the template"
"$cmake" --install "$work/template-build" --prefix "$prefix" > /dev/null
plugin=$prefix/lib/tetragon/hooks/signals.so
[ -f "$plugin" ] && [ -f "${plugin%.so}.yaml" ] || fail "the template's plugin is not installed"
exported=$(nm -D --defined-only "$plugin" | awk '{print $3}')
[ "$exported" = tetragon_plugin_v1 ] || fail "the plugin exports more than its descriptor: $exported"

echo "== words of policies against the installed SDK"
cp -r "$prefix/share/tetragon/examples/inode" "$work/inode"
"$cmake" -S "$work/inode" -B "$work/inode-build" -DCMAKE_PREFIX_PATH="$prefix" > "$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; fail "configure the example inode"; }
"$cmake" --build "$work/inode-build" > "$work/build.log" 2>&1 || { cat "$work/build.log"; fail "build the example inode"; }
"$(dirname "$cmake")/ctest" --test-dir "$work/inode-build" --output-on-failure --no-tests=error || fail "tests of the example inode"
"$cmake" --install "$work/inode-build" --prefix "$prefix" > /dev/null
[ -f "$prefix/lib/tetragon/hooks/inode.so" ] || fail "the example inode is not installed"

echo "== actions against the installed SDK"
cp -r "$prefix/share/tetragon/examples/actions" "$work/actions"
"$cmake" -S "$work/actions" -B "$work/actions-build" -DCMAKE_PREFIX_PATH="$prefix" > "$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; fail "configure the example actions"; }
"$cmake" --build "$work/actions-build" > "$work/build.log" 2>&1 || { cat "$work/build.log"; fail "build the example actions"; }
"$(dirname "$cmake")/ctest" --test-dir "$work/actions-build" --output-on-failure --no-tests=error || fail "tests of the example actions"
"$cmake" --install "$work/actions-build" --prefix "$prefix" > /dev/null
for name in freeze note; do
  [ -f "$prefix/lib/tetragon/actions/$name.so" ] && [ -f "$prefix/lib/tetragon/actions/$name.yaml" ] || fail "the example $name is not installed"
  exported=$(nm -D --defined-only "$prefix/lib/tetragon/actions/$name.so" | awk '{print $3}')
  [ "$exported" = tetragon_plugin_v1 ] || fail "$name exports more than its descriptor: $exported"
done

echo "== an SDK of another major version is not taken"
sed -i 's/tetragon-sdk 1.0/tetragon-sdk 2.0/' "$work/template/CMakeLists.txt"
if "$cmake" -S "$work/template" -B "$work/other-build" -DCMAKE_PREFIX_PATH="$prefix" > "$work/other.log" 2>&1; then
  fail "find_package(tetragon-sdk 2.0) accepted 1.x"
fi
grep -q 'requested version "2.0"' "$work/other.log" || { cat "$work/other.log"; fail "refused for another reason"; }

if [ ! -x "$prefix/bin/tetragon" ]; then
  fail "bin/tetragon is not installed"
fi
echo "== the installed daemon loads the plugin"
if [ "$(id -u)" != 0 ]; then
  echo "not root: the daemon's part is left out"
  exit 0
fi
# A policy in the words of the example: every exec of one file, found by its inode.
cp "$(type -P true)" "$work/wanted"
mkdir "$work/policies"
cat > "$work/policies/inode.yaml" << POLICY
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: inode}
spec:
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    args:
    - {index: 2, type: inode_number, resolve: file}
    selectors:
    - matchArgs:
      - {index: 2, operator: OneOf, values: ["1|$(stat -c %i "$work/wanted")"]}
POLICY
# And one with both actions: the process is stopped when it begins, and a line says which.
cp "$(type -P true)" "$work/stopped"
cat > "$work/policies/stopped.yaml" << POLICY
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: stopped}
spec:
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    args:
    - {index: 2, type: inode_number, resolve: file}
    selectors:
    - matchArgs:
      - {index: 2, operator: OneOf, values: ["$(stat -c %i "$work/stopped")"]}
      matchActions:
      - {action: Freeze}
      - {action: Note, argUrl: look}
POLICY
export EXAMPLE_NOTE_FILE=$work/notes
"$prefix/bin/tetragon" --plugin-dir "$prefix/lib/tetragon" --run-dir "$work/run" --server-address "" --health-server-address "" \
  --tracing-policy-dir "$work/policies" --export-filename "$work/events.json" > "$work/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
  sleep 0.2
  kill -0 "$daemon" 2>/dev/null || { cat "$work/daemon.log"; fail "the daemon ended"; }
  (trap - EXIT; exec sleep 60) &
  target=$!
  sleep 0.1 # a signal before the exec would end this shell's copy, trap and all
  kill -USR1 "$target"
  wait "$target" 2>/dev/null || true
  if grep -q '"signal_sent"' "$work/events.json" 2>/dev/null; then
    grep -m 1 '"signal_sent"' "$work/events.json"
    grep -q '"example.signals"' "$work/events.json" || fail "the event does not name its plugin"
    for _ in $(seq 50); do grep -q 'msg="tracing policy loaded" name=inode' "$work/daemon.log" && break; sleep 0.2; done
    "$work/wanted"
    for _ in $(seq 50); do grep -q '"process_tracepoint"' "$work/events.json" && break; sleep 0.2; done
    found=$(grep -c '"process_tracepoint"' "$work/events.json" || true)
    [ "$found" = 1 ] || { tail -30 "$work/daemon.log"; fail "$found events of the policy, 1 is expected"; }
    grep '"process_tracepoint"' "$work/events.json" | grep -q "\"size_arg\":\"$(stat -c %i "$work/wanted")\"" ||
      fail "the event's inode is another one"
    for _ in $(seq 50); do grep -q 'msg="tracing policy loaded" name=stopped' "$work/daemon.log" && break; sleep 0.2; done
    (trap - EXIT; exec "$work/stopped") &
    target=$!
    for _ in $(seq 50); do grep -qx "$target stopped look" "$work/notes" 2>/dev/null && break; sleep 0.2; done
    grep -qx "$target stopped look" "$work/notes" || { tail -30 "$work/daemon.log"; fail "Note wrote no line about $target"; }
    state=$(awk '/^State:/ {print $2}' "/proc/$target/status")
    kill -CONT "$target"
    [ "$state" = T ] || fail "Freeze did not stop the process: its state is $state"
    wait "$target" || fail "the process did not go on as before"
    echo "== all good"
    exit 0
  fi
done
tail -30 "$work/daemon.log"
fail "no signal_sent event in 20 seconds"
