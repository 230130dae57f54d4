#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds bzImage-6.12-override from Debian's linux-source-6.12 and fragment.config into the kernel cache: build.sh [--config-only]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${TETRAGON_KERNEL_CACHE:-$root/build/kernels}
archive=/usr/src/linux-source-6.12.tar.xz
image="$cache/bzImage-6.12-override"
work="$cache/source-6.12"

say() { printf 'kernel: %s\n' "$*" >&2; }

if [ ! -f "$archive" ]; then
  say "no $archive; run packaging/dependencies.sh kernel"
  exit 1
fi
# The same source and fragment give the same kernel: nothing to do twice.
stamp=$(cat "$here/fragment.config" "$here/build.sh" <(stat -c '%s %Y' "$archive") | sha256sum | cut -d' ' -f1)
if [ -f "$image" ] && [ "$(cat "$image.stamp" 2>/dev/null)" = "$stamp" ]; then
  say "$image is current"
  exit 0
fi

if [ "$(cat "$work/.unpacked" 2>/dev/null)" != "$(stat -c '%s %Y' "$archive")" ]; then
  say "unpacking $archive into $work (1.6 GB)"
  rm -rf "$work"
  mkdir -p "$work"
  tar -xf "$archive" -C "$work" --strip-components=1
  stat -c '%s %Y' "$archive" >"$work/.unpacked"
fi

cd "$work"
make -s KCONFIG_ALLCONFIG="$here/fragment.config" allnoconfig

# An option that did not survive its dependencies would silently test another kernel.
missing=$(grep -E '^CONFIG_[A-Z0-9_]+=[^n]' "$here/fragment.config" | grep -vxFf .config || true)
if [ -n "$missing" ]; then
  say "options of fragment.config that this source does not accept:"
  printf '%s\n' "$missing" >&2
  exit 1
fi
[ "${1:-}" != --config-only ] || exit 0

say "building with $(nproc) jobs (15 to 40 minutes on two processors)"
make -s -j"$(nproc)" bzImage
cp arch/x86/boot/bzImage "$image.new"
mv "$image.new" "$image"
cp .config "$cache/config-6.12-override"
echo "$stamp" >"$image.stamp"
say "built $image"
