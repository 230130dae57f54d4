// SPDX-License-Identifier: Apache-2.0
// The fields of every object of the language.
#include "core/policy/reader.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

template <class T>
struct Pointer;
template <class O, class M>
struct Pointer<M O::*> {
  using Owner = O;
  using Member = M;
};

template <class T>
struct KindOf {
  static constexpr FieldKind value = FieldKind::object;
};
template <class T>
struct KindOf<std::optional<T>> {
  static constexpr FieldKind value = FieldKind::object;
};
template <>
struct KindOf<At<std::string>> {
  static constexpr FieldKind value = FieldKind::text;
};
template <>
struct KindOf<At<ListType>> {
  static constexpr FieldKind value = FieldKind::text;
};
template <>
struct KindOf<At<bool>> {
  static constexpr FieldKind value = FieldKind::boolean;
};
template <>
struct KindOf<At<uint32_t>> {
  static constexpr FieldKind value = FieldKind::number;
};
template <>
struct KindOf<At<int32_t>> {
  static constexpr FieldKind value = FieldKind::number;
};
template <class T>
struct KindOf<std::vector<T>> {
  static constexpr FieldKind value = FieldKind::objects;
};
template <>
struct KindOf<std::vector<At<std::string>>> {
  static constexpr FieldKind value = FieldKind::texts;
};
template <>
struct KindOf<std::vector<At<uint32_t>>> {
  static constexpr FieldKind value = FieldKind::numbers;
};
template <>
struct KindOf<std::vector<At<uint64_t>>> {
  static constexpr FieldKind value = FieldKind::numbers;
};
template <>
struct KindOf<std::vector<std::pair<At<std::string>, At<std::string>>>> {
  static constexpr FieldKind value = FieldKind::text_map;
};

template <auto Member>
void read_member(Reader& reader, const Item& item, void* owner, const Field& field) {
  using Owner = typename Pointer<decltype(Member)>::Owner;
  reader.into(static_cast<Owner*>(owner)->*Member, item, field);
}

template <auto Member>
Field field(std::string_view name, std::string_view help, const Object& (*object)() = nullptr) {
  Field result;
  result.name = name;
  result.kind = KindOf<typename Pointer<decltype(Member)>::Member>::value;
  result.help = help;
  result.read = read_member<Member>;
  result.object = object;
  return result;
}

Field custom(std::string_view name, FieldKind kind, std::string_view help,
             void (*read)(Reader&, const Item&, void*, const Field&), const Object& (*object)() = nullptr) {
  Field result;
  result.name = name;
  result.kind = kind;
  result.help = help;
  result.read = read;
  result.object = object;
  return result;
}

Field ignored(std::string_view name) {
  return custom(name, FieldKind::anything, "not used", nullptr);
}

std::vector<Field> argument_fields() {
  return {
      field<&Arg::index>("index", "position of the argument, from 0"),
      field<&Arg::type>("type", "what the argument is").one_of(Words::argument_type),
      field<&Arg::size_arg_index>("sizeArgIndex", "position of the argument that holds the size, from 1"),
      field<&Arg::return_copy>("returnCopy", "read when the function returns"),
      field<&Arg::max_data>("maxData", "char_buf: up to 327360 bytes"),
      field<&Arg::label>("label", "text that events carry with the value"),
      field<&Arg::resolve>("resolve", "path of members to the value, as in a.b[0].c"),
      field<&Arg::source>("source", "data: where the path begins").one_of(Words::data_source),
      field<&Arg::btf_type>("btfType", "uprobes, usdts: type of the object where the path begins"),
  };
}

const Object& argument_object() {
  static const Object object = [] {
    Object result{"an argument", "One argument: its position and its type.", argument_fields()};
    result.fields[0] = result.fields[0].required();
    return result;
  }();
  return object;
}

// The position means nothing here.
const Object& value_object() {
  static const Object object{"a value", "A value that is no argument.", argument_fields()};
  return object;
}

