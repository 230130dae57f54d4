// SPDX-License-Identifier: Apache-2.0
// Threads open the file that a shared path names while another thread rewrites the path: race ALLOWED DENIED ATTEMPTS
// SECONDS THREADS. The two paths differ in one byte. Prints how often what was opened: attempts, allowed, denied,
// refused.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path[4096];
static volatile char* flipped;
static char of_allowed, of_denied;
static struct stat denied;
static atomic_long left;
static atomic_bool ended;
static atomic_long attempts, opened_allowed, opened_denied, refused, others;
static struct timespec deadline;

static int late(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec > deadline.tv_sec || (now.tv_sec == deadline.tv_sec && now.tv_nsec > deadline.tv_nsec);
}

static void* opener(void* unused) {
  (void)unused;
  while (atomic_fetch_sub(&left, 1) > 0 && !late()) {
    struct stat seen;
    const int fd = open(path, O_RDONLY);
    attempts++;
    if (fd < 0) {
      (*(errno == EACCES ? &refused : &others))++;
      continue;
    }
    const int is_denied = fstat(fd, &seen) == 0 && seen.st_ino == denied.st_ino && seen.st_dev == denied.st_dev;
    (*(is_denied ? &opened_denied : &opened_allowed))++;
    close(fd);
  }
  return NULL;
}

static void* rewriter(void* unused) {
  (void)unused;
  while (!ended) {
    *flipped = of_denied;
    for (volatile int i = 0; i < 300; i++) {
    }
    *flipped = of_allowed;
    for (volatile int i = 0; i < 300; i++) {
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 6 || strlen(argv[1]) != strlen(argv[2]) || strlen(argv[1]) >= sizeof(path)) return 100;
  const int threads = atoi(argv[5]);
  pthread_t openers[64], writer;
  if (threads < 1 || threads > 64 || stat(argv[2], &denied) != 0) return 101;
  strcpy(path, argv[1]);
  size_t at = 0;
  while (argv[1][at] != 0 && argv[1][at] == argv[2][at]) at++;
  if (argv[1][at] == 0 || strcmp(argv[1] + at + 1, argv[2] + at + 1) != 0) return 102;
  flipped = path + at;
  of_allowed = argv[1][at];
  of_denied = argv[2][at];
  left = atol(argv[3]);
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += atoi(argv[4]);
  if (pthread_create(&writer, NULL, rewriter, NULL)) return 103;
  for (int i = 0; i < threads; i++) {
    if (pthread_create(&openers[i], NULL, opener, NULL)) return 103;
  }
  for (int i = 0; i < threads; i++) pthread_join(openers[i], NULL);
  ended = 1;
  pthread_join(writer, NULL);
  printf("%ld %ld %ld %ld %ld\n", (long)attempts, (long)opened_allowed, (long)opened_denied, (long)refused,
         (long)others);
  return 0;
}
