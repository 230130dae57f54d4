// SPDX-License-Identifier: Apache-2.0
#include "core/stack/symbolizer.h"

#include <doctest/doctest.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "core/elf/symbols.h"
#include "core/util/file.h"

using namespace tetragon;
using namespace tetragon::stack;
using namespace std::chrono_literals;

// The frames of these are looked for below.
extern "C" __attribute__((noinline)) int stack_test_inner(void** frames, int count) {
  const int got = ::backtrace(frames, count);
  asm volatile("" ::: "memory");
  return got;
}
extern "C" __attribute__((noinline)) int stack_test_outer(void** frames, int count) {
  const int got = stack_test_inner(frames, count);
  asm volatile("" ::: "memory");
  return got;
}

namespace {

struct ManualClock : Clock {
  int64_t now = boot_now_ns();
  int64_t boot_ns() const override { return now; }
};

Options patient() {
  Options options;
  options.worker.max_wait = options.kernel_worker.max_wait = 20s;
  options.worker.max_waiting = options.kernel_worker.max_waiting = 60s;
  return options;
}

std::string_view bytes_of(const std::vector<uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * 8};
}

// A folder that looks like /proc.
struct FakeProc {
  std::string root = (std::filesystem::temp_directory_path() / ("tetragon-stack-XXXXXX")).string();
  FakeProc() { REQUIRE(::mkdtemp(root.data()) != nullptr); }
  ~FakeProc() { std::filesystem::remove_all(root); }
  void write(const std::string& path, std::string_view text) {
    const std::string full = root + "/" + path;
    std::filesystem::create_directories(std::filesystem::path(full).parent_path());
    REQUIRE(write_file_atomic(full, text, 0600).ok());
  }
  // start_ns: when the process began.
  void process(int pid, int64_t start_ns, std::string_view maps) {
    const std::string folder = std::to_string(pid);
    write(folder + "/stat", folder + " (a) b ) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 " +
                                std::to_string(start_ns / (kNsPerSec / ::sysconf(_SC_CLK_TCK))) + " 5 6\n");
    write(folder + "/maps", maps);
    std::filesystem::create_directories(root + "/" + folder + "/root/bin");
  }
  Options options() const {
    Options made = patient();
    made.procfs = root;
    return made;
  }
};

// The sample's mapping with everything in it: place = 0x400000 + offset in the file.
std::string map_sample(const std::string& path, const std::string& at = "400000-480000") {
  struct stat st {};
  REQUIRE(::stat(SAMPLE, &st) == 0);
  return at + " r-xp 00000000 00:00 " + std::to_string(st.st_ino) + " " + path + "\n";
}

struct SampleProc : FakeProc {
  uint64_t add = elf::find_function(*elf::ElfFile::open(SAMPLE), "sample_add")->offset;
  explicit SampleProc(int64_t start_ns = 1000 * kNsPerSec) {
    process(77, start_ns, map_sample("/bin/sample"));
    std::filesystem::create_hard_link(SAMPLE, root + "/77/root/bin/sample");
  }
};

}  // namespace

TEST_CASE("our own stack") {
  void* frames[kMaxFrames];
  const int count = stack_test_outer(frames, kMaxFrames);
  REQUIRE(count > 2);
  std::vector<uint64_t> addresses(count);
  std::transform(frames, frames + count, addresses.begin(), [](void* at) { return reinterpret_cast<uint64_t>(at); });
  Symbolizer symbolizer(patient());
  const auto all =
      symbolizer.user({.pid = static_cast<uint32_t>(::getpid()), .start_ns = 5, .time_ns = 0}, bytes_of(addresses));
  REQUIRE(all.size() == addresses.size());
  // A sanitizer's backtrace is a frame of its own.
  const size_t skipped = all[0].symbol.find("interceptor") != std::string::npos ? 1 : 0;
  const auto found = all.subspan(skipped);
  addresses.erase(addresses.begin(), addresses.begin() + static_cast<ptrdiff_t>(skipped));
  CHECK(found[0].symbol == "stack_test_inner");
  CHECK(found[1].symbol == "stack_test_outer");
  CHECK(found[1].module == std::filesystem::read_symlink("/proc/self/exe").string());
  CHECK(found[1].address == addresses[1]);
  const auto file = elf::ElfFile::open("/proc/self/exe");
  CHECK(found[1].build_id.size() == 2 * file->build_id()->size());
  CHECK(std::strtoul(std::string(found[1].build_id.substr(0, 2)).c_str(), nullptr, 16) ==
        static_cast<unsigned char>(file->build_id()->front()));
  const auto outer = elf::find_function(*file, "stack_test_outer");
  REQUIRE(outer.ok());
  CHECK(found[1].offset > outer->offset);
  CHECK(found[1].offset <= outer->offset + outer->size);
  CHECK(found[1].offset - outer->offset == addresses[1] - reinterpret_cast<uint64_t>(&stack_test_outer));
  const bool has_main = std::any_of(found.begin(), found.end(), [](const Frame& one) { return one.symbol == "main"; });
  CHECK(has_main);
  CHECK(symbolizer.stats().late == 0);
}