const Object& pid_object() {
  static const Object object{
      "matchPIDs",
      "Processes by their number.",
      {
          field<&PidSelector::op>("operator", "In or NotIn").one_of(Words::in_not_in).required(),
          field<&PidSelector::values>("values", "numbers of processes").filled().required(),
          field<&PidSelector::is_namespace_pid>("isNamespacePID", "numbers in the process' own namespace"),
          field<&PidSelector::follow_forks>("followForks", "descendants too"),
      }};
  return object;
}

const Object& namespace_object() {
  static const Object object{
      "matchNamespaces",
      "Processes by a namespace they are in.",
      {
          field<&NamespaceSelector::ns>("namespace", "kind of namespace").one_of(Words::namespace_name).required(),
          field<&NamespaceSelector::op>("operator", "In or NotIn").one_of(Words::in_not_in).required(),
          field<&NamespaceSelector::values>("values", "inode numbers, or host_ns").filled().required(),
      }};
  return object;
}

const Object& namespace_changes_object() {
  static const Object object{
      "matchNamespaceChanges",
      "Processes that changed a namespace since they began.",
      {
          field<&NamespaceChangesSelector::op>("operator", "In or NotIn").one_of(Words::in_not_in).required(),
          field<&NamespaceChangesSelector::values>("values", "kinds of namespaces")
              .one_of(Words::namespace_name)
              .filled()
              .required(),
      }};
  return object;
}

const Object& capability_object() {
  static const Object object{
      "a capability filter",
      "Processes by their capabilities.",
      {
          field<&CapabilitySelector::type>("type", "the set, Effective by default").one_of(Words::capability_set),
          field<&CapabilitySelector::op>("operator", "In or NotIn").one_of(Words::in_not_in).required(),
          field<&CapabilitySelector::is_namespace_capability>("isNamespaceCapability",
                                                              "only in another user namespace than the host's"),
          field<&CapabilitySelector::values>("values", "names of capabilities").filled().required(),
      }};
  return object;
}

const Object& binary_object() {
  static const Object object{
      "a binary filter",
      "Processes by the path of their binary.",
      {
          field<&BinarySelector::op>("operator", "how paths compare").one_of(Words::binary_operator).required(),
          field<&BinarySelector::values>("values", "paths, or their beginnings or ends").filled().required(),
          field<&BinarySelector::follow_children>("followChildren", "descendants too"),
      }};
  return object;
}

const Object& argument_filter_object() {
  static const Object object{
      "an argument filter",
      "One comparison of an argument with values.",
      {
          field<&ArgSelector::index>("index", "position of the argument, 0 by default"),
          field<&ArgSelector::args>("args", "positions in the list of arguments, instead of index")
              .at_most(TG_HOOK_ARGS),
          field<&ArgSelector::op>("operator", "the comparison").one_of(Words::argument_operator).required(),
          field<&ArgSelector::values>("values", "what the argument is compared with").filled(),
      }};
  return object;
}

const Object& action_object() {
  static const Object object{
      "an action",
      "What to do when the selector matches.",
      {
          field<&Action::name>("action", "the action").one_of(Words::action).required(),
          field<&Action::arg_error>("argError", "Override, NotifyEnforcer: value to return"),
          field<&Action::arg_sig>("argSig", "Signal, NotifyEnforcer: number of the signal"),
          field<&Action::arg_fd>("argFd", "FollowFD, UnfollowFD, CopyFD: position of the descriptor"),
          field<&Action::arg_name>("argName", "FollowFD, CopyFD: position of the file or the new descriptor"),
          field<&Action::arg_url>("argUrl", "GetUrl: the address"),
          field<&Action::arg_fqdn>("argFqdn", "DnsLookup: the name"),
          field<&Action::arg_sock>("argSock", "TrackSock, UntrackSock: position of the socket"),
          field<&Action::rate_limit>("rateLimit", "Post: interval in which the same event is reported once"),
          field<&Action::rate_limit_scope>("rateLimitScope", "Post: thread by default").one_of(Words::rate_scope),
          field<&Action::kernel_stack_trace>("kernelStackTrace", "Post: with the kernel's stack")
              .formerly("stackTrace"),
          field<&Action::user_stack_trace>("userStackTrace", "Post: with the process' stack"),
          field<&Action::ima_hash>("imaHash", "Post of lsmhooks: with the hash that IMA knows"),
          field<&Action::arg_regs>("argRegs", "Override of uprobes: registers to set").filled(),
          field<&Action::arg_index>("argIndex", "Set: position of the argument"),
          field<&Action::arg_value>("argValue", "Set: the value"),
      }};
  return object;
}

