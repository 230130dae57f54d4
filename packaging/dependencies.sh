#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 packages a job needs and is not there yet: dependencies.sh [--list] build|test|kernel...
set -euo pipefail

packages_build=(
  g++ cmake ninja-build ccache mold clang-14 llvm-14 pkg-config git ca-certificates
  libbpf-dev bpftool libelf-dev zlib1g-dev
  libboost-dev libboost-program-options-dev libboost-filesystem-dev libboost-system-dev
  libprotobuf-dev libprotoc-dev protobuf-compiler protobuf-compiler-grpc libgrpc++-dev
  libyaml-cpp-dev libspdlog-dev libre2-dev prometheus-cpp-dev libssl-dev
  doctest-dev python3
)
packages_test=(
  clang-format-14 clang-tidy-14 libclang-rt-14-dev
  qemu-system-x86 qemu-system-common cpio kmod busybox-static
  util-linux iproute2 procps
)
# Only to build the kernel with error injection (test.sh --build-kernel).
packages_kernel=(
  linux-source-6.12 make gcc bc bison flex dwarves libelf-dev libssl-dev xz-utils zstd cpio kmod python3 rsync
)

say() { printf 'dependencies: %s\n' "$*" >&2; }

missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || echo "$package"
  done
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

main() {
  local list=false group wanted=() missing
  for group in "$@"; do
    case "$group" in
      --list) list=true ;;
      build) wanted+=("${packages_build[@]}") ;;
      test) wanted+=("${packages_test[@]}") ;;
      kernel) wanted+=("${packages_kernel[@]}") ;;
      *)
        say "unknown argument '$group'; use: dependencies.sh [--list] build|test|kernel..."
        return 2
        ;;
    esac
  done
  if [ ${#wanted[@]} = 0 ]; then
    say "say what for: dependencies.sh [--list] build|test|kernel..."
    return 2
  fi
  if $list; then
    printf '%s\n' "${wanted[@]}" | sort -u
    return 0
  fi
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian system; install the equivalents yourself: ${wanted[*]}"
    return 1
  fi

  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if [ ${#missing[@]} = 0 ]; then
    return 0
  fi
  if [ "$(id -u)" != 0 ]; then
    say "missing: ${missing[*]}; installing needs root: sudo $0 $*"
    return 1
  fi
  say "installing ${#missing[@]} missing packages: ${missing[*]}"
  if apt-get -q update && install_packages "${missing[@]}"; then
    return 0
  fi
  # A mirror in the middle of an update fails once.
  say "trying once more"
  sleep 5
  apt-get -q update && install_packages "${missing[@]}" && return 0
  say "could not install: ${missing[*]} (is this Debian 12 with its security suite, and is the network up?)"
  return 1
}

main "$@"