TEST_CASE("kernel addresses: names, new code, nothing known") {
  FakeProc proc;
  ManualClock clock;
  proc.write("modules", "nf_tables 4096 3 - Live 0xffffffffc0000000\n");
  proc.write("kallsyms",
             "ffffffff81000000 T first\nffffffff81000100 T second\nffffffffc0000000 t in_module\t[nf_tables]\n");
  Symbolizer symbolizer(proc.options(), clock);
  auto frames = symbolizer.kernel(bytes_of({0xffffffff81000010, 0xffffffff81000100, 0xffffffffc0000020, 0x1234}));
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].symbol == "first");
  CHECK(frames[0].offset == 16);
  // A return address that is the begin of a function belongs to the call in front of it.
  CHECK(frames[1].symbol == "first");
  CHECK(frames[1].offset == 0x100);
  CHECK(frames[2].symbol == "in_module");
  CHECK(frames[2].module.empty());
  CHECK(frames[3].symbol.empty());
  CHECK(frames[3].offset == 0);
  CHECK(frames[3].address == 0x1234);
  // The innermost one is where it is.
  CHECK(symbolizer.kernel(bytes_of({0xffffffff81000100}))[0].symbol == "second");
  CHECK(symbolizer.stats().kernel_reads == 1);
  CHECK(symbolizer.stats().kernel_frames == 5);
  CHECK(symbolizer.stats().kernel_unknown == 1);
  // Reading again is not done for every address that is unknown.
  proc.write("kallsyms", "ffffffff81000000 T first\nffffffffc1000000 t newer\t[newer]\n");
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc1000001}))[0].symbol.empty());
  clock.now += 6 * kNsPerSec;
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc1000001}))[0].symbol == "newer");
  CHECK(symbolizer.stats().kernel_reads == 2);
  // Idle: dropped, and read again when it is asked for.
  CHECK(symbolizer.stats().bytes > 0);
  clock.now += 700 * kNsPerSec;
  symbolizer.tick();
  CHECK(symbolizer.stats().bytes == 0);
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc1000001}))[0].symbol == "newer");
  CHECK(symbolizer.stats().kernel_reads == 3);
}

TEST_CASE("kernel addresses: a name that the next table does not have is not kept") {
  FakeProc proc;
  ManualClock clock;
  proc.write("kallsyms", "ffffffff81000000 T stays\nffffffffc0000000 t goes\t[bpf]\n");
  Symbolizer symbolizer(proc.options(), clock);
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc0000010}))[0].symbol == "goes");
  proc.write("kallsyms", "ffffffff81000000 T stays\n");
  clock.now += 6 * kNsPerSec;
  const auto frames = symbolizer.kernel(bytes_of({0xffffffffc0000010, 0x1234}));
  CHECK(frames[0].symbol.empty());
  CHECK(frames[0].offset == 0);
  CHECK(symbolizer.stats().kernel_reads == 2);
}

TEST_CASE("kernel addresses: begins with the hooked code") {
  FakeProc proc;
  proc.write("kallsyms",
             "ffffffff81000000 T syscall_trace_enter\nffffffff81001000 T bpf_trace_run2\n"
             "ffffffff81002000 T __bpf_trace_sys_enter\nffffffffc0001000 t bpf_prog_12_name\t[bpf]\n");
  Symbolizer symbolizer(proc.options());
  const auto frames = symbolizer.kernel(
      bytes_of({0xffffffffc0001010, 0xffffffff81001010, 0xffffffff81002010, 0xffffffff81000010, 0xffffffff81001020}));
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].symbol == "syscall_trace_enter");
  CHECK(frames[1].symbol == "bpf_trace_run2");
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc0001010})).size() == 1);  // nothing else: that is told
}

