// SPDX-License-Identifier: Apache-2.0
// Opens a file in a way that goes around a policy's look: ways WAY FOLDER NAME r|w SCRATCH [MORE]. It is read or
// written then: exit code 0 says that this was done, else it is the error; 200: this machine cannot try the way. Also:
// ways connect ADDRESS PORT, ways nothing.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { cannot = 200, usage = 201 };

struct target {
  const char *folder, *name, *scratch, *more;
  char path[4096];
  int flags;
};

static void joined(char* to, const char* folder, const char* name) {
  if (snprintf(to, 4096, "%s/%s", folder, name) >= 4096) _exit(usage);
}

static int try_plain(const struct target* at) {
  return (int)syscall(SYS_openat, AT_FDCWD, at->path, at->flags, 0);
}

static int try_old_call(const struct target* at) {
#ifdef SYS_open
  return (int)syscall(SYS_open, at->path, at->flags, 0);
#else
  (void)at;
  _exit(cannot);
#endif
}

static int try_relative(const struct target* at) {
  return chdir(at->folder) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, at->name, at->flags, 0);
}

static int try_here(const struct target* at) {
  return (int)syscall(SYS_openat, AT_FDCWD, at->name, at->flags, 0);
}

static int try_openat2(const struct target* at) {
  struct open_how how = {.flags = (unsigned)at->flags};
  return (int)syscall(SYS_openat2, AT_FDCWD, at->path, &how, sizeof(how));
}

static int try_reopen(const struct target* at) {
  char again[64];
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, at->path, O_PATH, 0);
  if (fd < 0) return -1;
  snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
  return (int)syscall(SYS_openat, AT_FDCWD, again, at->flags, 0);
}

static int open_in(const struct target* at, const char* folder, const char* name) {
  char path[4096];
  joined(path, folder, name);
  return (int)syscall(SYS_openat, AT_FDCWD, path, at->flags, 0);
}

static int try_symlink(const struct target* at) {
  char path[4096];
  joined(path, at->scratch, "symlink");
  return symlink(at->path, path) ? -1 : open_in(at, at->scratch, "symlink");
}

static int try_link_made_before(const struct target* at) {
  return open_in(at, at->scratch, "before");
}

static int try_link(const struct target* at) {
  char path[4096];
  joined(path, at->scratch, "link");
  return link(at->path, path) ? -1 : open_in(at, at->scratch, "link");
}

static void own_mounts(void) {
  if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) _exit(cannot);
}

static int try_bind(const struct target* at) {
  char path[4096];
  own_mounts();
  joined(path, at->scratch, "mount");
  if (mkdir(path, 0755)) _exit(cannot);
  return mount(at->folder, path, NULL, MS_BIND, NULL) ? -1 : open_in(at, path, at->name);
}

static int try_overlay(const struct target* at) {
  char path[4096], empty[4096], options[9000];
  own_mounts();
  joined(path, at->scratch, "overlay");
  joined(empty, at->scratch, "empty");
  if (mkdir(path, 0755) || mkdir(empty, 0755)) _exit(cannot);
  snprintf(options, sizeof(options), "lowerdir=%s:%s", at->folder, empty);
  if (mount("overlay", path, "overlay", MS_RDONLY, options)) _exit(errno == ENODEV ? cannot : errno);
  return open_in(at, path, at->name);
}

static int try_rename_folder(const struct target* at) {
  char path[4096];
  joined(path, at->scratch, "folder");
  return rename(at->folder, path) ? -1 : open_in(at, path, at->name);
}

static int try_rename(const struct target* at) {
  char path[4096];
  joined(path, at->scratch, "file");
  return rename(at->path, path) ? -1 : open_in(at, at->scratch, "file");
}

static int try_exchange(const struct target* at) {
  char path[4096];
  joined(path, at->scratch, "exchanged");
  const int fd = open(path, O_CREAT | O_WRONLY, 0644);
  if (fd < 0) _exit(cannot);
  if (syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, at->path, 2 /* RENAME_EXCHANGE */)) return -1;
  return open_in(at, at->scratch, "exchanged");
}

static int try_proc_root(const struct target* at) {
  return open_in(at, "/proc/self/root", at->path + 1);
}

static int try_chroot(const struct target* at) {
  char path[300];
  if (chroot(at->folder) || chdir("/")) _exit(cannot);
  snprintf(path, sizeof(path), "/%s", at->name);
  return (int)syscall(SYS_openat, AT_FDCWD, path, at->flags, 0);
}