std::vector<Field> selector_fields(bool with_macros) {
  std::vector<Field> fields = {
      field<&Selector::match_pids>("matchPIDs", "by process", pid_object),
      field<&Selector::match_namespaces>("matchNamespaces", "by namespace", namespace_object)
          .at_most(TG_HOOK_NAMESPACES),
      field<&Selector::match_capabilities>("matchCapabilities", "by capability", capability_object)
          .at_most(TG_CAPS_KINDS),
      field<&Selector::match_namespace_changes>("matchNamespaceChanges", "by changed namespace",
                                                namespace_changes_object)
          .at_most(1),
      field<&Selector::match_capability_changes>("matchCapabilityChanges", "by changed capability", capability_object)
          .at_most(1),
      field<&Selector::match_binaries>("matchBinaries", "by binary", binary_object).at_most(1),
      field<&Selector::match_parent_binaries>("matchParentBinaries", "by the parent's binary", binary_object)
          .at_most(1),
      field<&Selector::match_args>("matchArgs", "by arguments", argument_filter_object).at_most(TG_HOOK_FILTERS),
      field<&Selector::match_data>("matchData", "by elements of data", argument_filter_object).at_most(TG_HOOK_FILTERS),
      field<&Selector::match_return_args>("matchReturnArgs", "by the value returned", argument_filter_object)
          .at_most(TG_HOOK_FILTERS),
      field<&Selector::match_actions>("matchActions", "what to do; Post when nothing is written", action_object)
          .at_most(3),
      field<&Selector::match_return_actions>("matchReturnActions", "what to do when matchReturnArgs matches",
                                             action_object)
          .at_most(3),
  };
  if (with_macros) {
    fields.push_back(field<&Selector::macros>("macros", "names of selectorsMacros whose filters belong here"));
  }
  return fields;
}

const Object& macro_object() {
  static const Object object{"a macro", "Filters with a name, for selectors.", selector_fields(/*with_macros=*/false)};
  return object;
}

Field args() {
  return field<&Hook::args>("args", "arguments to read", argument_object).at_most(TG_HOOK_ARGS);
}
Field data() {
  return field<&Hook::data>("data", "values that are no arguments", value_object).at_most(TG_HOOK_ARGS);
}

void append_common(std::vector<Field>& fields) {
  fields.push_back(
      field<&Hook::selectors>("selectors", "filters and actions; the first that matches decides", selector_object)
          .at_most(TG_HOOK_SELECTORS));
  fields.push_back(field<&Hook::message>("message", "text that events carry, 2 to 256 bytes"));
  fields.push_back(field<&Hook::tags>("tags", "texts that events carry, 2 to 128 bytes").at_most(16));
}

void append_return(std::vector<Field>& fields) {
  fields.push_back(field<&Hook::ret>("return", "hook the return too"));
  fields.push_back(field<&Hook::return_arg>("returnArg", "type of the value returned", value_object));
}

const Object& ignore_object() {
  static const Object object{
      "ignore",
      "Problems that are none.",
      {field<&Hook::ignore_call_not_found>("callNotFound", "a function that does not exist is left out")}};
  return object;
}

void read_ignore(Reader& reader, const Item& item, void* owner, const Field&) {
  reader.object(item.value, place_of(item), owner, ignore_object());
}

