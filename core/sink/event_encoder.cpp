// SPDX-License-Identifier: Apache-2.0
#include "core/sink/event_encoder.h"

#include <utility>

#include "core/event/json.h"
#include "core/event/schema.h"
#include "tetragon/events.pb.h"

namespace tetragon::sink {
namespace {

void fill(const event::Process* process, filter::ProcessView& ret_view) {
  ret_view = {};
  if (process == nullptr) return;
  ret_view.present = true;
  ret_view.has_caps = process->has_caps();
  ret_view.in_init_tree = process->in_init_tree();
  ret_view.pid = process->pid();
  ret_view.exec_id = process->exec_id();
  ret_view.parent_exec_id = process->parent_exec_id();
  ret_view.binary = process->binary();
  ret_view.arguments = process->arguments();
  ret_view.docker = process->docker();
  ret_view.caps_permitted = process->cap_permitted();
  ret_view.caps_effective = process->cap_effective();
  ret_view.caps_inheritable = process->cap_inheritable();
}

}  // namespace

// Builds the whole message once per event, when a CEL expression asks for it.
struct EventEncoder::Lazy {
  const event::Writer* writer = nullptr;
  const event::EventBatch* batch = nullptr;
  const event::Event* event = nullptr;
  bool built = false;
  std::string wire;
  GetEventsResponse message;

  static const GetEventsResponse* get(void* context) {
    auto* self = static_cast<Lazy*>(context);
    if (!self->built) {
      self->wire.clear();
      self->writer->wire(*self->batch, *self->event, nullptr, self->wire);
      if (!self->message.ParseFromString(self->wire)) return nullptr;
      self->built = true;
    }
    return &self->message;
  }
};

EventEncoder::EventEncoder(const event::Writer& writer, Format format, filter::FilterSet filters,
                           event::FieldFilterPlan field_filters)
    : writer_(&writer), format_(format), filters_(std::move(filters)), field_filters_(std::move(field_filters)) {
  if (filters_.needs_message()) {
    lazy_ = std::make_unique<Lazy>();
    lazy_->writer = writer_;
  }
}

EventEncoder::~EventEncoder() = default;
EventEncoder::EventEncoder(EventEncoder&&) noexcept = default;

const filter::EventView& EventEncoder::view(const event::EventBatch& batch, const event::Event& event) {
  view_.type = static_cast<int>(event.type);
  fill(event.process.get(), view_.process);
  fill(event.parent.get(), view_.parent);
  view_.policy_name = batch.text(event.policy_name);
  if (filters_.needs_ancestors()) {
    const auto ancestors = batch.ancestors_of(event);
    ancestors_.resize(ancestors.size());
    for (size_t i = 0; i < ancestors.size(); ++i) fill(ancestors[i].get(), ancestors_[i]);
    view_.ancestors = ancestors_;
  }
  if (lazy_ != nullptr) {
    lazy_->batch = &batch;
    lazy_->event = &event;
    lazy_->built = false;
    view_.message = &Lazy::get;
    view_.message_context = lazy_.get();
  }
  return view_;
}

void EventEncoder::observe_clones(const event::EventBatch& batch, size_t index) {
  if (!filters_.needs_observe()) return;
  if (index == 0) next_clone_ = 0;  // the batch's address says nothing: the next one may lie where the last one lay
  for (; next_clone_ < batch.clones.size() && batch.clones[next_clone_].before <= index; ++next_clone_) {
    const event::Clone& source = batch.clones[next_clone_];
    const std::string exec_id = event::make_exec_id(writer_->node_name(), source.process);
    const std::string parent_exec_id = event::make_exec_id(writer_->node_name(), source.parent);
    filter::EventView clone;
    clone.process.present = clone.parent.present = true;
    clone.process.pid = source.process.pid;
    clone.process.exec_id = exec_id;
    clone.process.parent_exec_id = parent_exec_id;
    clone.parent.pid = source.parent.pid;
    clone.parent.exec_id = parent_exec_id;
    filters_.observe(clone);
  }
}

bool EventEncoder::wants(const event::EventBatch& batch, const event::Event& event) {
  if (filters_.empty()) return true;
  return filters_.matches(view(batch, event));
}

bool EventEncoder::encode(const event::EventBatch& batch, const event::Event& event, const event::Loss* lost,
                          std::string& out) {
  if (field_filters_.empty()) {
    if (format_ == Format::json) {
      writer_->json(batch, event, lost, out);
    } else {
      writer_->wire(batch, event, lost, out);
    }
    return true;
  }
  wire_.clear();
  writer_->wire(batch, event, lost, wire_);
  pruned_.clear();
  // Only malformed wire fails and this is our own; all the same, what was to be left out must not get out.
  if (!field_filters_.apply(wire_, pruned_)) return false;
  if (format_ == Format::json) return event::append_json(event::schema().event(), pruned_, out).ok();
  out += pruned_;
  return true;
}

}  // namespace tetragon::sink