TEST_CASE("kernel addresses: another set of modules is noticed, their use counts are not") {
  FakeProc proc;
  ManualClock clock;
  proc.write("modules", "a 4096 3 - Live 0xffffffffc0000000\n");
  proc.write("kallsyms", "ffffffffc0000000 t of_a\t[a]\n");
  Symbolizer symbolizer(proc.options(), clock);
  CHECK(symbolizer.kernel(bytes_of({0xffffffffc0000001}))[0].symbol == "of_a");
  proc.write("modules", "a 4096 99 - Live 0xffffffffc0000000\n");
  const auto ask_later = [&] {
    clock.now += 2 * kNsPerSec;
    symbolizer.kernel(bytes_of({0xffffffffc0000001}));  // looks in the background
    for (int i = 0; i < 500; ++i) {
      std::this_thread::sleep_for(2ms);
      const auto frame = symbolizer.kernel(bytes_of({0xffffffffc0000001}))[0];
      if (frame.symbol != "of_a") return std::string(frame.symbol);
      if (i > 20 && symbolizer.stats().kernel_reads == 1) break;
    }
    return std::string("of_a");
  };
  CHECK(ask_later() == "of_a");
  CHECK(symbolizer.stats().kernel_reads == 1);
  proc.write("modules", "b 4096 3 - Live 0xffffffffc0000000\n");
  proc.write("kallsyms", "ffffffffc0000000 t of_b\t[b]\n");
  clock.now += 2 * kNsPerSec;
  std::string now;
  for (int i = 0; i < 5000 && now != "of_b"; ++i) {
    now = symbolizer.kernel(bytes_of({0xffffffffc0000001}))[0].symbol;
    std::this_thread::sleep_for(1ms);
  }
  CHECK(now == "of_b");
}

TEST_CASE("kernel addresses: no table, hidden addresses, switched off") {
  FakeProc proc;
  CHECK(Symbolizer(proc.options()).kernel(bytes_of({0xffffffff81000010}))[0].symbol.empty());
  proc.write("kallsyms", "0000000000000000 T first\n");
  Symbolizer hidden(proc.options());
  CHECK(hidden.kernel(bytes_of({0xffffffff81000010}))[0].address == 0xffffffff81000010);
  CHECK(hidden.stats().kernel_unknown == 1);
  Options off = proc.options();
  off.kernel = off.user = false;
  Symbolizer none(off);
  CHECK(none.kernel(bytes_of({7}))[0].address == 7);
  CHECK(none.user({.pid = 1, .start_ns = 1, .time_ns = 1}, bytes_of({7}))[0].address == 7);
  CHECK(none.stats().kernel_reads + none.stats().maps_reads == 0);
}

TEST_CASE("addresses of a process: file, place in it, function") {
  SampleProc proc;
  ManualClock clock;
  clock.now = 2000 * kNsPerSec;
  Symbolizer symbolizer(proc.options(), clock);
  const Process process{.pid = 77, .start_ns = 1000 * kNsPerSec, .time_ns = 1500 * kNsPerSec};
  const auto frames = symbolizer.user(process, bytes_of({0x400000 + proc.add + 2, 0x400000, 0x99}));
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].symbol == "sample_add");
  CHECK(frames[0].module == "/bin/sample");
  CHECK(frames[0].offset == proc.add + 2);
  CHECK(frames[1].module.empty());  // the call in front of the mapping
  CHECK(frames[2].offset == 0);
  CHECK(frames[2].address == 0x99);
  Stats stats = symbolizer.stats();
  CHECK(stats.maps_reads == 1);
  CHECK(stats.file_reads == 1);
  CHECK(stats.user_unknown == 2);
  CHECK(stats.gone + stats.late == 0);

  // A library that came later; not looked for more often than allowed.
  proc.write("77/maps", map_sample("/bin/sample") + map_sample("/bin/sample", "800000-880000"));
  CHECK(symbolizer.user(process, bytes_of({0x800000 + proc.add}))[0].module.empty());
  clock.now += kNsPerSec;
  CHECK(symbolizer.user(process, bytes_of({0x800000 + proc.add}))[0].symbol == "sample_add");
  CHECK(symbolizer.stats().file_reads == 1);  // is known already

  // The end of the process changes nothing for what is known, until it is forgotten.
  std::filesystem::remove_all(proc.root + "/77");
  clock.now += 60 * kNsPerSec;
  CHECK(symbolizer.user(process, bytes_of({0x800000 + proc.add}))[0].symbol == "sample_add");
  symbolizer.forget(77);
  CHECK(symbolizer.stats().processes == 0);
  const auto gone = symbolizer.user(process, bytes_of({0x800000 + proc.add}));
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].address == 0x800000 + proc.add);
  CHECK(gone[0].module.empty());
  CHECK(symbolizer.stats().gone == 1);
  clock.now += 700 * kNsPerSec;
  symbolizer.tick();
  symbolizer.user(process, bytes_of({1}));  // behind the job that drops
  CHECK(symbolizer.stats().files == 0);
}

