// SPDX-License-Identifier: Apache-2.0
// workload COUNT PARALLEL PREFIX EXITOR THREADS: starts COUNT processes in every way this file knows, at most PARALLEL
// at a time, and prints what wait(2) and its own calls told of each: pid, kind, tag, number of execs, status. The tag
// is an argument of the process, so that an event can be told from any other process of the machine.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

enum { PLAIN, VFORKED, NO_EXEC, TWICE, MEMFD, THREAD_EXEC, KILLED, THREADS, KINDS };
static const char* const names[KINDS] = {"plain", "vfork",      "noexec", "twice",
                                         "memfd", "threadexec", "killed", "threads"};

struct child {
  pid_t pid;
  int kind, number;
};

static int memfd_of(const char* path) {
  int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("workload", MFD_CLOEXEC);
  struct stat st;

  if (from < 0 || to < 0 || fstat(from, &st) || sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size) return -1;
  close(from);
  return to;
}

static void report(struct child* running, int parallel, const char* tags) {
  int status = 0, i;
  pid_t pid = wait(&status);

  if (pid < 0) {
    perror("wait");
    exit(101);
  }
  for (i = 0; i < parallel && running[i].pid != pid; i++)
    ;
  if (i == parallel) exit(102);
  int execs = running[i].kind == NO_EXEC ? 0 : running[i].kind == TWICE || running[i].kind == THREAD_EXEC ? 2 : 1;

  printf("%d\t%s\t%s-%d\t%d\t%d\n", pid, names[running[i].kind], tags, running[i].number, execs, status);
  running[i].pid = 0;
}

static int memfd;
static const char *prefix, *exitor, *threads;

static void become(int kind, int n) {
  char tag[64], code[16];

  snprintf(tag, sizeof(tag), "%s-%d", prefix, n);
  snprintf(code, sizeof(code), "%d", n % 251);
  switch (kind) {
    case NO_EXEC: _exit(n % 251);
    case TWICE: execl(exitor, exitor, "again", "1", code, tag, (char*)NULL); break;
    case MEMFD: fexecve(memfd, (char*[]){(char*)exitor, "exit", code, tag, NULL}, environ); break;
    case THREAD_EXEC: execl(threads, threads, "exec", exitor, "exit", code, tag, (char*)NULL); break;
    case KILLED: execl(exitor, exitor, "signal", n / KINDS % 2 ? "9" : "15", tag, (char*)NULL); break;
    case THREADS: execl(threads, threads, "many", "3", code, tag, (char*)NULL); break;
    default: execl(exitor, exitor, "exit", code, tag, (char*)NULL);
  }
  _exit(127);
}

static pid_t start(int kind, int n) {
  pid_t pid = kind == VFORKED ? vfork() : fork();

  if (pid == 0) become(kind, n);
  return pid;
}

int main(int argc, char** argv) {
  static char output[1 << 16];

  if (argc < 6) return 100;
  int count = atoi(argv[1]), parallel = atoi(argv[2]), busy = 0;
  struct child* running = calloc((size_t)parallel, sizeof(*running));

  prefix = argv[3];
  exitor = argv[4];
  threads = argv[5];
  memfd = memfd_of(exitor);
  if (!running || memfd < 0) return 103;
  // Children never flush: they exec or _exit.
  setvbuf(stdout, output, _IOFBF, sizeof(output));
  for (int n = 0; n < count; n++) {
    int kind = n % KINDS, slot = 0;

    if (busy == parallel) {
      report(running, parallel, prefix);
      busy--;
    }
    while (running[slot].pid) slot++;
    running[slot] = (struct child){start(kind, n), kind, n};
    if (running[slot].pid < 0) {
      perror("fork");
      return 104;
    }
    busy++;
  }
  for (; busy; busy--) report(running, parallel, prefix);
  return 0;
}
