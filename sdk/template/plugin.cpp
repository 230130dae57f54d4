// SPDX-License-Identifier: Apache-2.0
// Life cycle only; what the records mean is in decode.cpp.
#include <tetragon/plugin.h>

#include <csignal>

#include "decode.h"
#include "signals.bpf.elf.h"
#include "signals.h"

namespace {

using namespace tetragon::sdk;

class Signals {
 public:
  static Result<Signals> create(Host host) { return Signals(host); }

  Result<void> start() {
    // Say what is missing in the user's words, before the verifier does in its own.
    auto args = host_.tracepoint_args("signal_generate");
    TETRAGON_SDK_TRY(args);
    if (*args < 5) {
      return Error(TETRAGON_E_UNSUPPORTED, "tracepoint signal_generate of this kernel has fewer than 5 arguments");
    }
    auto bpf = host_.open_bpf(bpf_elfs[0]);
    TETRAGON_SDK_TRY(bpf);
    // A child's end is an event of its own; one more per process would only be noise.
    constexpr std::uint64_t ignored = std::uint64_t{1} << SIGCHLD;
    TETRAGON_SDK_TRY(bpf->set_const("ignored_signals", ignored));
    TETRAGON_SDK_TRY(bpf->load());
    TETRAGON_SDK_TRY(bpf->attach("signals_generate"));
    host_.debug("signals are reported");
    return {};
  }

  // The host closes the BPF object, which detaches the program: nothing to do here.
  void stop() noexcept {}

  static constexpr tetragon_record_kind record_kinds[] = {
      record_kind<signals::decode_sent>(SIGNALS_RECORD_SENT, "sent", sizeof(signals_sent))};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("signals", TETRAGON_BPF_SIGNALS)};

 private:
  explicit Signals(Host host) : host_(host) {}

  Host host_;
};

}  // namespace

TETRAGON_HOOK_PLUGIN(Signals, "example.signals", "1.0.0", "Reports signals that one process sends to another");
