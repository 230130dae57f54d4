// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "core/util/fd.h"
#include "fixture.h"

using tetragon::UniqueFd;

namespace {

std::map<std::string, std::string> status_lines() {
  std::ifstream in("/proc/self/status");
  std::map<std::string, std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (const auto colon = line.find(":\t"); colon != std::string::npos) {
      lines[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  return lines;
}

std::uint32_t inode(const char* path) {
  struct stat info {};
  REQUIRE(::stat(path, &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

std::string text(const char* bytes, std::size_t size) {
  return {bytes, ::strnlen(bytes, size)};
}

}  // namespace

TEST_CASE("cred, user_namespace, cap set: as the kernel shows them of this process") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const auto lines = status_lines();
  const auto hex = [&](const char* name) { return std::stoull(lines.at(name), nullptr, 16); };
  const auto cred = readers.read<tg_cred_arg>("cred");
  uid_t uid = 0, euid = 0, suid = 0;
  gid_t gid = 0, egid = 0, sgid = 0;
  REQUIRE(::getresuid(&uid, &euid, &suid) == 0);
  REQUIRE(::getresgid(&gid, &egid, &sgid) == 0);
  CHECK(cred.uid == uid);
  CHECK(cred.euid == euid);
  CHECK(cred.suid == suid);
  CHECK(cred.gid == gid);
  CHECK(cred.egid == egid);
  CHECK(cred.sgid == sgid);
  CHECK(cred.cap_permitted == hex("CapPrm"));
  CHECK(cred.cap_effective == hex("CapEff"));
  CHECK(cred.cap_inheritable == hex("CapInh"));
  CHECK(cred.user_ns_inum == inode("/proc/self/ns/user"));

  const auto ns = readers.read<tg_user_ns_arg>("user_ns");
  CHECK(ns.inum == cred.user_ns_inum);
  CHECK(ns.level == cred.user_ns_level);
  CHECK(ns.uid == cred.user_ns_uid);

  CHECK(readers.read<std::uint64_t>("cap_set") == hex("CapEff"));
}

TEST_CASE("cred: ids that differ") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: needs root to change its ids");
    return;
  }
  // The calls of the C library change every thread; these only this one, and back.
  REQUIRE(::syscall(SYS_setresgid, 1, 2, 3) == 0);
  REQUIRE(::syscall(SYS_setfsgid, 1) >= 0);
  REQUIRE(::syscall(SYS_setresuid, 4, -1, 6) == 0);
  const auto cred = readers.read<tg_cred_arg>("cred");
  REQUIRE(::syscall(SYS_setresuid, 0, 0, 0) == 0);
  REQUIRE(::syscall(SYS_setresgid, 0, 0, 0) == 0);
  CHECK(cred.uid == 4);
  CHECK(cred.euid == 0);
  CHECK(cred.suid == 6);
  CHECK(cred.gid == 1);
  CHECK(cred.egid == 2);
  CHECK(cred.sgid == 3);
  CHECK(cred.fsgid == 1);
}

TEST_CASE("bpf_map, bpf_prog: by their file descriptors") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const UniqueFd fd(::bpf_map_create(BPF_MAP_TYPE_HASH, "tg_a_map", 12, 40, 77, nullptr));
  REQUIRE(fd.get() >= 0);
  const auto map = readers.read<tg_bpf_map_arg>("bpf_map", static_cast<std::uint64_t>(fd.get()));
  CHECK(map.type == BPF_MAP_TYPE_HASH);
  CHECK(map.key_size == 12);
  CHECK(map.value_size == 40);
  CHECK(map.max_entries == 77);
  CHECK(text(map.name, sizeof(map.name)) == "tg_a_map");

  const int program = readers.program_fd("read_bpf_prog");
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  REQUIRE(::bpf_obj_get_info_by_fd(program, &info, &size) == 0);
  const auto prog = readers.read<tg_bpf_attr_arg>("bpf_prog", static_cast<std::uint64_t>(program));
  CHECK(prog.prog_type == BPF_PROG_TYPE_RAW_TRACEPOINT);
  CHECK(prog.insn_count == info.xlated_prog_len / 8);
  CHECK(text(prog.name, sizeof(prog.name)) == "read_bpf_prog");
}

TEST_CASE("bpf_attr: what a program is loaded with") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_LSM;
  attr.insn_cnt = 321;
  std::strcpy(attr.prog_name, "attr_name");
  const auto full = readers.read<tg_bpf_attr_arg>("bpf_attr", reinterpret_cast<std::uint64_t>(&attr));
  CHECK(full.prog_type == BPF_PROG_TYPE_LSM);
  CHECK(full.insn_count == 321);
  CHECK(text(full.name, sizeof(full.name)) == "attr_name");

  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* memory =
      static_cast<char*>(::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(::munmap(memory + page, page) == 0);
  std::memcpy(memory + page - 32, &attr, 32);  // as old programs call it: without a name
  const auto small = readers.read<tg_bpf_attr_arg>("bpf_attr", reinterpret_cast<std::uint64_t>(memory + page - 32));
  CHECK(small.insn_count == 321);
  CHECK(text(small.name, sizeof(small.name)).empty());
  CHECK(readers.run("bpf_attr", reinterpret_cast<std::uint64_t>(memory + page - 4)).status == -EFAULT);
  ::munmap(memory, page);
}

TEST_CASE("perf_event: by its file descriptor; the function of a probe") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const auto open_event = [](perf_event_attr& attr) {
    attr.size = sizeof(attr);
    attr.disabled = 1;
    return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  };
  perf_event_attr software{};
  software.type = PERF_TYPE_SOFTWARE;
  software.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
  const auto fd = open_event(software);
  if (!fd) {
    MESSAGE("SKIPPED: perf_event_open: " << std::strerror(errno));
    return;
  }
  const auto event = readers.read<tg_perf_event_arg>("perf_event", static_cast<std::uint64_t>(fd.get()));
  CHECK(event.type == PERF_TYPE_SOFTWARE);
  CHECK(event.config == PERF_COUNT_SW_CONTEXT_SWITCHES);
  CHECK(event.probe_offset == 0);
  CHECK(text(event.function, sizeof(event.function)).empty());

