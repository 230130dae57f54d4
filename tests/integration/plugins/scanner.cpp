// SPDX-License-Identifier: Apache-2.0
// Uses every host service that needs no kernel.
#include <tetragon/plugin.h>

#include "shared/record.h"

namespace {

using namespace tetragon::sdk;

struct ScanRecord {
  tg_record head;
  std::uint64_t number;
};

tetragon_rc decode(Bytes raw, EventOut out) {
  const auto* record = record_as<ScanRecord>(raw);
  Event event("scanned");
  event.time(record->head.time_ns).arg("number", record->number);
  return out.event(event);
}

class Scanner {
 public:
  static Result<Scanner> create(Host host) { return Scanner(host); }

  Result<void> start() {
    const std::uint64_t early = 0;
    if (host_.emit(1, bytes_of(early)) != TETRAGON_E_STATE) {
      return Error(TETRAGON_E_INTERNAL, "emit before scan was not refused");
    }
    auto word = host_.config("test-word");
    TETRAGON_SDK_TRY(word);
    host_.info("the word is " + std::string(*word));
    if (host_.config("no-such-option").ok()) {
      return Error(TETRAGON_E_INTERNAL, "an option that does not exist has a value");
    }
    TETRAGON_SDK_TRY(host_.feature("moon"));
    if (auto sun = host_.feature("sun"); sun.ok() || sun.error().code() != TETRAGON_E_UNSUPPORTED ||
                                         sun.error().message().find("this kernel has no sun") == std::string::npos) {
      return Error(TETRAGON_E_INTERNAL, "a feature that is missing is there, or has no reason");
    }
    auto counter = host_.counter("scanned");
    TETRAGON_SDK_TRY(counter);
    counter_ = *counter;
    return {};
  }

  Result<void> scan() {
    for (std::uint64_t n = 0; n < 3; ++n) {
      if (const auto code = host_.emit(1, bytes_of(n)); code < 0) {
        return Error(code, "");
      }
      counter_.add();
    }
    if (host_.emit(2, bytes_of(std::uint64_t{0})) != TETRAGON_E_INVALID || host_.emit(1, {}) != TETRAGON_E_INVALID) {
      return Error(TETRAGON_E_INTERNAL, "a record of unknown kind, or too short, was taken");
    }
    return {};
  }

  void stop() noexcept { host_.info("scanner stops"); }

  static constexpr tetragon_record_kind record_kinds[] = {record_kind<decode>(1, "scan", sizeof(ScanRecord))};

 private:
  explicit Scanner(Host host) : host_(host) {}
  Host host_;
  Counter counter_;
};

}  // namespace

TETRAGON_HOOK_PLUGIN(Scanner, "test.scanner", "2.0.0", "Uses the host's services");