TEST_CASE("addresses of a process: the pid is another's now, or another image's") {
  SampleProc proc(3000 * kNsPerSec);
  Symbolizer symbolizer(proc.options());
  const std::vector<uint64_t> address = {0x400000 + proc.add};
  const auto frames =
      symbolizer.user({.pid = 77, .start_ns = 1000 * kNsPerSec, .time_ns = 2000 * kNsPerSec}, bytes_of(address));
  CHECK(frames[0].module.empty());
  CHECK(symbolizer.stats().gone == 1);
  CHECK(symbolizer.user({.pid = 77, .start_ns = 3000 * kNsPerSec, .time_ns = 3100 * kNsPerSec}, bytes_of(address))[0]
            .symbol == "sample_add");
  // An exec: other maps.
  proc.write("77/maps", map_sample("/bin/other", "900000-980000"));
  CHECK(symbolizer.user({.pid = 77, .start_ns = 3200 * kNsPerSec, .time_ns = 3300 * kNsPerSec}, bytes_of(address))[0]
            .module.empty());
  CHECK(symbolizer.user({.pid = 0, .start_ns = 0, .time_ns = 0}, bytes_of(address))[0].module.empty());
}

TEST_CASE("addresses of a process: mappings that could not be read are read again later") {
  SampleProc proc;
  proc.write("77/maps", "");
  ManualClock clock;
  clock.now = 2000 * kNsPerSec;
  Symbolizer symbolizer(proc.options(), clock);
  const Process process{.pid = 77, .start_ns = 1000 * kNsPerSec, .time_ns = 1500 * kNsPerSec};
  const auto symbol = [&] { return std::string(symbolizer.user(process, bytes_of({0x400000 + proc.add}))[0].symbol); };
  CHECK(symbol().empty());
  proc.write("77/maps", map_sample("/bin/sample"));
  clock.now += 9 * kNsPerSec;
  CHECK(symbol().empty());
  CHECK(symbolizer.stats().maps_reads == 1);
  CHECK(symbolizer.stats().gone == 2);
  clock.now += 2 * kNsPerSec;
  CHECK(symbol() == "sample_add");
  CHECK(symbolizer.stats().maps_reads == 2);
}

TEST_CASE("addresses of a process: of more mappings than are read, the first ones are known") {
  SampleProc proc;
  std::string maps = map_sample("/bin/sample");
  for (uint64_t at = 0x10000000; maps.size() < size_t{9} << 20; at += 0x2000) {
    const std::string range = elf::hex(at).substr(2) + "-" + elf::hex(at + 0x1000).substr(2);
    maps += range + " r-xp 00000000 00:00 7 /" + std::string(1000, 'x') + "\n";
  }
  proc.write("77/maps", maps);
  Symbolizer symbolizer(proc.options());
  const auto frames =
      symbolizer.user({.pid = 77, .start_ns = 1, .time_ns = 0}, bytes_of({0x400000 + proc.add, 0x10000010}));
  CHECK(frames[0].symbol == "sample_add");
  CHECK(frames[1].module == "/" + std::string(1000, 'x'));
}

