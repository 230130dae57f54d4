// SPDX-License-Identifier: Apache-2.0
// exitor exit CODE | signal NUMBER | core NUMBER | sleep MS | pause | read | again TIMES CODE [anything]: ends in the
// way its arguments say; what follows them is free for the caller to recognise it by. Without one of these words: ends
// with 0.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 2) return 0;
  const char* how = argv[1];
  int value = argc > 2 ? atoi(argv[2]) : 0;

  if (!strcmp(how, "exit")) return value;
  if (!strcmp(how, "signal") || !strcmp(how, "core")) {
    // Core dumps are asked for, or surely not wanted, whatever the caller's limits are.
    struct rlimit limit = {0, 0};

    if (!strcmp(how, "core")) limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
    if (setrlimit(RLIMIT_CORE, &limit)) return 101;
    signal(value, SIG_DFL);
    kill(getpid(), value);
    return 102;
  }
  if (!strcmp(how, "sleep")) {
    struct timespec wait = {value / 1000, (long)(value % 1000) * 1000000};

    while (nanosleep(&wait, &wait) && errno == EINTR)
      ;
    return 0;
  }
  if (!strcmp(how, "pause")) {
    pause();
    return 0;
  }
  if (!strcmp(how, "read")) {
    // Until the other end of standard input is closed.
    char byte;

    while (read(0, &byte, 1) > 0)
      ;
    return 0;
  }
  if (!strcmp(how, "again") && argc > 3) {
    char times[16];

    if (value == 0) return atoi(argv[3]);
    snprintf(times, sizeof(times), "%d", value - 1);
    argv[2] = times;
    execve(argv[0], argv, environ);
    return 103;
  }
  return 0;
}
