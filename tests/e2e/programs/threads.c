// SPDX-License-Identifier: Apache-2.0
// Processes whose threads end, or exec, in an unusual order.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char** environ;

static char** arguments;

static void end_thread(int code) {
  syscall(SYS_exit, code);
}

static void* last_thread(void* unused) {
  (void)unused;
  usleep((unsigned int)atoi(arguments[2]) * 1000);
  end_thread(99);
  return NULL;
}

static void* end_group(void* unused) {
  (void)unused;
  syscall(SYS_exit_group, atoi(arguments[2]));
  return NULL;
}

static void* exec_other(void* unused) {
  (void)unused;
  execve(arguments[2], arguments + 2, environ);
  _exit(101);
}

static void* nothing(void* unused) {
  return unused;
}

int main(int argc, char** argv) {
  pthread_t thread;
  void* (*run)(void*) = NULL;

  arguments = argv;
  if (argc < 3) return 100;
  if (!strcmp(argv[1], "many")) {
    for (int i = 0; i < atoi(argv[2]); i++) {
      if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL)) return 102;
    }
    return argc > 3 ? atoi(argv[3]) : 0;
  }
  if (!strcmp(argv[1], "leader-first"))
    run = last_thread;
  else if (!strcmp(argv[1], "group-exit"))
    run = end_group;
  else if (!strcmp(argv[1], "exec"))
    run = exec_other;
  if (!run || pthread_create(&thread, NULL, run, NULL)) return 103;
  if (run == last_thread) end_thread(argc > 3 ? atoi(argv[3]) : 0);
  for (;;) pause();
}
