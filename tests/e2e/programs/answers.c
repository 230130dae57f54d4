// SPDX-License-Identifier: Apache-2.0
// What policies answer for: answers FUNCTION [argument...] prints what the program saw; several in turn, separated by
// "--".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../unit/elf/sdt.h"

#define ANSWERS_FUNCTION __attribute__((noinline, noclone, used, externally_visible))

static int entered;

ANSWERS_FUNCTION long answers_number(long a, long b) {
  entered++;
  __asm__ volatile("");
  return a * 2 + b;
}

// The place in the middle: its frame is not the function's begin.
ANSWERS_FUNCTION long answers_middle(long a) {
  register long value __asm__("r12") = a;
#ifdef __x86_64__
  __asm__ volatile(".globl answers_middle_label\nanswers_middle_label: nop" : "+r"(value));
#endif
  return value;
}

ANSWERS_FUNCTION void answers_usdt(long a) {
#ifdef __x86_64__
  register long whole __asm__("r12") = a;
  register int half __asm__("r13") = -1;
  volatile int memory[3] = {7, (int)a, 9};
  SDT_PROBE("answers", "register", "0", "8@%0 8@%1", "r"(whole), "r"(a));
  __asm__ volatile("" : "+r"(whole));
  SDT_PROBE("answers", "part", "0", "-4@%k0 8@%1", "r"(half), "r"(a));
  __asm__ volatile("" : "+r"(half));
  SDT_PROBE("answers", "memory", "0", "-4@%0 8@%1 4@$5", "m"(memory[1]), "r"(a));
  printf("%ld %d %d %d %d\n", whole, half, memory[0], memory[1], memory[2]);
#else
  (void)a;
#endif
}

static int run(int argc, char** argv) {
  const long a = argc > 1 ? atol(argv[1]) : 0, b = argc > 2 ? atol(argv[2]) : 0;
  if (argc == 0) return 100;
  if (!strcmp(argv[0], "number")) {
    entered = 0;
    const long answer = answers_number(a, b);
    return printf("%ld %d\n", answer, entered), 0;
  }
  if (!strcmp(argv[0], "middle")) return printf("%ld\n", answers_middle(a)), 0;
  if (!strcmp(argv[0], "usdt")) return answers_usdt(a), 0;
  return 102;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int from = 1; from < argc;) {
    int to = from;
    while (to < argc && strcmp(argv[to], "--") != 0) to++;
    const int code = run(to - from, argv + from);
    if (code) return code;
    from = to + 1;
  }
  return 0;
}