  // For the reader an uprobe's path is in the place of a kprobe's function; not every kernel here has kprobes.
  std::ifstream type("/sys/bus/event_source/devices/uprobe/type");
  perf_event_attr probe{};
  const char* path = "/bin/true";
  if (!(type >> probe.type)) {
    MESSAGE("this kernel has no uprobes");
    return;
  }
  probe.uprobe_path = reinterpret_cast<std::uint64_t>(path);
  probe.probe_offset = 0x100;
  const auto probed = open_event(probe);
  if (!probed) {
    MESSAGE("no uprobe: " << std::strerror(errno));
    return;
  }
  const auto got = readers.read<tg_perf_event_arg>("perf_event", static_cast<std::uint64_t>(probed.get()));
  CHECK(got.type == probe.type);
  CHECK(got.probe_offset == 0x100);
  CHECK(text(got.function, sizeof(got.function)) == path);
}

TEST_CASE("module, load_info: made up in this kernel's layout") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const auto module = readers.read<tg_module_arg>("module");
  CHECK(text(module.name, sizeof(module.name)) == "tg_mod");
  CHECK(module.taints == 4096);
  CHECK(module.has_signature == 0);
  CHECK(module.signature_ok == 0);

  const auto& info = readers.run("load_info");
  if (info.status == -ENOENT) {
    MESSAGE("this kernel loads no modules");
    return;
  }
  const auto loading = Readers::as<tg_module_arg>(info);
  CHECK(text(loading.name, sizeof(loading.name)) == "tg_mod");
  CHECK(loading.taints == 4096);
  CHECK(loading.has_signature == 1);
  CHECK(loading.signature_ok == 1);
}