TEST_CASE("files that are none, or not the mapped one") {
  SampleProc proc;
  // Another inode than the mapping's; a pipe that nobody writes to; no file; damaged; memory; the kernel's page.
  proc.write("77/root/bin/replaced", "other");
  REQUIRE(::mkfifo((proc.root + "/77/root/bin/pipe").c_str(), 0600) == 0);
  proc.write("77/root/bin/damaged",
             "\x7f"
             "ELF and nothing else");
  const auto inode = [&](const std::string& name) {
    struct stat st {};
    REQUIRE(::stat((proc.root + "/77/root/bin/" + name).c_str(), &st) == 0);
    return std::to_string(st.st_ino);
  };
  proc.write("77/maps",
             "10000-11000 r-xp 0 0:0 1 /bin/replaced\n"
             "20000-21000 r-xp 0 0:0 " +
                 inode("pipe") +
                 " /bin/pipe\n"
                 "30000-31000 r-xp 0 0:0 3 /bin/none (deleted)\n"
                 "40000-41000 r-xp 0 0:0 " +
                 inode("damaged") +
                 " /bin/damaged\n"
                 "50000-51000 rwxp 0 0:0 0\n"
                 "60000-61000 r-xp 0 0:0 0 [vdso]\n");
  Symbolizer symbolizer(proc.options());
  const Process process{.pid = 77, .start_ns = 1, .time_ns = 0};
  const auto frames = symbolizer.user(process, bytes_of({0x10005, 0x20005, 0x30005, 0x40005, 0x50005, 0x60005}));
  const char* modules[] = {"/bin/replaced", "/bin/pipe", "/bin/none (deleted)", "/bin/damaged", "", "[vdso]"};
  for (size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    CHECK(frames[i].module == modules[i]);
    CHECK(frames[i].symbol.empty());
    CHECK(frames[i].offset == (i == 4 ? 0 : 5));
  }
  CHECK(symbolizer.stats().file_failures == 4);
  symbolizer.user(process, bytes_of({0x10005, 0x40005}));
  CHECK(symbolizer.stats().file_failures == 4);  // not tried again
}

TEST_CASE("what is kept is bounded") {
  SampleProc proc;
  for (int pid = 100; pid < 120; ++pid) {
    proc.process(pid, kNsPerSec, map_sample("/bin/sample"));
    // As many different files.
    std::filesystem::copy_file(SAMPLE, proc.root + "/" + std::to_string(pid) + "/root/bin/sample");
    struct stat st {};
    REQUIRE(::stat((proc.root + "/" + std::to_string(pid) + "/root/bin/sample").c_str(), &st) == 0);
    proc.write(std::to_string(pid) + "/maps",
               "400000-480000 r-xp 0 0:0 " + std::to_string(st.st_ino) + " /bin/sample\n");
  }
  Options options = proc.options();
  options.max_processes = 4;
  options.max_files = 3;
  Symbolizer symbolizer(options);
  for (int round = 0; round < 2; ++round) {
    for (uint32_t pid = 100; pid < 120; ++pid) {
      const auto frames = symbolizer.user({.pid = pid, .start_ns = 1, .time_ns = 0}, bytes_of({0x400000 + proc.add}));
      CHECK(frames[0].symbol == "sample_add");
    }
  }
  // Still known by the process, but its symbols were dropped.
  for (uint32_t pid : {116, 117, 118, 119}) {
    CHECK(symbolizer.user({.pid = pid, .start_ns = 1, .time_ns = 0}, bytes_of({0x400000 + proc.add}))[0].symbol ==
          "sample_add");
  }
  const Stats stats = symbolizer.stats();
  CHECK(stats.processes == 4);
  CHECK(stats.files == 3);
  CHECK(stats.evicted > 30);
}

TEST_CASE("fast once it is warm") {
  Symbolizer symbolizer(patient());
  void* frames[kMaxFrames];
  const int count = stack_test_outer(frames, kMaxFrames);
  std::vector<uint64_t> user, kernel;
  for (int i = 0; i < 20; ++i) {
    user.push_back(reinterpret_cast<uint64_t>(frames[i % count]));
    kernel.push_back(0xffffffff81000000 + static_cast<uint64_t>(i) * 65537);
  }
  const Process process{.pid = static_cast<uint32_t>(::getpid()), .start_ns = 5, .time_ns = 0};
  symbolizer.user(process, bytes_of(user));
  symbolizer.kernel(bytes_of(kernel));
  constexpr int kRounds = 20000;
  const auto time = [&](auto&& work) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) work();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / kRounds;
  };
  const double of_user = time([&] { symbolizer.user(process, bytes_of(user)); });
  const double of_kernel = time([&] { symbolizer.kernel(bytes_of(kernel)); });
  MESSAGE("20 frames: user " << of_user << " us, kernel " << of_kernel << " us; kept "
                             << symbolizer.stats().bytes / 1024 << " KiB");
  CHECK(of_user < 200);  // also under a sanitizer on a busy machine
  CHECK(of_kernel < 200);
}
