// SPDX-License-Identifier: Apache-2.0
#include "../registers.bpf.c"

struct tg_action_step tg_step;

long bpf_probe_read_kernel(void* to, __u32 size, const void* from) {
  memcpy(to, from, size);
  return 0;
}

long bpf_probe_read_user(void* to, __u32 size, const void* from) {
  if ((__u64)from < 4096) return -EFAULT;
  memcpy(to, from, size);
  return 0;
}

long bpf_probe_write_user(void* to, const void* from, __u32 size) {
  if ((__u64)to < 4096) return -EFAULT;
  memcpy(to, from, size);
  return 0;
}
