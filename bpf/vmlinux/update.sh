#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes <arch>/vmlinux.h from a kernel's BTF, so that the build machine's kernel never matters.
#   update.sh ARCH [BTF-FILE]      (default: the running kernel)
# Take a recent kernel with a broad configuration: CO-RE fits the offsets to the kernel it runs on, but a type that is
# missing here cannot be named. What older kernels call differently is in ../compat.
set -eu

arch=${1:?"usage: update.sh ARCH [BTF-FILE]"}
btf=${2:-/sys/kernel/btf/vmlinux}
dir=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out="$dir/$arch/vmlinux.h"

mkdir -p "$dir/$arch"
{
  echo '/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */'
  echo '/* Made by bpf/vmlinux/update.sh; do not edit. */'
  bpftool btf dump file "$btf" format c
} > "$out.new"
echo 'extern int tg_vmlinux_compiles;' | cat "$out.new" - | ${CLANG:-clang-14} -x c -g -O2 -target bpf -fsyntax-only -
mv "$out.new" "$out"
