#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy over the C++ sources; needs a configured build: tidy.sh [BUILD DIRECTORY] [FILE...]
# With files: only those. The database of compile commands comes from the build directory.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
[ $# = 0 ] || shift
if ! command -v clang-tidy-14 >/dev/null; then
  echo "tidy: clang-tidy-14 is missing; run packaging/dependencies.sh test" >&2
  exit 1
fi
if [ ! -f "$build/compile_commands.json" ]; then
  echo "tidy: $build/compile_commands.json is missing; configure first: cmake --preset release" >&2
  exit 1
fi
if [ $# = 0 ]; then
  mapfile -t files < <(git ls-files 'core/*.cpp' 'plugins/*.cpp' | grep -v '/tests/')
else
  files=("$@")
fi
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 --quiet --extra-arg=-Wno-unknown-warning-option -p "$build" 2> >(grep -v 'warnings generated' >&2)
echo "tidy: ${#files[@]} files"
