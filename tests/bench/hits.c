/* SPDX-License-Identifier: Apache-2.0 */
/* hits COUNT FILE: as many lseek(2) on the file, then the nanoseconds of one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct timespec begin, end;
  long count;
  int fd;

  if (argc != 3) return 2;
  count = atol(argv[1]);
  fd = open(argv[2], O_RDONLY);
  if (fd < 0) {
    perror(argv[2]);
    return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (long i = 0; i < count; i++) lseek(fd, 0, SEEK_SET);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (double)count);
  return 0;
}
