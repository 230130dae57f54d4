#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Process 1 of the guest: mounts what a distribution would, runs the job, writes its exit code to the job folder, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
job=/run/vm

finish() {
  sync
  busybox poweroff -f
  sleep 5
  echo o >/proc/sysrq-trigger
}
trap finish EXIT

mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm /run/lock
mountpoint -q /dev/pts || mount -t devpts -o gid=5,mode=620 pts /dev/pts
mountpoint -q /dev/shm || mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done 2>/dev/null
mount -t bpf -o mode=0700 bpffs /sys/fs/bpf
mount -t tracefs trace /sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
mount -t securityfs security /sys/kernel/security
busybox ip link set lo up
hostname tetragon-vm

# shellcheck disable=SC1091
source "$job/env"
if [ -d "$VM_MODULES" ]; then
  mkdir -p "/lib/modules/$(uname -r)"
  mount --bind "$VM_MODULES" "/lib/modules/$(uname -r)"
fi

echo "guest ready after $(cut -d' ' -f1 /proc/uptime) s"
setsid bash "$job/job.sh" </dev/null >"$job/output.log" 2>&1
echo $? >"$job/exit.tmp"
mv "$job/exit.tmp" "$job/exit"
