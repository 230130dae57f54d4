// SPDX-License-Identifier: Apache-2.0
// Functions and probes that policies hook: probes FUNCTION [argument...]; several in turn, separated by "--".
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../unit/elf/sdt.h"

#define PROBE_FUNCTION __attribute__((noinline, noclone, used, externally_visible))

SDT_SEMAPHORE(probes_counted_semaphore);
volatile int global_number = 77;

PROBE_FUNCTION long probes_number(int a, unsigned char b, long c) {
  __asm__ volatile("");
  return a + b + c;
}

PROBE_FUNCTION int probes_text(const char* text, int a) {
  __asm__ volatile("");
  return text ? (int)strlen(text) + a : -1;
}

PROBE_FUNCTION int probes_two(int a, int b) {
  __asm__ volatile("");
  return a * b;
}

PROBE_FUNCTION int probes_listeners(void) {
  return *(volatile unsigned short*)&probes_counted_semaphore;
}

static const char literal[] = "a literal that nothing has read yet";

PROBE_FUNCTION const char* probes_literal(const char* text) {
  __asm__ volatile("");
  return text;
}

// The same code in the middle: three no-ops of one byte behind the begin.
PROBE_FUNCTION void probes_middle(int a) {
  __asm__ volatile(".globl probes_middle_label\nprobes_middle_label: nop" ::"D"(a));
}

PROBE_FUNCTION int probes_usdt(long a, int b, const char* text) {
  long local = a * 2;
  SDT_PROBE("probes", "plain", "0", "8@%0 -4@%1 4@$-5 8@%2", "r"(a), "r"(b), "r"(text));
  SDT_PROBE("probes", "memory", "0", "8@%0 -4@global_number(%%rip)", "m"(local));
  if (*(volatile unsigned short*)&probes_counted_semaphore)
    SDT_PROBE("probes", "counted", "probes_counted_semaphore", "8@%0", "r"(a));
  return (int)a + global_number;
}

static void* thread(void* count) {
  for (long i = 0; i < (intptr_t)count; i++) probes_two((int)i, (int)syscall(SYS_gettid));
  return NULL;
}

static int run(int argc, char** argv) {
  if (argc == 0) return 100;
  const char* name = argv[0];
  const long a = argc > 1 ? atol(argv[1]) : 0, b = argc > 2 ? atol(argv[2]) : 0, c = argc > 3 ? atol(argv[3]) : 0;
  if (!strcmp(name, "number")) return probes_number((int)a, (unsigned char)b, c) == -1;
  if (!strcmp(name, "text")) return probes_text(argc > 1 ? argv[1] : NULL, (int)b) == -2;
  if (!strcmp(name, "two")) return probes_two((int)a, (int)b) == -1;
  if (!strcmp(name, "literal")) return probes_literal(literal) == NULL;
  if (!strcmp(name, "middle")) return probes_middle((int)a), 0;
  if (!strcmp(name, "listeners")) return printf("%d\n", probes_listeners()), fflush(stdout);
  if (!strcmp(name, "wait")) return getchar() == EOF;
  if (!strcmp(name, "usdt")) return probes_usdt(a, (int)b, argc > 3 ? argv[3] : "text") == -1;
  if (!strcmp(name, "threads")) {
    pthread_t threads[8];
    for (long i = 0; i < a && i < 8; i++) {
      if (pthread_create(&threads[i], NULL, thread, (void*)(intptr_t)b)) return 101;
    }
    for (long i = 0; i < a && i < 8; i++) pthread_join(threads[i], NULL);
    return 0;
  }
  return 102;
}

int main(int argc, char** argv) {
  for (int from = 1; from < argc;) {
    int to = from;
    while (to < argc && strcmp(argv[to], "--") != 0) to++;
    const int code = run(to - from, argv + from);
    if (code) return code;
    from = to + 1;
  }
  return 0;
}
