// SPDX-License-Identifier: Apache-2.0
// What hooks of system calls and of kernel functions are tried on: each call once, with known arguments.
// calls READ WRITE: files to read from and to create. Prints the result of the 32-bit call, or "none".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __x86_64__
enum { GETPGID32 = 132 };
// A kernel without the 32-bit ABI answers with a signal, so it is the last call.
static long getpgid32(int pid) {
  long result = 0;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(GETPGID32), "b"(pid) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}
#endif

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  char text[64] = "";
  int in = (int)syscall(SYS_openat, AT_FDCWD, argv[1], O_RDONLY | O_CLOEXEC, 0);
  if (in < 0 || syscall(SYS_read, in, text, 16) < 0) return 1;
  if (syscall(SYS_openat, AT_FDCWD, "/nonexistent/of/calls", O_RDONLY, 0) >= 0) return 1;

  int out = (int)syscall(SYS_openat, AT_FDCWD, argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0640);
  struct iovec pieces[2] = {{"first,", 6}, {"second", 6}};
  if (out < 0 || syscall(SYS_write, out, "written bytes", 13) != 13 || syscall(SYS_writev, out, pieces, 2) != 12)
    return 1;
  syscall(SYS_close, out);
  syscall(SYS_close, in);
  syscall(SYS_getpgid, 0);
  prctl(PR_SET_NAME, "calls-renamed");

  // Nobody listens there: the address is what matters.
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (sock >= 0) {
    (void)connect(sock, (struct sockaddr*)&to, sizeof(to));
    close(sock);
  }
#ifdef __x86_64__
  printf("%ld\n", getpgid32(0));
#else
  printf("none\n");
#endif
  return 0;
}
