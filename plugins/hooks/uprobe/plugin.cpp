// SPDX-License-Identifier: Apache-2.0
// uprobes and usdts of policies: which variant of the program serves a hook, and where it is attached.

#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/action.h"
#include "uprobe.bpf.elf.h"

namespace tetragon::uprobe_plugin {
namespace {

// The variants of uprobe.bpf.c for one kind of link.
struct Programs {
  std::string_view entry, waiting, preload, at_return;
  std::uint32_t entry_kind, return_kind;
};
constexpr Programs kSingle{"tg_uprobe",    "tg_uprobe_waiting",    "tg_uprobe_preload",
                           "tg_uretprobe", TETRAGON_ATTACH_UPROBE, TETRAGON_ATTACH_URETPROBE};
constexpr Programs kMulti{"tg_multi",        "tg_multi_waiting",           "tg_multi_preload",
                          "tg_multi_return", TETRAGON_ATTACH_UPROBE_MULTI, TETRAGON_ATTACH_URETPROBE_MULTI};

constexpr std::string_view kSingleName = "uprobe", kMultiName = "uprobe.multi";

// What brings the pages of user strings, best first.
enum class Pages { waiting, preload, none };

class Uprobe {
 public:
  static sdk::Result<std::unique_ptr<Uprobe>> create(sdk::Host host) {
    return std::unique_ptr<Uprobe>(new Uprobe(host));
  }
  // Everything belongs to a hook; without one nothing is loaded.
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {}

  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (request.targets().empty()) return sdk::Error(TETRAGON_E_INVALID, "the hook has no place to attach to");
    std::string reason;
    auto multi = choose(request, &reason);
    if (!multi.ok()) return std::move(multi).error();
    const Programs& programs = *multi ? kMulti : kSingle;

