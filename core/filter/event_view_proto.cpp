// SPDX-License-Identifier: Apache-2.0
#include "core/filter/event_view_proto.h"

#include "tetragon/events.pb.h"

namespace tetragon::filter {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::optional<std::string_view> find_label(const void* context, std::string_view key) {
  const auto& labels = static_cast<const tetragon::Pod*>(context)->pod_labels();
  const auto it = labels.find(std::string(key));
  if (it == labels.end()) {
    return std::nullopt;
  }
  return std::string_view(it->second);
}

template <class List>
std::uint64_t bits(const List& capabilities) {
  std::uint64_t set = 0;
  for (const int number : capabilities) {
    if (number >= 0 && number < 64) {
      set |= std::uint64_t{1} << number;
    }
  }
  return set;
}

ProcessView view_of(const tetragon::Process& process) {
  ProcessView view;
  view.present = true;
  view.exec_id = process.exec_id();
  view.parent_exec_id = process.parent_exec_id();
  view.binary = process.binary();
  view.arguments = process.arguments();
  view.docker = process.docker();
  if (process.has_pid()) {
    view.pid = process.pid().value();
  }
  if (process.has_in_init_tree()) {
    view.in_init_tree = process.in_init_tree().value();
  }
  if (process.has_pod()) {
    const tetragon::Pod& pod = process.pod();
    view.has_pod = true;
    view.pod_namespace = pod.namespace_();
    view.pod_name = pod.name();
    view.label = find_label;
    view.label_context = &pod;
    if (pod.has_container()) {
      view.has_container = true;
      view.container_name = pod.container().name();
      view.maybe_exec_probe = pod.container().maybe_exec_probe();
    }
  }
  if (process.has_cap()) {
    view.has_caps = true;
    view.caps_permitted = bits(process.cap().permitted());
    view.caps_effective = bits(process.cap().effective());
    view.caps_inheritable = bits(process.cap().inheritable());
  }
  return view;
}

const FieldDescriptor* field(const Message& event, const char* name, FieldDescriptor::CppType type) {
  const FieldDescriptor* found = event.GetDescriptor()->FindFieldByName(name);
  return found != nullptr && found->cpp_type() == type ? found : nullptr;
}

// The process block called name; every event kind uses the same names, so new kinds need no code here.
ProcessView named_process(const Message& event, const char* name) {
  const FieldDescriptor* found = field(event, name, FieldDescriptor::CPPTYPE_MESSAGE);
  if (found == nullptr || found->message_type() != tetragon::Process::descriptor() || found->is_repeated() ||
      !event.GetReflection()->HasField(event, found)) {
    return {};
  }
  return view_of(static_cast<const tetragon::Process&>(event.GetReflection()->GetMessage(event, found)));
}

const tetragon::GetEventsResponse* message_itself(void* context) {
  return static_cast<const tetragon::GetEventsResponse*>(context);
}

}  // namespace

const EventView& ProtoEventView::fill(const tetragon::GetEventsResponse& message) {
  view_ = EventView{};
  ancestors_.clear();
  view_.type = static_cast<int>(message.event_case());
  view_.message = message_itself;
  view_.message_context = const_cast<tetragon::GetEventsResponse*>(&message);  // only ever read, see message_itself
  const FieldDescriptor* which = message.GetDescriptor()->FindFieldByNumber(view_.type);
  if (which == nullptr || which->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return view_;
  }
  const Message& event = message.GetReflection()->GetMessage(message, which);
  view_.process = named_process(event, "process");
  view_.parent = named_process(event, "parent");
  const Reflection* reflection = event.GetReflection();
  if (const FieldDescriptor* list = field(event, "ancestors", FieldDescriptor::CPPTYPE_MESSAGE);
      list != nullptr && list->is_repeated() && list->message_type() == tetragon::Process::descriptor()) {
    for (int i = 0; i < reflection->FieldSize(event, list); ++i) {
      ancestors_.push_back(
          view_of(static_cast<const tetragon::Process&>(reflection->GetRepeatedMessage(event, list, i))));
    }
    view_.ancestors = ancestors_;
  }
  if (const FieldDescriptor* name = field(event, "policy_name", FieldDescriptor::CPPTYPE_STRING);
      name != nullptr && !name->is_repeated()) {
    static thread_local std::string scratch;
    view_.policy_name = reflection->GetStringReference(event, name, &scratch);
  }
  return view_;
}

}  // namespace tetragon::filter
