#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What only the whole program shows: replay through a daemon program beside it, standard input, signals, completion.
set -u
tetra=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

expect() { # NAME WANTED GOT
  if [ "$2" != "$3" ]; then
    printf 'FAILED %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
    failures=$((failures + 1))
  fi
}

mkdir "$folder/bin"
cp "$tetra" "$folder/bin/tetra"
cat >"$folder/bin/tetragon" <<'END'
#!/bin/sh
[ "$#" = 2 ] && [ "$1" = --replay ] || exit 9
cat "$2"
exit "${DAEMON_EXIT:-0}"
END
chmod +x "$folder/bin/tetragon"
printf '%s\n%s\n' '{"process_exec":{"process":{"binary":"/bin/a"}},"node_name":"n"}' \
  '{"process_exit":{"process":{"binary":"/bin/a"}},"node_name":"n"}' >"$folder/events"
lines=$'🚀 process n /bin/a \n💥 exit    n /bin/a  0'

expect "replay" "$lines" "$("$folder/bin/tetra" replay "$folder/events" -o compact)"
expect "replay selects" '{"process_exit":{"process":{"binary":"/bin/a"}},"node_name":"n"}' \
  "$("$folder/bin/tetra" replay "$folder/events" -e PROCESS_EXIT)"
message=$(DAEMON_EXIT=3 "$folder/bin/tetra" replay "$folder/events" 2>&1 >/dev/null)
expect "replay failure code" 1 "$(DAEMON_EXIT=3 "$folder/bin/tetra" replay "$folder/events" >/dev/null 2>&1; echo $?)"
case $message in *"ended with exit code 3"*) ;; *) expect "replay failure text" "ended with exit code 3" "$message" ;; esac

expect "pipe" "$lines" "$(cat "$folder/events" | "$tetra" getevents -o compact)"
expect "file" "$lines" "$("$tetra" getevents -o compact <"$folder/events")"
expect "no colours in a pipe" "$lines" "$("$tetra" getevents -o compact --color auto <"$folder/events" | cat)"

mkfifo "$folder/fifo"
"$tetra" getevents -o compact <"$folder/fifo" >"$folder/out" &
reader=$!
exec 3>"$folder/fifo"
cat "$folder/events" >&3
for _ in $(seq 100); do
  [ -s "$folder/out" ] && break
  sleep 0.02
done
expect "output while the input idles" "$lines" "$(cat "$folder/out")"
kill -INT "$reader"
wait "$reader"
expect "exit code after a signal" 0 "$?"
exec 3>&-

"$tetra" completion bash >"$folder/completion"
complete_words() {
  bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tetra; echo "${COMPREPLY[*]}"' - "$folder/completion" "$@"
}
expect "completion of a command" "getevents" "$(complete_words tetra gete)"
expect "completion behind an alias" "set-mode" "$(complete_words tetra tp se)"
expect "completion of a value" "json compact" "$(complete_words tetra --timeout 3s getevents -o '')"
expect "completion of an option" "--exclude-fields" "$(complete_words tetra getevents --exc)"
expect "completion of an argument" "enforce monitor" "$(complete_words tetra tracingpolicy set-mode name '')"

[ "$failures" = 0 ] || exit 1
echo "all as expected"
