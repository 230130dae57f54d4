#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, starts the daemon and prints events until Ctrl-C: run.sh [-- daemon options]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build="$root/build/release"
address=unix:///var/run/tetragon/tetragon.sock
log=/var/log/tetragon/run.log
start_seconds=60

usage() {
  cat <<END
usage: packaging/run.sh [-- daemon options]
Installs missing packages, builds build/release, starts the daemon and prints events until Ctrl-C.
Everything after -- goes to the daemon, e.g. packaging/run.sh -- --tracing-policy my-policy.yaml
Needs root. Daemon log: $log
END
}

say() { printf 'run: %s\n' "$*" >&2; }

options=()
case "${1:-}" in
  "") ;;
  -h | --help)
    usage
    exit 0
    ;;
  --) options=("${@:2}") ;;
  *)
    usage >&2
    exit 2
    ;;
esac
if [ "$(id -u)" != 0 ]; then
  say "loading BPF programs needs root: sudo $0 $*"
  exit 1
fi

given_address=false
for ((i = 0; i < ${#options[@]}; i++)); do
  case "${options[i]}" in
    --server-address=*)
      address=${options[i]#*=}
      given_address=true
      ;;
    --server-address)
      address=${options[i + 1]:-}
      given_address=true
      ;;
  esac
done
if [ -z "$address" ]; then
  say "--server-address is empty: without an address no events can be read; leave it out or give one"
  exit 2
fi
$given_address || options+=(--server-address "$address")

"$root/packaging/dependencies.sh" build

export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
cd "$root"
if [ -f "$build/CMakeCache.txt" ]; then
  say "building $build"
  cmake --workflow --preset release
else
  # A first build leaves out what is not needed to run; test.sh switches it on.
  say "building $build (first time: several minutes)"
  cmake --preset release -DTETRAGON_BUILD_TESTS=OFF -DTETRAGON_BUILD_BENCH=OFF
  cmake --build --preset release
fi

# A socket that a killed daemon left would look like a running one.
pid_file=/var/run/tetragon/tetragon.pid
if [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then
  say "a daemon is already running (pid $(cat "$pid_file"), from $pid_file); stop it first"
  exit 1
fi
stale=${address#unix://}
[ ! -S "$stale" ] || rm -f "$stale"

mkdir -p "$(dirname "$log")"
daemon='' tetra=''

daemon_died() {
  local code=0
  wait "$daemon" || code=$?
  daemon=''
  say "the daemon ended with exit code $code; last lines of $log:"
  tail -n 20 "$log" >&2
  exit 1
}

stop() {
  trap '' INT TERM
  [ -z "$tetra" ] || kill "$tetra" 2>/dev/null || true
  [ -n "$daemon" ] || return 0
  kill -TERM "$daemon" 2>/dev/null || true
  for ((i = 0; i < 150; i++)); do
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$daemon" 2>/dev/null; then
    say "the daemon did not stop within 15 s and is killed; see $log"
    kill -KILL "$daemon" 2>/dev/null || true
    return 0
  fi
  say "stopped"
}
trap stop EXIT
trap 'exit 0' INT TERM

# Its own session: Ctrl-C reaches this script, which stops the daemon in order.
setsid "$build/bin/tetragon" "${options[@]}" >"$log" 2>&1 </dev/null &
daemon=$!
say "daemon started (pid $daemon); its log is $log"

for ((waited = 0; ; waited++)); do
  kill -0 "$daemon" 2>/dev/null || daemon_died
  "$build/bin/tetra" --server-address "$address" status 2>/dev/null | grep -q running && break
  if [ "$waited" -ge $((start_seconds * 5)) ]; then
    say "no answer on $address within $start_seconds s; last lines of $log:"
    tail -n 20 "$log" >&2
    exit 1
  fi
  sleep 0.2
done

say "events from $address; stop with Ctrl-C"
"$build/bin/tetra" --server-address "$address" getevents -o compact &
tetra=$!
code=0
wait -n "$daemon" "$tetra" || code=$?
kill -0 "$daemon" 2>/dev/null || daemon_died
tetra=''
say "the event stream ended (exit code $code)"
exit "$code"
