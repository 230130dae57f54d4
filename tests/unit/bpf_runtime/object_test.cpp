// SPDX-License-Identifier: Apache-2.0
// What needs the object file but not the kernel.
#include "core/bpf_runtime/object.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/bpf_runtime/runtime.h"
#include "sample.bpf.elf.h"

using tetragon::Code;
using namespace tetragon::bpf_runtime;

namespace {

RuntimeOptions options() {
  RuntimeOptions result;
  result.btf.explicit_path = SAMPLE_OBJECT;  // any BTF serves to open
  return result;
}
Bytes elf() {
  return std::as_bytes(std::span(tetragon_bpf_sample));
}
template <class T>
Bytes raw(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

TEST_CASE("constants by name") {
  Runtime runtime(options());
  auto opened = runtime.open("sample", elf());
  REQUIRE(opened.ok());
  Object& object = **opened;
  CHECK(runtime.live_objects() == 1);
  CHECK(object.has_const("tg_plugin_id"));
  CHECK_FALSE(object.has_const("writable"));
  CHECK(object.set_const("target_tgid", raw(std::uint32_t{1})).ok());

  auto size = object.set_const("target_tgid", raw(std::uint64_t{1}));
  REQUIRE_FALSE(size.ok());
  CHECK(size.error().message() == "constant \"target_tgid\" of BPF object \"sample\" has 4 bytes, not 8");
  auto typo = object.set_const("target_tgit", raw(std::uint32_t{1}));
  CHECK(typo.error().code() == Code::not_found);
  CHECK(typo.error().message().find("did you mean \"target_tgid\"?") != std::string::npos);
  auto variable = object.set_const("writable", raw(std::uint64_t{1}));
  CHECK(variable.error().message().find("const volatile") != std::string::npos);
}

TEST_CASE("maps, programs and the order of calls") {
  Runtime runtime(options());
  auto opened = runtime.open("sample", elf());
  REQUIRE(opened.ok());
  Object& object = **opened;
  CHECK(object.set_max_entries("things", 9).ok());
  CHECK(object.set_max_entries("thinks", 9).error().message().find("did you mean \"things\"?") != std::string::npos);
  CHECK(object.set_max_entries("tg_ring", 9).error().message().find("the daemon's options") != std::string::npos);
  CHECK(object.set_autoload("second", false).ok());
  CHECK(object.set_autoload("third", false).error().code() == Code::not_found);
  CHECK(object.attach("second").error().code() == Code::state);
  CHECK(object.map_fd("things").error().code() == Code::state);
  CHECK(object.map_update("things", raw(std::uint32_t{1}), raw(std::uint64_t{1}), 0).error().code() == Code::state);
  CHECK(runtime.shared_map_fd("tg_ring").error().code() == Code::state);
  CHECK(runtime.cpu_account().error().code() == Code::state);
  opened->reset();
  CHECK(runtime.live_objects() == 0);
}

TEST_CASE("what is no BPF object") {
  Runtime runtime(options());
  const char text[] = "this is a text, and long enough to be read as an ELF header if somebody were careless";
  auto opened = runtime.open("nonsense", std::as_bytes(std::span(text)));
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message().find("open BPF object \"nonsense\": ") == 0);
  CHECK(runtime.live_objects() == 0);
}

TEST_CASE("sizes are rounded as the kernel wants them") {
  RuntimeOptions small = options();
  small.ring_bytes = 1;
  CHECK(Runtime(small).ring_size() == static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  small.ring_bytes = 65535 * 3;
  CHECK(Runtime(small).ring_size() == 262144);
  CHECK(Runtime(small).wakeup_bytes() == 65536);
  small.ring_bytes = std::uint64_t{1} << 40;
  CHECK(Runtime(small).ring_size() == std::uint64_t{1} << 31);
  CHECK(Runtime(small).wakeup_bytes() == 262144);
}
