// SPDX-License-Identifier: Apache-2.0
// numbers CALL...: does these system calls and prints what each answered. CALL: [32/]NUMBER[:ARGUMENT], 32/ by the
// 32-bit ABI, other arguments are 0; or "wait" for a byte, or the end, of the standard input.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long call(const char* text) {
  const char* colon = strchr(text, ':');
  const long first = colon == NULL ? 0 : atol(colon + 1);
  if (strcmp(text, "wait") == 0) {
    char byte;
    return read(STDIN_FILENO, &byte, 1);
  }
#ifdef __x86_64__
  if (strncmp(text, "32/", 3) == 0) {
    long result = atol(text + 3);
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"(first), "c"(0), "d"(0), "S"(0), "D"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
  }
  long result = atol(text);
  register long fourth __asm__("r10") = 0;
  __asm__ volatile("syscall" : "+a"(result) : "D"(first), "S"(0), "d"(0), "r"(fourth) : "memory", "rcx", "r11");
  return result;
#else
  // The library's errno: what it answers is at most -1.
  return syscall(atol(text), first, 0, 0, 0, 0, 0);
#endif
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int n = 1; n < argc; ++n) printf("%ld\n", call(argv[n]));
  return 0;
}
