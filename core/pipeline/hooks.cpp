// SPDX-License-Identifier: Apache-2.0
// The part of the pipeline that knows the hooks of policies.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/hook/body.h"
#include "core/pipeline/pipeline.h"
#include "core/util/time.h"

namespace tetragon::pipeline {
namespace {

constexpr uint32_t kForgetAfterFlushes = 2;  // the reader has looked at all that was in the ring

constexpr size_t kDefinitionSize = TG_RECORD_MAX / 2;

}  // namespace

void Pipeline::add_arg_type(const tetragon_arg_type& type) {
  std::lock_guard lock(mutex_);
  arg_types_.push_back(&type);
}

Result<void> Pipeline::define_hook(const hook::HookInfo& info) {
  std::lock_guard lock(mutex_);
  std::erase_if(detached_, [&](const Detached& one) { return one.hook == info.id; });
  calls_.end_hook(info.id);
  TETRAGON_TRY(hooks_.define(info));
  if (recording_ == nullptr) return {};
  std::string body;
  size_t next = 0;
  do {
    body.clear();
    next = hook::append_definition(info, next, kDefinitionSize, body);
    record_definition(hook::kRecordDefine, body);
  } while (next < info.instances.size());
  return {};
}

void Pipeline::forget_hook(uint32_t id) {
  std::lock_guard lock(mutex_);
  if (hooks_.find(id) != nullptr) detached_.push_back({id, static_cast<uint64_t>(boot_now_ns()), 0});
}

void Pipeline::forget_now(uint32_t id) {
  calls_.end_hook(id);
  hooks_.forget(id);
}

void Pipeline::forget_detached() {
  const auto now = static_cast<uint64_t>(boot_now_ns());
  std::erase_if(detached_, [&](Detached& one) {
    if (++one.flushes < kForgetAfterFlushes || now - one.since_ns < forget_delay_ns_) return false;
    forget_now(one.hook);
    if (recording_ != nullptr) {
      record_definition(hook::kRecordForget, {reinterpret_cast<const char*>(&one.hook), sizeof(one.hook)});
    }
    return true;
  });
}

void Pipeline::record_definition(uint16_t kind, std::string_view body) {
  std::vector<uint64_t> words((sizeof(tg_record) + body.size() + 7) / 8);
  tg_record head{};
  head.size = static_cast<uint32_t>(sizeof(head) + body.size());
  head.kind = kind;  // of plugin number 0, which is nobody's
  head.cpu = TG_CPU_USER;
  head.time_ns = static_cast<uint64_t>(boot_now_ns());
  auto* bytes = reinterpret_cast<char*>(words.data());
  std::memcpy(bytes, &head, sizeof(head));
  std::copy(body.begin(), body.end(), bytes + sizeof(head));
  recording_->append(words.data(), head.size);
}

bool Pipeline::on_definition(const void* record, size_t size, const tg_record& head) {
  const std::string_view body(static_cast<const char*>(record) + sizeof(head), size - sizeof(head));
  if (head.kind == hook::kRecordForget) {
    uint32_t id = 0;
    if (body.size() < sizeof(id)) return false;
    std::memcpy(&id, body.data(), sizeof(id));
    forget_now(id);
    return true;
  }
  if (head.kind != hook::kRecordDefine) return false;
  const auto definition = hook::parse_definition(body);
  if (!definition) return false;
  const hook::HookInfo& info = definition->info;
  return definition->extends ? hooks_.extend(info.id, info.instances).ok() : hooks_.define(info).ok();
}

// Values that did not fit into the record are put in their place.
bool Pipeline::join_pieces(hook::Record& record) {
  for (size_t slot = 0; slot < record.values.size(); ++slot) {
    hook::Value& value = record.values[slot];
    if ((value.flags & TG_ARG_PIECES) == 0) continue;
    uint64_t id = 0;
    if (value.bytes.size() < sizeof(id)) return false;
    std::memcpy(&id, value.bytes.data(), sizeof(id));
    std::string& joined = hook_pieces_[slot];
    joined = tracker_.data().take(id);
    if (joined.empty() && value.full_size != 0) ++hook_stats_.data_missing;  // shown as cut to nothing
    value.bytes = joined;
    value.flags &= static_cast<uint8_t>(~TG_ARG_PIECES);
  }
  return true;
}

void Pipeline::set_stacks(std::unique_ptr<stack::Symbolizer> symbolizer, bool addresses) {
  std::lock_guard lock(mutex_);
  symbolizer_ = std::move(symbolizer);
  stack_addresses_ = addresses;
}

void Pipeline::prepare_stacks() {
  std::lock_guard lock(mutex_);
  if (symbolizer_ != nullptr) symbolizer_->prepare_kernel();
}

stack::Stats Pipeline::stack_stats() const {
  std::lock_guard lock(mutex_);
  return symbolizer_ == nullptr ? stack::Stats() : symbolizer_->stats();
}

void Pipeline::find_stacks(const hook::Record& record, hook::Stacks& ret_stacks) {
  const std::string_view kernel = record.extra(TG_SLOT_KERNEL_STACK).bytes;
  const std::string_view user = record.extra(TG_SLOT_USER_STACK).bytes;
  ret_stacks.addresses = stack_addresses_;
  if (!kernel.empty()) {
    if (symbolizer_ != nullptr) {
      const auto frames = symbolizer_->kernel(kernel);
      kernel_frames_.assign(frames.begin(), frames.end());
    } else {
      stack::read_addresses(kernel, kernel_frames_);
    }
    ret_stacks.kernel = kernel_frames_;
  }
  if (!user.empty()) {
    if (symbolizer_ != nullptr) {
      const auto frames = symbolizer_->user(
          {.pid = record.process.pid, .start_ns = record.process.start_ns, .time_ns = record.time_ns}, user);
      user_frames_.assign(frames.begin(), frames.end());
    } else {
      stack::read_addresses(user, user_frames_);
    }
    ret_stacks.user = user_frames_;
  }
}

bool Pipeline::send_hook(const hook::Hook& hook, const hook::Record& record) {
  hook_body_.clear();
  hook::PolicyName policy;
  hook::Stacks stacks;
  find_stacks(record, stacks);
  if (!hook::append_body(hook, record, arg_context_, hook_body_, policy, stacks)) return false;
  ++hook_stats_.events;
  ++hook.events;
  process::HookEvent event;
  event.type = hook.type;
  event.process = record.process;
  event.tid = record.tid;
  event.time_ns = record.time_ns;
  event.body = hook_body_;
  event.policy_offset = policy.offset;
  event.policy_size = policy.size;
  tracker_.on_hook(event);
  return true;
}

void Pipeline::set_act(Act act) {
  std::lock_guard lock(mutex_);
  act_ = std::move(act);
}

// Once a call: when it is entered.
void Pipeline::act(const hook::Hook& hook, const hook::SelectorInfo& selector, hook::Record& record) {
  if (!act_ || (record.phase != TG_PHASE_ONLY && record.phase != TG_PHASE_ENTER)) return;
  for (const hook::SelectorInfo::UserAction& one : selector.user_actions) {
    record.dropped = !act_(one, record.process, std::string_view(hook.policy_field).substr(hook.policy_offset));
  }
}

void Pipeline::on_hook(const tetragon_hook_event& event) {
  ++hook_stats_.records;
  const hook::Hook* hook = hooks_.find(event.hook);
  if (hook == nullptr) {
    ++hook_stats_.unknown;
    refused_ = true;
    return;
  }
  hook::Record record;
  bool good = hook::read_event(event, record) && join_pieces(record);
  const hook::SelectorInfo* selector =
      record.selector < hook->selectors.size() ? &hook->selectors[record.selector] : nullptr;
  const bool silent = selector != nullptr && selector->silent;
  if (good && selector != nullptr && !selector->user_actions.empty()) act(*hook, *selector, record);
  if (good) {
    switch (record.phase) {
      case TG_PHASE_ONLY: good = silent || send_hook(*hook, record); break;
      case TG_PHASE_ENTER:
        if (!silent) calls_.enter(record);
        break;
      case TG_PHASE_RETURN:
        if (const hook::Record* whole = calls_.complete(record)) good = send_hook(*hook, *whole);
        break;
      case TG_PHASE_CANCEL: calls_.cancel(record); break;
      default: good = false;
    }
  }
  for (std::string& joined : hook_pieces_) {
    if (!joined.empty()) std::string().swap(joined);  // may be large, and is rare
  }
  if (good) return;
  ++hook_stats_.undecodable;
  refused_ = true;
}

void Pipeline::on_loader(const tetragon_loader_event& event) {
  hook_body_.clear();
  hook::append_loader_body(event, hook_body_);
  process::HookEvent made;
  made.type = event::Type::process_loader;
  made.process = {.start_ns = event.process.start_ns, .pid = event.process.pid};
  made.tid = event.tid;
  made.time_ns = event.time_ns;
  made.body = hook_body_;
  tracker_.on_hook(made);
}

uint64_t Pipeline::hook_events(uint32_t id) const {
  std::lock_guard lock(mutex_);
  const hook::Hook* hook = hooks_.find(id);
  return hook == nullptr ? 0 : hook->events;
}

HookStats Pipeline::hook_stats() const {
  std::lock_guard lock(mutex_);
  HookStats stats = hook_stats_;
  stats.hooks = hooks_.size();
  stats.calls = calls_.stats();
  return stats;
}

}  // namespace tetragon::pipeline
