// SPDX-License-Identifier: Apache-2.0
#include "sample_plugin.h"

#include <tetragon/plugin.h>

#include <stdexcept>

SampleSwitches g_sample;

namespace {

using namespace tetragon::sdk;

void maybe_throw(SampleSwitches::Throw what) {
  if (what == SampleSwitches::Throw::std_exception) {
    throw std::runtime_error("on purpose");
  }
  if (what == SampleSwitches::Throw::something_else) {
    throw 42;
  }
}

tetragon_rc decode_sample(Bytes raw, EventOut out) {
  const auto* record = record_as<sample_record>(raw);
  if (record == nullptr) {
    return TETRAGON_E_INVALID;
  }
  maybe_throw(g_sample.decode);
  Event event("sample_seen");
  event.time(record->head[3]).process(record->pid).arg("number", record->number).arg("comm", text(record->comm));
  return out.event(event);
}

const unsigned char elf[4] = {0x7f, 'E', 'L', 'F'};

class Sample {
 public:
  static Result<Sample> create(Host host) {
    maybe_throw(g_sample.create);
    return Sample(host);
  }
  Sample(Sample&& other) noexcept : host_(other.host_), scanned_(other.scanned_) { ++g_sample.alive; }
  ~Sample() { --g_sample.alive; }

  Result<void> start() {
    maybe_throw(g_sample.start);
    if (g_sample.start_says_no) {
      return Error(TETRAGON_E_UNSUPPORTED, "this machine has no moon");
    }
    auto size = host_.config("sample-size");
    TETRAGON_SDK_TRY(size);
    auto bpf = host_.open_bpf("sample", bytes(elf, sizeof(elf)));
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_const("limit", std::uint32_t{7}));
    TETRAGON_SDK_TRY(bpf->set_max_entries("things", 1));
    TETRAGON_SDK_TRY(bpf->load());
    TETRAGON_SDK_TRY(bpf->map_update("things", std::uint32_t{1}, std::uint64_t{2}));
    TETRAGON_SDK_TRY(bpf->attach("first"));
    TETRAGON_SDK_TRY(bpf->attach("second"));
    auto counter = host_.counter("scanned");
    TETRAGON_SDK_TRY(counter);
    scanned_ = *counter;
    return {};
  }

  Result<void> scan() {
    struct {
      std::uint32_t pid;
      std::int32_t number;
      char comm[16];
    } body{1, 2, "init"};
    if (auto code = host_.emit(1, bytes_of(body)); code < 0) {
      return Error(code, "");
    }
    scanned_.add();
    return {};
  }

  void stop() noexcept { ++g_sample.stops; }

  static constexpr tetragon_record_kind record_kinds[] = {
      record_kind<decode_sample>(1, "sample", sizeof(sample_record))};

 private:
  explicit Sample(Host host) : host_(host) { ++g_sample.alive; }

  Host host_;
  Counter scanned_;
};

}  // namespace

TETRAGON_HOOK_PLUGIN(Sample, "test.sample", "1.2.3", "Drives the facade");