Object function_object(std::string_view name) {
  Object object{name, "Functions of the kernel.", {}};
  object.fields = {
      field<&Hook::call>("call", "name of the function or system call, or list:NAME").required(),
      field<&Hook::syscall>("syscall", "it is a system call; true by default"),
  };
  append_return(object.fields);
  object.fields.push_back(field<&Hook::return_arg_action>("returnArgAction", "what to do with the value returned")
                              .one_of(Words::socket_action));
  object.fields.push_back(args());
  object.fields.push_back(data());
  object.fields.push_back(custom("ignore", FieldKind::object, "problems that are none", read_ignore, ignore_object));
  append_common(object.fields);
  return object;
}

Object tracepoint_object() {
  Object object{"a tracepoint", "Tracepoints of the kernel.", {}};
  object.fields = {
      field<&Hook::subsystem>("subsystem", "the tracepoint's subsystem").required(),
      field<&Hook::event>("event", "the tracepoint's name").required(),
      field<&Hook::raw>("raw", "arguments as the kernel passes them, not as the format says"),
      args(),
  };
  append_common(object.fields);
  return object;
}

Object uprobe_object() {
  Object object{"a uprobe", "Functions of programs.", {}};
  object.fields = {
      field<&Hook::path>("path", "the ELF file, as the daemon sees it").required(),
      field<&Hook::symbols>("symbols", "NAME or NAME+OFFSET").formerly("symbol").filled(),
      field<&Hook::offsets>("offsets", "positions in the file").filled(),
      field<&Hook::addrs>("addrs", "addresses as the ELF file numbers them").filled(),
      field<&Hook::ref_ctr_offsets>("refCtrOffsets", "semaphores, one for each symbol or offset").filled(),
      field<&Hook::btf_path>("btfPath", "BTF of the program, for resolve"),
  };
  append_return(object.fields);
  object.fields.push_back(args());
  object.fields.push_back(data());
  append_common(object.fields);
  return object;
}

Object usdt_object() {
  Object object{"a usdt", "Static probes of programs.", {}};
  object.fields = {
      field<&Hook::path>("path", "the ELF file, as the daemon sees it").required(),
      field<&Hook::provider>("provider", "provider of the probe").required(),
      field<&Hook::name>("name", "name of the probe").required(),
      field<&Hook::btf_path>("btfPath", "BTF of the program, for resolve"),
      args(),
  };
  append_common(object.fields);
  return object;
}

Object lsm_object() {
  Object object{"an lsmhook", "Hooks of the kernel's security modules.", {}};
  object.fields = {field<&Hook::call>("hook", "name of the hook, without bpf_lsm_").required(), args()};
  append_common(object.fields);
  return object;
}

template <Section S>
const Object& section_object() {
  return hook_object(S);
}

template <Section S>
void read_hooks(Reader& reader, const Item& item, void* owner, const Field& field) {
  auto& policy = *static_cast<Policy*>(owner);
  uint32_t number = 0;
  reader.list(item, field, [&](const yaml::Node& node, Place place) {
    Hook hook;
    hook.section = S;
    hook.number = number++;
    hook.place = place;
    hook.syscall.value = S == Section::kprobes || S == Section::fentries;
    reader.object(node, place, &hook, hook_object(S));
    policy.hooks.push_back(std::move(hook));
  });
}

template <Section S>
Field section(std::string_view help) {
  return custom(to_string(S), FieldKind::objects, help, read_hooks<S>, section_object<S>);
}

bool read_attribute(Reader& reader, const Item& item, void* owner) {
  auto& hook = *static_cast<PluginHook*>(owner);
  const Reader::Scope scope(reader, "." + item.key.text);
  if (!item.value.is_scalar()) {
    reader.error(place_of(item), "a text, a number or a bool is expected in a plugin's section");
    return true;
  }
  hook.attributes[item.key.text] = {item.value.text, place_of(item)};
  return true;
}

void read_plugin_section(Reader& reader, const Item& item, Policy& policy) {
  const Reader::Scope scope(reader, "." + item.key.text);
  const Field any;
  uint32_t number = 0;
  reader.list(item, any, [&](const yaml::Node& node, Place place) {
    PluginHook hook;
    hook.section = {item.key.text, item.key.place};
    hook.hook.number = number++;
    hook.hook.place = place;
    reader.object(node, place, &hook, plugin_hook_object(), read_attribute);
    policy.plugin_hooks.push_back(std::move(hook));
  });
}

