// SPDX-License-Identifier: Apache-2.0
// `loader: true` of policies: one pair of programs, however many policies ask for it.

#include <tetragon/plugin.h>

#include <set>
#include <string>

#include "decode.h"
#include "loader.bpf.elf.h"
#include "loader.h"
#include "probe_page.h"

namespace tetragon::loader_plugin {
namespace {

constexpr int kCalibrations = 3;  // the kernel may move the page at the wrong moment

class Loader {
 public:
  static sdk::Result<Loader> create(sdk::Host host) { return Loader(host); }
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {
    users_.clear();
    bpf_ = sdk::Bpf();
  }

  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (!request.backend().empty() && request.backend() != kBackend) {
      return sdk::Error(TETRAGON_E_INVALID, "backend \"" + std::string(request.backend()) +
                                                "\" does not serve loader; there is only " + std::string(kBackend));
    }
    if (users_.empty()) TETRAGON_SDK_TRY(attach());
    users_.insert(hook.handle());
    hook.say("backend", std::string(kBackend) + ": return of mmap and mprotect, and exec");
    hook.say("build id", build_ids_.empty() ? "from the page cache" : "none: " + build_ids_);
    return nullptr;
  }
  void hook_remove(sdk::Hook hook, void*) noexcept {
    users_.erase(hook.handle());
    if (!users_.empty() || !bpf_) return;
    if (auto closed = bpf_.close(); !closed.ok()) host_.warn("detach the loader: " + closed.error().message());
    bpf_ = sdk::Bpf();
  }

  static constexpr std::string_view policy_section = "loader";
  static constexpr tetragon_record_kind record_kinds[] = {
      sdk::record_kind<decode_loader>(TG_KIND_LOADER, "loader", sizeof(tg_loader_record))};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("loader", TETRAGON_BPF_LOADER)};

 private:
  static constexpr std::string_view kBackend = "tracepoint";
  explicit Loader(sdk::Host host) : host_(host) {}

  // The object belongs to no single hook: the host's records of hooks do not go with it.
  sdk::Result<void> attach() {
    build_ids_.clear();
    for (int attempt = 0; attempt < kCalibrations; ++attempt) {
      auto page = ProbePage::create();
      if (!page.ok()) build_ids_ = page.error().message();
      TETRAGON_SDK_TRY(open(page.ok() ? &*page : nullptr));
      if (!page.ok()) break;
      auto found = calibrated();
      if (!found.ok()) {
        build_ids_ = found.error().message();
        break;
      }
      build_ids_ = *found ? "" : "the kernel's page tables were not understood";
      if (*found) break;
      if (attempt + 1 < kCalibrations) TETRAGON_SDK_TRY(bpf_.close());
    }
    if (!build_ids_.empty()) host_.warn("events of the loader carry no build id: " + build_ids_);
    for (const char* program : {"tg_loader_exec", "tg_loader_mapped"}) {
      if (auto attached = bpf_.attach(program); !attached.ok()) {
        sdk::Error error = std::move(attached).error();
        TETRAGON_SDK_TRY(bpf_.close());
        bpf_ = sdk::Bpf();
        return error;
      }
    }
    return {};
  }

  sdk::Result<void> open(const ProbePage* page) {
    auto opened = host_.open_bpf(bpf_elfs[0]);
    if (!opened.ok()) return std::move(opened).error();
    bpf_ = *opened;
    if (page != nullptr) {
      TETRAGON_SDK_TRY(bpf_.set_const("tg_probe_inode", page->inode()));
      TETRAGON_SDK_TRY(bpf_.set_const("tg_probe_fd", page->fd()));
      TETRAGON_SDK_TRY(bpf_.set_const("tg_probe_frame", page->frame()));
      TETRAGON_SDK_TRY(bpf_.set_const("tg_probe_bytes", page->bytes()));
    } else {
      TETRAGON_SDK_TRY(bpf_.set_autoload("tg_loader_calibrate", false));
    }
    if (auto loaded = bpf_.load(); !loaded.ok()) {
      sdk::Error error = std::move(loaded).error();
      TETRAGON_SDK_TRY(bpf_.close());
      bpf_ = sdk::Bpf();
      return error;
    }
    return {};
  }

  sdk::Result<bool> calibrated() {
    TETRAGON_SDK_TRY(bpf_.iterate("tg_loader_calibrate"));
    auto layout = bpf_.map_lookup<tg_layout>("tg_layout", std::uint32_t{0});
    if (!layout.ok()) return std::move(layout).error();
    return layout->pages != 0;
  }

  sdk::Host host_;
  sdk::Bpf bpf_;
  std::set<tetragon_hook*> users_;
  std::string build_ids_;  // why there are none
};

}  // namespace
}  // namespace tetragon::loader_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::loader_plugin::Loader, "tetragon.loader", "1.0.0",
                           "Executable files and libraries that are mapped", 1);