    if (request.has_verdict()) TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_REGISTERS));
    TETRAGON_SDK_TRY(check_writes(request));
    auto claim = claim_frames(request);
    TETRAGON_SDK_TRY(claim);
    // Sleepable programs may not enter actions: the kernel refuses program arrays in them.
    const bool acts = request.has_actions() || request.has_return_actions();
    Pages pages = acts ? Pages::preload : Pages::waiting;
    sdk::Bpf bpf;
    std::string refused;
    for (;; pages = static_cast<Pages>(static_cast<int>(pages) + 1)) {
      auto loaded = load(hook, request, programs, pages);
      if (loaded.ok()) {
        bpf = *loaded;
        break;
      }
      if (pages == Pages::none) return std::move(loaded).error();
      if (refused.empty()) refused = loaded.error().message();
    }
    TETRAGON_SDK_TRY(attach(bpf, request, programs, pages));
    hook.say("backend", std::string(*multi ? kMultiName : kSingleName) + ": " + reason);
    hook.say("user memory", pages == Pages::none ? "strings that are not in memory are not read: " + refused
                                                 : "strings that are not in memory are waited for");
    return static_cast<void*>(claim->release());
  }
  void hook_remove(sdk::Hook, void* state) noexcept { delete static_cast<Claim*>(state); }

  static constexpr std::string_view policy_section = "uprobes";
  static constexpr std::string_view more_sections = "usdts";
  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("uprobe", TETRAGON_BPF_UPROBE)};

 private:
  using Place = std::pair<std::string, std::uint64_t>;  // file, offset
  // Hooks of each place whose return is hooked, and those that may leave the function's frame at its begin.
  struct Frames {
    std::mutex mutex;
    std::map<Place, std::pair<unsigned, unsigned>> users;
  };
  // One hook's part of it.
  class Claim {
   public:
    Claim(std::shared_ptr<Frames> frames, bool leaves) : frames_(std::move(frames)), leaves_(leaves) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() {
      const std::lock_guard lock(frames_->mutex);
      for (const Place& place : places_) {
        const auto found = frames_->users.find(place);
        --(leaves_ ? found->second.second : found->second.first);
        if (found->second.first == 0 && found->second.second == 0) frames_->users.erase(found);
      }
    }
    // False: another hook of the place forbids it.
    bool add(Place place) {
      const std::lock_guard lock(frames_->mutex);
      auto& [returns, leavers] = frames_->users[place];
      if ((leaves_ ? returns : leavers) != 0) return false;
      ++(leaves_ ? leavers : returns);
      places_.push_back(std::move(place));
      return true;
    }

   private:
    std::shared_ptr<Frames> frames_;
    const bool leaves_;
    std::vector<Place> places_;
  };

  explicit Uprobe(sdk::Host host) : host_(host) {}

  static std::string_view attribute(const sdk::HookRequest& request, std::string_view key) {
    for (const tetragon_hook_attribute* one : request.attributes()) {
      if (sdk::view(one->key) == key) return sdk::view(one->value);
    }
    return {};
  }

  // What Override and Set need of the kernel.
  sdk::Result<void> check_writes(const sdk::HookRequest& request) const {
    const std::string_view writes = attribute(request, "writes");
    if (writes.empty()) return {};
    const bool registers = writes == "registers";
    const auto possible = host_.feature(registers ? "uprobe_regs_change" : "probe_write_user");
    if (possible.ok()) return {};
    return sdk::Error(TETRAGON_E_UNSUPPORTED,
                      registers
                          ? "changing the registers of a process needs Linux 6.18: " + possible.error().message() +
                                ". What would work: Sigkill or Signal; Override of a system call or a security_ "
                                "function in kprobes"
                          : "writing into the memory of a process: " + possible.error().message());
  }

  // The kernel puts a return probe on the frame when all programs of the place have run: where one of them has left the
  // frame, that would overwrite the caller's.
  sdk::Result<std::unique_ptr<Claim>> claim_frames(const sdk::HookRequest& request) {
    const bool leaves = attribute(request, "leaves_frame") == "true";
    auto claim = std::make_unique<Claim>(frames_, leaves);
    if (!leaves && !request.has_return()) return claim;
    for (const tetragon_hook_target* target : request.targets()) {
      if (claim->add({std::string(sdk::view(target->path)), target->offset})) continue;
      return sdk::Error(
          TETRAGON_E_STATE,
          std::string(sdk::view(target->path)) + " " + std::string(sdk::view(target->name)) +
              (leaves ? ": another policy hooks the return of this function, and Override would leave the "
                        "frame that its probe is put on; delete that policy or its `return`"
                      : ": another policy's Override leaves the frame of this function, on which `return` "
                        "would put a probe; delete that policy or leave out return"));
    }
    return claim;
  }

  // One link for all places, or one for each.
  sdk::Result<bool> choose(const sdk::HookRequest& request, std::string* ret_reason) const {
    const std::string_view forced = request.backend();
    if (!forced.empty() && forced != kSingleName && forced != kMultiName) {
      return sdk::Error(TETRAGON_E_INVALID, "backend \"" + std::string(forced) +
                                                "\" does not serve uprobes; there are uprobe and uprobe.multi");
    }
    const auto possible = host_.feature("uprobe_multi");
    if (forced == kMultiName) {
      if (!possible.ok()) return sdk::Error(TETRAGON_E_UNSUPPORTED, "uprobe.multi: " + possible.error().message());
      *ret_reason = "asked for";
      return true;
    }
    if (forced == kSingleName || !request.may_multi()) {
      *ret_reason = "asked for";
      return false;
    }
    if (request.targets().size() == 1) {
      *ret_reason = "one place";
      return false;
    }
    if (!possible.ok()) {
      *ret_reason = "uprobe.multi is not there: " + possible.error().message();
      return false;
    }
    *ret_reason = std::to_string(request.targets().size()) + " places at once";
    return true;
  }

  static sdk::Result<sdk::Bpf> load(const sdk::Hook& hook, const sdk::HookRequest& request, const Programs& programs,
                                    Pages pages) {
    auto opened = hook.open_bpf(bpf_elfs[0]);
    if (!opened.ok()) return opened;
    sdk::Bpf bpf = *opened;
    for (const Programs& one : {kSingle, kMulti}) {
      const bool mine = one.entry == programs.entry;
      TETRAGON_SDK_TRY(bpf.set_autoload(one.entry, mine && pages != Pages::waiting));
      TETRAGON_SDK_TRY(bpf.set_autoload(one.waiting, mine && pages == Pages::waiting));
      TETRAGON_SDK_TRY(bpf.set_autoload(one.preload, mine && pages == Pages::preload));
      TETRAGON_SDK_TRY(bpf.set_autoload(one.at_return, mine && request.has_return()));
    }
    if (auto loaded = bpf.load(); !loaded.ok()) {
      sdk::Error error = std::move(loaded).error();
      // The next variant is tried; what is left of this one would stay until the hook goes.
      TETRAGON_SDK_TRY(bpf.close());
      return error;
    }
    return bpf;
  }

  // The return first: a call must not be entered that nobody sees return. The preload last: the kernel runs the
  // consumer first that came last.
  static sdk::Result<void> attach(sdk::Bpf& bpf, const sdk::HookRequest& request, const Programs& programs,
                                  Pages pages) {
    if (request.has_return()) TETRAGON_SDK_TRY(attach_all(bpf, request, programs.at_return, programs.return_kind));
    TETRAGON_SDK_TRY(
        attach_all(bpf, request, pages == Pages::waiting ? programs.waiting : programs.entry, programs.entry_kind));
    if (pages == Pages::preload) TETRAGON_SDK_TRY(attach_all(bpf, request, programs.preload, programs.entry_kind));
    return {};
  }

  static sdk::Result<void> attach_all(sdk::Bpf& bpf, const sdk::HookRequest& request, std::string_view program,
                                      std::uint32_t kind) {
    tetragon_attach_opts opts{};
    opts.kind = kind;
    if (kind == TETRAGON_ATTACH_UPROBE || kind == TETRAGON_ATTACH_URETPROBE) {
      for (const tetragon_hook_target* target : request.targets()) {
        opts.path = target->path;
        opts.offset = target->offset;
        opts.ref_ctr_offset = target->ref_ctr_offset;
        opts.cookie = target->instance;
        TETRAGON_SDK_TRY(bpf.attach_to(program, opts));
      }
      return {};
    }
    struct Places {
      std::vector<std::uint64_t> offsets, counters, cookies;
      bool counted = false;
    };
    std::map<std::string_view, Places> files;
    for (const tetragon_hook_target* target : request.targets()) {
      Places& places = files[sdk::view(target->path)];
      places.offsets.push_back(target->offset);
      places.counters.push_back(target->ref_ctr_offset);
      places.cookies.push_back(target->instance);
      places.counted = places.counted || target->ref_ctr_offset != 0;
    }
    for (const auto& [path, places] : files) {
      opts.path = sdk::str(path);
      opts.count = static_cast<std::uint32_t>(places.offsets.size());
      opts.offsets = places.offsets.data();
      opts.ref_ctr_offsets = places.counted ? places.counters.data() : nullptr;
      opts.cookies = places.cookies.data();
      TETRAGON_SDK_TRY(bpf.attach_to(program, opts));
    }
    return {};
  }

  sdk::Host host_;
  std::shared_ptr<Frames> frames_ = std::make_shared<Frames>();
};

}  // namespace
}  // namespace tetragon::uprobe_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::uprobe_plugin::Uprobe, "tetragon.uprobe", "1.0.0",
                           "Functions and probes of programs", 2);