template <auto Member>
void read_plugin_member(Reader& reader, const Item& item, void* owner, const Field& field) {
  reader.into(static_cast<PluginHook*>(owner)->hook.*Member, item, field);
}

template <auto Member>
Field plugin_field(Field like) {
  like.read = read_plugin_member<Member>;
  return like;
}

constexpr std::size_t max_macros = 256;

void read_macros(Reader& reader, const Item& item, void*, const Field&) {
  if (!item.value.is_map()) {
    reader.error(place_of(item), "a map of names and their filters is expected");
    return;
  }
  if (item.value.items.size() / 2 > max_macros) {
    reader.error(place_of(item), "has more than " + std::to_string(max_macros) + " macros");
    return;
  }
  for (std::size_t i = 0; i + 1 < item.value.items.size(); i += 2) {
    const Item entry{item.value.items[i], item.value.items[i + 1]};
    const Reader::Scope scope(reader, "." + to_utf8(entry.key.text.substr(0, 80)));
    if (!entry.key.is_scalar() || entry.key.text.empty()) {
      reader.error(entry.key.place, "the name of a macro is expected");
      continue;
    }
    Reader::Macro macro;
    macro.place = entry.key.place;
    macro.weight = yaml::count(entry.value);
    macro.selector.place = place_of(entry);
    reader.object(entry.value, macro.selector.place, &macro.selector, macro_object());
    if (!reader.macros().emplace(entry.key.text, std::move(macro)).second) {
      reader.error(entry.key.place, "this macro is defined twice");
    }
  }
}

const Object& expression_object() {
  static const Object object{
      "a label expression",
      "One condition on labels.",
      {
          field<&LabelSelector::Expression::key>("key", "the label").required(),
          field<&LabelSelector::Expression::op>("operator", "the condition").one_of(Words::label_operator).required(),
          field<&LabelSelector::Expression::values>("values", "values of In and NotIn"),
      }};
  return object;
}

const Object& label_selector_object() {
  static const Object object{
      "a label selector",
      "Conditions on labels, all of which hold.",
      {
          field<&LabelSelector::match_labels>("matchLabels", "labels and their values"),
          field<&LabelSelector::match_expressions>("matchExpressions", "conditions", expression_object),
      }};
  return object;
}

const Object& list_object() {
  static const Object object{"a list",
                             "Names that hooks share.",
                             {
                                 field<&List::name>("name", "the list's name").required(),
                                 field<&List::type>("type", "what the values are").one_of(Words::list_type),
                                 field<&List::values>("values", "functions or system calls"),
                                 field<&List::pattern>("pattern", "generated_ftrace: a regular expression"),
                                 ignored("validated"),
                             }};
  return object;
}

const Object& enforcer_object() {
  static const Object object{"an enforcer",
                             "Calls that NotifyEnforcer answers.",
                             {field<&Enforcer::calls>("calls", "system calls, security_ functions, list:NAME")
                                  .formerly("syscalls")
                                  .filled()
                                  .required()}};
  return object;
}

const Object& option_object() {
  static const Object object{
      "an option",
      "A setting of the policy.",
      {field<&Option::name>("name", "the option").required(), field<&Option::value>("value", "its value")}};
  return object;
}

const Object& metadata_object() {
  static const Object object = [] {
    Object result{"metadata",
                  "Name of the policy.",
                  {
                      field<&Policy::name>("name", "lower case letters, digits, '-' and '.'").required(),
                      field<&Policy::namespace_>("namespace", "TracingPolicyNamespaced: whose pods").nullable(),
                  }};
    for (const std::string_view name :
         {"labels", "annotations", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
          "finalizers", "ownerReferences", "generateName", "selfLink"}) {
      result.fields.push_back(ignored(name));
    }
    return result;
  }();
  return object;
}

bool read_unknown_section(Reader& reader, const Item& item, void* owner) {
  if (!reader.vocabulary().has_section(item.key.text)) return false;
  read_plugin_section(reader, item, *static_cast<Policy*>(owner));
  return true;
}

