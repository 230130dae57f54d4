/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests look for: functions, an indirect one, two of one name, probes. */
#include "sdt.h"

SDT_SEMAPHORE(sample_counted_semaphore);

int sample_global = 7;

int sample_add(int a, int b) {
  return a + b;
}

__attribute__((noinline)) static int sample_twice(int a) {
  return 2 * a + 1;
}
int sample_calls_twice(int a) {
  return sample_twice(a);
}

static int sample_chosen(void) {
  return 1;
}
static int (*sample_choose(void))(void) {
  return sample_chosen;
}
int sample_indirect(void) __attribute__((ifunc("sample_choose")));

__attribute__((noinline)) void sample_probes(long a, int b, char* c) {
  long local = a * 2;
  SDT_PROBE("sample", "plain", "0", "8@%0 -4@%1 4@$-5", "r"(a), "r"(b));
  SDT_PROBE("sample", "memory", "0", "8@%0 1@%1 -4@sample_global(%%rip)", "m"(local), "m"(*c));
  SDT_PROBE("sample", "counted", "sample_counted_semaphore", "");
  SDT_PROBE("sample", "plain", "0", "8@$1 -4@$2 4@$3");
}

int sample_other(int a);

int main(void) {
  char text[] = "text";
  sample_probes(1, 2, text);
  return sample_add(sample_calls_twice(1), sample_other(2)) + sample_indirect() == 0;
}
