#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest: host root (read-only, virtiofs) under a tmpfs overlay, then on to guest_init.sh.
/bin/busybox --install -s /bin
export PATH=/bin
die() {
  echo "initramfs: $*"
  poweroff -f
}
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "/modules/$module" || die "cannot load $module"
done </modules/order

mkdir -p /lower /upper /job /keep /newroot
mount -t virtiofs -o ro hostroot /lower || die "cannot mount the host root over virtiofs"
mount -t virtiofs job /job || die "cannot mount the job folder over virtiofs"
mount -t tmpfs -o mode=755,size=75% upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /newroot || die "cannot mount the overlay"

# A checkout below /tmp or /run stays reachable although both get a file system of their own.
n=0
while read -r path; do
  n=$((n + 1))
  mkdir -p /keep/$n
  mount --bind "/newroot$path" /keep/$n || die "no $path below the host root"
done </job/keep
mount -t tmpfs -o mode=1777 tmp /newroot/tmp
mount -t tmpfs -o mode=755 run /newroot/run
n=0
while read -r path; do
  n=$((n + 1))
  mkdir -p "/newroot$path"
  mount --bind /keep/$n "/newroot$path"
done </job/keep

mkdir -p /newroot/run/vm
mount --move /job /newroot/run/vm
mount --move /dev /newroot/dev
mount --move /proc /newroot/proc
read -r init </newroot/run/vm/init
exec switch_root /newroot /bin/bash "$init"
die "cannot start $init"
