/* SPDX-License-Identifier: Apache-2.0 */
/* Ends, forks and execs in the ways that the tests name. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* self;

static void* exit_3(void* unused) {
  (void)unused;
  usleep(20000); /* after the leader */
  exit(3);
}
static void* exit_group_5(void* unused) {
  (void)unused;
  syscall(SYS_exit_group, 5);
  return NULL;
}
static void* raw_exit_9(void* unused) {
  (void)unused;
  usleep(20000);
  syscall(SYS_exit, 9);
  return NULL;
}
static void* exec_true(void* unused) {
  (void)unused;
  execl(self, self, "exit", "0", (char*)NULL);
  _exit(99);
}
static void* nothing(void* unused) {
  return unused;
}

static int child_exit(void* unused) {
  (void)unused;
  _exit(0);
}

static void thread(void* (*function)(void*)) {
  pthread_t id;

  if (pthread_create(&id, NULL, function, NULL) != 0) {
    _exit(98);
  }
}

static int deep(int depth) {
  char dir[] = "/tmp/tetragon-deep-XXXXXX";

  if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
    return 97;
  }
  for (int n = 0; n < depth; ++n) {
    if ((mkdir("d", 0700) != 0) || chdir("d") != 0) {
      return 96;
    }
  }
  pid_t pid = fork();
  if (pid == 0) {
    execl(self, self, "exit", "0", (char*)NULL);
    _exit(95);
  }
  waitpid(pid, NULL, 0);
  for (int n = 0; n < depth; ++n) {
    if (chdir("..") != 0 || rmdir("d") != 0) {
      return 94;
    }
  }
  return rmdir(dir) == 0 ? 0 : 93;
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";

  self = argv[0];
  if (strcmp(what, "exit") == 0) {
    return atoi(argv[2]);
  }
  if (strcmp(what, "kill") == 0) {
    kill(getpid(), SIGKILL);
  }
  if (strcmp(what, "segv") == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    raise(SIGSEGV);
  }
  if (strcmp(what, "leader-first") == 0) {
    thread(exit_3);
    pthread_exit(NULL);
  }
  if (strcmp(what, "exit-group-from-thread") == 0) {
    thread(exit_group_5);
    pause();
  }
  if (strcmp(what, "last-thread-raw") == 0) {
    thread(raw_exit_9);
    syscall(SYS_exit, 4);
  }
  if (strcmp(what, "exec-from-thread") == 0) {
    thread(exec_true);
    pause();
  }
  if (strcmp(what, "thread") == 0) {
    pthread_t id;
    pthread_create(&id, NULL, nothing, NULL);
    pthread_join(id, NULL);
    return 0;
  }
  if (strcmp(what, "exec-again") == 0) {
    execl(self, self, "exit", "0", (char*)NULL);
  }
  if (strcmp(what, "memfd") == 0) {
    char buffer[65536];
    int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("actor", MFD_CLOEXEC);
    ssize_t n;
    while ((n = read(from, buffer, sizeof(buffer))) > 0) {
      if (write(to, buffer, (size_t)n) != n) {
        return 92;
      }
    }
    char *args[] = {"from-memfd", "exit", "0", NULL}, *env[] = {NULL};
    syscall(SYS_execveat, to, "", args, env, AT_EMPTY_PATH);
    return 91;
  }
  if (strcmp(what, "deep") == 0) {
    return deep(atoi(argv[2]));
  }
  if (strcmp(what, "chroot") == 0) {
    pid_t pid = fork();
    if (pid == 0) {
      /* The file is opened before: inside there is none. */
      int file = open("/proc/self/exe", O_RDONLY);
      char *args[] = {"inside", "exit", "0", NULL}, *env[] = {NULL};
      if (chroot(argv[2]) != 0 || chdir("/sub") != 0) {
        _exit(90);
      }
      syscall(SYS_execveat, file, "", args, env, AT_EMPTY_PATH);
      _exit(89);
    }
    waitpid(pid, NULL, 0);
    return 0;
  }
  if (strcmp(what, "pid-namespace") == 0) {
    if (unshare(CLONE_NEWPID) != 0) {
      return 88;
    }
    pid_t pid = fork(); /* pid 1 of the new one */
    if (pid == 0) {
      pid_t grandchild = fork();
      if (grandchild == 0) {
        execl(self, self, "exit", "0", (char*)NULL);
        _exit(87);
      }
      waitpid(grandchild, NULL, 0);
      _exit(0);
    }
    waitpid(pid, NULL, 0);
    return 0;
  }
  if (strcmp(what, "vfork") == 0) {
    pid_t pid = vfork();
    if (pid == 0) {
      execl(self, self, "exit", "0", (char*)NULL);
      _exit(86);
    }
    waitpid(pid, NULL, 0);
    return 0;
  }
  if (strcmp(what, "clone-parent") == 0) {
    static char stack[65536] __attribute__((aligned(16)));
    pid_t pid = clone(child_exit, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, NULL);
    return pid > 0 ? 0 : 85;
  }
  if (strcmp(what, "file-caps") == 0) {
    /* Without capabilities, then a file that has some. */
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) {
      return 84;
    }
    execl(argv[2], argv[2], "exit", "0", (char*)NULL);
    return 83;
  }
  if (strcmp(what, "forks") == 0) {
    for (int n = atoi(argv[2]); n > 0; --n) {
      pid_t pid = fork();
      if (pid == 0) {
        _exit(0);
      }
      waitpid(pid, NULL, 0);
    }
    return 0;
  }
  if (strcmp(what, "execs") == 0) {
    for (volatile int n = atoi(argv[2]); n > 0; --n) {
      pid_t pid = vfork();
      if (pid == 0) {
        execl("/bin/true", "true", "--some", "arguments", (char*)NULL);
        _exit(1);
      }
      waitpid(pid, NULL, 0);
    }
    return 0;
  }
  /* The rest of the line is another actor's: file and arguments. */
  if (strcmp(what, "exec") == 0) {
    execv(argv[2], argv + 2);
    return 82;
  }
  if (strcmp(what, "on-signal") == 0) {
    sigset_t usr1;
    int got;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    sigwait(&usr1, &got);
    execv(argv[2], argv + 2);
    return 78;
  }
  if (strcmp(what, "exec-often") == 0) { /* N times, by turns, then as the first of both */
    char left[16];
    int n = atoi(argv[2]);
    snprintf(left, sizeof(left), "%d", n - 1);
    if (n > 0) {
      execl(argv[4], argv[4], what, left, argv[4], argv[3], (char*)NULL);
      return 81;
    }
    pause();
  }
  if (strcmp(what, "descend") == 0 || strcmp(what, "leave") == 0 || strcmp(what, "in-namespace") == 0) {
    if (strcmp(what, "in-namespace") == 0 && unshare(CLONE_NEWPID) != 0) {
      return 80;
    }
    pid_t pid = fork();
    if (pid == 0) {
      execv(argv[2], argv + 2);
      _exit(79);
    }
    if (strcmp(what, "leave") != 0) {
      waitpid(pid, NULL, 0);
    }
    return 0;
  }
  if (strcmp(what, "fork-sleep") == 0) {
    fork();
    pause();
  }
  if (strcmp(what, "sleep") == 0) {
    pause();
  }
  return 0;
}
