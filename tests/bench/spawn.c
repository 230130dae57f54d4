// SPDX-License-Identifier: Apache-2.0
// Starts N processes one after the other and waits for each; with --exit it is the process that is started.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--exit") == 0) _exit(0);
  long count = argc > 1 ? atol(argv[1]) : 1000;
  char* child[] = {argv[0], (char*)"--exit", (char*)"of", (char*)"a", (char*)"benchmark", NULL};
  char* environment[] = {(char*)"A=B", NULL};
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (long i = 0; i < count; i++) {
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) {
      execve(argv[0], child, environment);
      _exit(127);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.9f\n", (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9);
  return 0;
}