void read_kind(Reader& reader, const Item& item, void* owner, const Field& field) {
  At<std::string> kind;
  reader.into(kind, item, field);
  static_cast<Policy*>(owner)->namespaced = *kind == "TracingPolicyNamespaced";
}

void read_api_version(Reader& reader, const Item& item, void*, const Field& field) {
  At<std::string> version;
  reader.into(version, item, field);
}

template <const Object& (*Of)()>
void read_same_owner(Reader& reader, const Item& item, void* owner, const Field&) {
  reader.object(item.value, place_of(item), owner, Of(), Of == &spec_object ? read_unknown_section : nullptr);
}

}  // namespace

const Object& selector_object() {
  static const Object object{"a selector", "Filters, all of which hold, and actions.",
                             selector_fields(/*with_macros=*/true)};
  return object;
}

const Object& hook_object(Section section) {
  static const Object objects[] = {function_object("a kprobe"),
                                   function_object("a fentry"),
                                   tracepoint_object(),
                                   uprobe_object(),
                                   usdt_object(),
                                   lsm_object()};
  return objects[static_cast<std::size_t>(section)];
}

const Object& plugin_hook_object() {
  static const Object object = [] {
    Object result{"a plugin's hook", "A hook of a section that a plugin serves.", {}};
    result.fields = {
        plugin_field<&Hook::args>(args()),
        plugin_field<&Hook::data>(data()),
    };
    std::vector<Field> common;
    append_return(common);
    append_common(common);
    result.fields.push_back(plugin_field<&Hook::ret>(common[0]));
    result.fields.push_back(plugin_field<&Hook::return_arg>(common[1]));
    result.fields.push_back(plugin_field<&Hook::selectors>(common[2]));
    result.fields.push_back(plugin_field<&Hook::message>(common[3]));
    result.fields.push_back(plugin_field<&Hook::tags>(common[4]));
    return result;
  }();
  return object;
}

const Object& spec_object() {
  static const Object object{
      "spec",
      "What to observe.",
      {
          section<Section::kprobes>("functions of the kernel, by the best means there is"),
          section<Section::fentries>("functions of the kernel, by fentry"),
          section<Section::tracepoints>("tracepoints of the kernel"),
          section<Section::uprobes>("functions of programs"),
          section<Section::usdts>("static probes of programs"),
          section<Section::lsmhooks>("hooks of the kernel's security modules"),
          field<&Policy::loader>("loader", "report every executable file that is mapped"),
          field<&Policy::pod_selector>("podSelector", "only these pods", label_selector_object).nullable(),
          field<&Policy::container_selector>("containerSelector", "only these containers", label_selector_object)
              .nullable(),
          field<&Policy::host_selector>("hostSelector", "{}: the host too", label_selector_object).nullable(),
          field<&Policy::lists>("lists", "names that hooks share", list_object).at_most(1024),
          field<&Policy::enforcers>("enforcers", "calls that NotifyEnforcer answers", enforcer_object)
              .formerly("killers")
              .at_most(1),
          field<&Policy::options>("options", "settings of the policy", option_object).at_most(64),
          custom("selectorsMacros", FieldKind::object_map, "filters with names", read_macros, macro_object),
      }};
  return object;
}

const Object& root_object() {
  static const Object object{
      "a policy",
      "A tracing policy.",
      {
          custom("apiVersion", FieldKind::text, "cilium.io/v1alpha1", read_api_version)
              .one_of(Words::api_version)
              .required(),
          custom("kind", FieldKind::text, "TracingPolicy or TracingPolicyNamespaced", read_kind)
              .one_of(Words::resource_kind)
              .required(),
          custom("metadata", FieldKind::object, "name of the policy", read_same_owner<metadata_object>, metadata_object)
              .required(),
          custom("spec", FieldKind::object, "what to observe", read_same_owner<spec_object>, spec_object).required(),
          ignored("status"),
      }};
  return object;
}

}  // namespace tetragon::policy
