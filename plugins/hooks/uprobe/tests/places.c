/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include <string.h>

#include "sdt.h"

__extension__ unsigned short places_probe_semaphore __attribute__((section(".probes"), visibility("hidden"), used));

#define PLACE __attribute__((noinline, noclone))

PLACE long place_numbers(int a, unsigned char b, long c) {
  __asm__ volatile("");
  return a + b + c;
}

PLACE long place_text(const char* text) {
  __asm__ volatile("");
  return text == 0;
}

PLACE long place_other(int a) {
  __asm__ volatile("");
  return a;
}

PLACE int place_deep(int depth) {
  __asm__ volatile("");
  if (depth == 0) return 100;
  int below = place_deep(depth - 1);
  __asm__ volatile("" : "+r"(below)); /* no loop is made of it */
  return below + 1;
}

PLACE int place_fill(char* text) {
  __asm__ volatile("");
  strcpy(text, "filled");
  return 6;
}

PLACE int place_probe(long a) {
  volatile int local = (int)a * 2;
  if (*(volatile unsigned short*)&places_probe_semaphore == 0) return 0;
  SDT_PROBE("places", "probe", "places_probe_semaphore", "8@%0 -4@$-7 -4@%1", "r"(a), "m"(local));
  return 1;
}
