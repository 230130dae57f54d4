#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Formats the sources with clang-format; --check only reports: format.sh [--check]
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case "${1:-}" in
  "") ;;
  --check) check=true ;;
  *)
    echo "usage: packaging/format.sh [--check]" >&2
    exit 2
    ;;
esac
if ! command -v clang-format-14 >/dev/null; then
  echo "format: clang-format-14 is missing; run packaging/dependencies.sh test" >&2
  exit 1
fi

# Generated headers and files outside the version control are nobody's to format.
sources() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z -- '*.cpp' '*.h' '*.c'
  else
    find . -path ./build -prune -o \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0
  fi | grep -zvE '(^|/)(vmlinux[^/]*\.h$|vmlinux/|third_party/)'
}

mapfile -d '' -t files < <(sources)
existing=()
for file in "${files[@]}"; do [ -f "$file" ] && existing+=("$file"); done
if [ ${#existing[@]} = 0 ]; then
  echo "format: no source file found below $PWD" >&2
  exit 1
fi

# BPF programs are kernel style, wherever they lie; everything else follows the file in the root.
bpf=() others=()
for file in "${existing[@]}"; do
  case "$file" in
    bpf/* | *.bpf.c | *.bpf.h) bpf+=("$file") ;;
    *) others+=("$file") ;;
  esac
done
run() {
  [ ${#others[@]} = 0 ] || printf '%s\0' "${others[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-14 "$@" || return 1
  [ ${#bpf[@]} = 0 ] || clang-format-14 --style=file:bpf/.clang-format "$@" "${bpf[@]}"
}

code=0
if $check; then
  run --dry-run -Werror || code=1
  for file in "${existing[@]}"; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier:' && continue
    echo "$file:1: no SPDX-License-Identifier in the first lines" >&2
    code=1
  done
  [ $code = 0 ] || echo "format: run packaging/format.sh and add missing licence lines" >&2
else
  run -i
fi
[ $code != 0 ] || echo "format: ${#existing[@]} files"
exit $code
