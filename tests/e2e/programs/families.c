// SPDX-License-Identifier: Apache-2.0
// Ways to get a child. Prints the pids it made, one line, parent before child.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static void nap(void) {
  struct timespec wait = {0, 1000000};

  nanosleep(&wait, NULL);
}

static int status_of(pid_t pid) {
  int status = 0;

  if (waitpid(pid, &status, 0) != pid) exit(101);
  return status;
}

static int with_vfork(char** argv) {
  pid_t pid = vfork();

  if (pid == 0) {
    execve(argv[2], argv + 2, environ);
    _exit(127);
  }
  printf("%d %d\n", pid, status_of(pid));
  return 0;
}

static int without_exec(char** argv) {
  pid_t pid = fork();

  if (pid == 0) _exit(atoi(argv[2]));
  printf("%d %d\n", pid, status_of(pid));
  return 0;
}

// The grandchild execs when its parent is gone and another process has adopted it.
static int daemonise(char** argv) {
  int pipes[2];
  pid_t pids[2] = {0, 0};

  if (pipe(pipes)) return 102;
  pids[0] = fork();
  if (pids[0] == 0) {
    pid_t middle = getpid();

    setsid();
    pids[1] = fork();
    if (pids[1] == 0) {
      while (getppid() == middle) nap();
      execve(argv[2], argv + 2, environ);
      _exit(127);
    }
    _exit(write(pipes[1], &pids[1], sizeof(pids[1])) != sizeof(pids[1]));
  }
  status_of(pids[0]);
  if (read(pipes[0], &pids[1], sizeof(pids[1])) != sizeof(pids[1])) return 103;
  printf("%d %d\n", pids[0], pids[1]);
  return 0;
}

static pid_t fork_as(pid_t wanted) {
  struct clone_args args = {.exit_signal = 17 /* SIGCHLD */};

  if (wanted) {
    args.set_tid = (__u64)(unsigned long)&wanted;
    args.set_tid_size = 1;
  }
  return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

// The same pid several times in a row, each time with an exec.
static int reuse(char** argv) {
  int times = atoi(argv[2]);
  pid_t wanted = 0;

  for (int i = 0; i < times; i++) {
    pid_t pid = fork_as(wanted);

    if (pid < 0) {
      printf("refused: clone3 with set_tid: %s\n", strerror(errno));
      return 0;
    }
    if (pid == 0) {
      char number[16];

      snprintf(number, sizeof(number), "%d", i);
      execl(argv[3], argv[3], "exit", number, argv[4], (char*)NULL);
      _exit(127);
    }
    status_of(pid);
    wanted = pid;
  }
  printf("%d\n", wanted);
  return 0;
}

// The child stays unreaped until standard input is closed.
static int zombie(char** argv) {
  pid_t pid = fork();
  char byte;

  if (pid == 0) {
    execve(argv[2], argv + 2, environ);
    _exit(127);
  }
  printf("%d\n", pid);
  fflush(stdout);
  while (read(0, &byte, 1) > 0)
    ;
  status_of(pid);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 100;
  if (!strcmp(argv[1], "vfork")) return with_vfork(argv);
  if (!strcmp(argv[1], "without-exec")) return without_exec(argv);
  if (!strcmp(argv[1], "daemonise")) return daemonise(argv);
  if (!strcmp(argv[1], "reuse") && argc > 4) return reuse(argv);
  if (!strcmp(argv[1], "zombie")) return zombie(argv);
  return 100;
}