/* MORE is the program's path below the new root: a copy of this one, in the place of one that may. */
static int try_impostor(const struct target* at) {
  char root[4096];
  joined(root, at->scratch, "root");
  if (chdir(at->folder) || chroot(root)) _exit(cannot);
  execl(at->more, at->more, "here", ".", at->name, at->flags == O_RDONLY ? "r" : "w", ".", NULL);
  _exit(cannot);
}

static int try_handle(const struct target* at) {
  struct {
    struct file_handle head;
    unsigned char room[MAX_HANDLE_SZ];
  } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
  int mount_id;
  const int place = open(at->scratch, O_RDONLY | O_DIRECTORY);
  if (place < 0 || name_to_handle_at(AT_FDCWD, at->path, &handle.head, &mount_id, 0)) _exit(cannot);
  return open_by_handle_at(place, &handle.head, at->flags);
}

static int try_inherited(const struct target* at) {
  return atoi(at->more);
}

static int try_execute(const struct target* at) {
  char* argv[] = {(char*)at->path, NULL};
  syscall(SYS_execveat, AT_FDCWD, at->path, argv, environ, 0);
  return -1;
}

static int try_32_bit(const struct target* at) {
#if defined(__x86_64__)
  /* What such a call points to must lie below 4 GiB. */
  char* low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  long result;
  if (low == MAP_FAILED) _exit(cannot);
  strcpy(low, at->path);
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(295L), "b"((long)AT_FDCWD), "c"(low), "d"((long)at->flags), "S"(0L)
               : "memory", "r8", "r9", "r10", "r11");
  if ((int)result < 0) {
    errno = -(int)result;
    return errno == ENOSYS ? (_exit(cannot), -1) : -1;
  }
  return (int)result;
#else
  (void)at;
  _exit(cannot);
#endif
}

static int try_io_uring(const struct target* at) {
  struct io_uring_params params = {};
  const int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
  if (ring < 0) _exit(cannot);
  const size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  const size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  char* sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe* entry =
      mmap(NULL, params.sq_entries * sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED) _exit(cannot);
  memset(entry, 0, sizeof(*entry));
  entry->opcode = IORING_OP_OPENAT;
  entry->fd = AT_FDCWD;
  entry->addr = (unsigned long)at->path;
  entry->open_flags = (unsigned)at->flags;
  ((unsigned*)(sq + params.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) _exit(cannot);
  const int result = ((struct io_uring_cqe*)(cq + params.cq_off.cqes))[0].res;
  if (result < 0) errno = -result;
  return result;
}

static int connect_to(const char* how, const char* address, const char* port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) return usage;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  if (strcmp(how, "fastopen") == 0) {
    return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr*)&to, sizeof(to)) == 1 ? 0 : errno;
  }
  return connect(fd, (struct sockaddr*)&to, sizeof(to)) == 0 ? 0 : errno;
}

static const struct {
  const char* name;
  int (*open)(const struct target*);
} ways[] = {
    {"plain", try_plain},         {"old-call", try_old_call},
    {"relative", try_relative},   {"here", try_here},
    {"openat2", try_openat2},     {"reopen", try_reopen},
    {"symlink", try_symlink},     {"link-before", try_link_made_before},
    {"link", try_link},           {"bind", try_bind},
    {"overlay", try_overlay},     {"rename-folder", try_rename_folder},
    {"rename", try_rename},       {"exchange", try_exchange},
    {"proc-root", try_proc_root}, {"chroot", try_chroot},
    {"impostor", try_impostor},   {"handle", try_handle},
    {"inherited", try_inherited}, {"execute", try_execute},
    {"32-bit", try_32_bit},       {"io-uring", try_io_uring},
};

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "nothing") == 0) return 0;
  if (argc == 4) return connect_to(argv[1], argv[2], argv[3]);
  if (argc < 6) return usage;
  struct target at = {.folder = argv[2], .name = argv[3], .scratch = argv[5], .more = argc > 6 ? argv[6] : ""};
  const int writes = strcmp(argv[4], "w") == 0;
  at.flags = writes ? O_WRONLY : O_RDONLY;
  joined(at.path, at.folder, at.name);
  for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
    if (strcmp(ways[i].name, argv[1]) != 0) continue;
    char byte = 'X';
    const int fd = ways[i].open(&at);
    if (fd < 0) return errno;
    return (writes ? write(fd, &byte, 1) : read(fd, &byte, 1)) == 1 ? 0 : errno ? errno : EIO;
  }
  return usage;
}
