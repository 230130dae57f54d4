// SPDX-License-Identifier: Apache-2.0
#include "core/policy/types.h"

#include <algorithm>
#include <array>

namespace tetragon::policy {
namespace {

using hook::ArgType;

constexpr uint32_t in_kernel = in_kprobes | in_fentries | in_tracepoints | in_lsmhooks;

// What a section cannot have, it refuses here; what a kernel cannot have, at load.
constexpr auto types = std::to_array<ArgumentType>({
    {ArgType::automatic, TG_TYPE_NONE, 0, false, group_none, in_tracepoints, "as the tracepoint's format says"},
    {ArgType::int_, TG_TYPE_NUMBER, 4, true, group_number, in_all, "signed, 32 bits"},
    {ArgType::int8, TG_TYPE_NUMBER, 1, true, group_number, in_all, "signed, 8 bits"},
    {ArgType::int16, TG_TYPE_NUMBER, 2, true, group_number, in_all, "signed, 16 bits"},
    {ArgType::int32, TG_TYPE_NUMBER, 4, true, group_number, in_all, "signed, 32 bits"},
    {ArgType::int64, TG_TYPE_NUMBER, 8, true, group_number, in_all, "signed, 64 bits"},
    {ArgType::uint8, TG_TYPE_NUMBER, 1, false, group_number, in_all, "unsigned, 8 bits"},
    {ArgType::uint16, TG_TYPE_NUMBER, 2, false, group_number, in_all, "unsigned, 16 bits"},
    {ArgType::uint32, TG_TYPE_NUMBER, 4, false, group_number, in_all, "unsigned, 32 bits"},
    {ArgType::uint64, TG_TYPE_NUMBER, 8, false, group_number, in_all, "unsigned, 64 bits"},
    {ArgType::size_t_, TG_TYPE_NUMBER, 8, false, group_number, in_all, "unsigned, 64 bits"},
    {ArgType::string, TG_TYPE_STRING, 0, false, group_text, in_all, "text that ends with a NUL, user or kernel memory"},
    {ArgType::filename, TG_TYPE_FILENAME, 0, false, group_text, in_kernel, "struct filename"},
    {ArgType::char_buf, TG_TYPE_BYTES, 0, false, group_text, in_all, "bytes; the size is another argument"},
    {ArgType::char_iovec, TG_TYPE_IOVEC, 0, false, group_none, in_all, "array of struct iovec, at most 8"},
    {ArgType::iov_iter, TG_TYPE_IOV_ITER, 0, false, group_none, in_kernel, "struct iov_iter"},
    {ArgType::const_buf, TG_TYPE_FIXED_BYTES, 0, false, group_none, in_tracepoints, "array of a tracepoint"},
    {ArgType::data_loc, TG_TYPE_DATA_LOC, 0, false, group_text, in_tracepoints, "__data_loc text of a tracepoint"},
    {ArgType::fd, TG_TYPE_FD, 4, true, group_path, in_all, "number of an open file"},
    {ArgType::file, TG_TYPE_FILE, 0, false, group_path, in_all, "struct file"},
    {ArgType::path, TG_TYPE_PATH, 0, false, group_path, in_all, "struct path"},
    {ArgType::dentry, TG_TYPE_DENTRY, 0, false, group_path, in_all,
     "struct dentry: the path inside of its file system"},
    {ArgType::kiocb, TG_TYPE_KIOCB, 0, false, group_path, in_kernel, "struct kiocb"},
    {ArgType::linux_binprm, TG_TYPE_BINPRM, 0, false, group_path, in_kernel,
     "struct linux_binprm: the path of its file"},
    {ArgType::net_device, TG_TYPE_NET_DEVICE, 0, false, group_text, in_kernel, "struct net_device: its name"},
    {ArgType::sock, TG_TYPE_SOCK, 0, false, group_network, in_kernel, "struct sock"},
    {ArgType::socket, TG_TYPE_SOCKET, 0, false, group_network, in_kernel, "struct socket"},
    {ArgType::skb, TG_TYPE_SKB, 0, false, group_network, in_kernel, "struct sk_buff"},
    {ArgType::sockaddr, TG_TYPE_SOCKADDR, 0, false, group_sockaddr, in_all, "struct sockaddr of IPv4 or IPv6"},
    {ArgType::sockaddr_un, TG_TYPE_SOCKADDR_UN, 0, false, group_sockaddr_un, in_all, "struct sockaddr_un"},
    {ArgType::cred, TG_TYPE_CRED, 0, false, group_none, in_all, "struct cred"},
    {ArgType::user_namespace, TG_TYPE_USER_NS, 0, false, group_none, in_all, "struct user_namespace"},
    {ArgType::capability, TG_TYPE_NUMBER, 4, true, group_number, in_kernel, "number of a capability"},
    {ArgType::kernel_cap_t, TG_TYPE_CAP_SET, 8, false, group_capabilities, in_all, "kernel_cap_t"},
    {ArgType::cap_inheritable, TG_TYPE_CAP_SET, 8, false, group_capabilities, in_all, "kernel_cap_t"},
    {ArgType::cap_permitted, TG_TYPE_CAP_SET, 8, false, group_capabilities, in_all, "kernel_cap_t"},
    {ArgType::cap_effective, TG_TYPE_CAP_SET, 8, false, group_capabilities, in_all, "kernel_cap_t"},
    {ArgType::bpf_attr, TG_TYPE_BPF_ATTR, 0, false, group_none, in_kernel, "union bpf_attr"},
    {ArgType::bpf_map, TG_TYPE_BPF_MAP, 0, false, group_none, in_kernel, "struct bpf_map"},
    {ArgType::bpf_prog, TG_TYPE_BPF_PROG, 0, false, group_none, in_kernel, "struct bpf_prog"},
    {ArgType::bpf_cmd, TG_TYPE_NUMBER, 4, true, group_number, in_kernel, "command of bpf(2)"},
    {ArgType::perf_event, TG_TYPE_PERF_EVENT, 0, false, group_none, in_kernel, "struct perf_event"},
    {ArgType::load_info, TG_TYPE_LOAD_INFO, 0, false, group_none, in_kernel, "struct load_info"},
    {ArgType::module, TG_TYPE_MODULE, 0, false, group_none, in_kernel, "struct module"},
    {ArgType::syscall64, TG_TYPE_SYSCALL, 8, false, group_number, in_tracepoints, "number of a system call"},
    {ArgType::nop, TG_TYPE_NONE, 0, false, group_none, in_all, "not reported"},
});

constexpr uint32_t any_text = group_text | group_path | group_sockaddr_un;
constexpr uint32_t addresses = group_network | group_sockaddr;

const std::vector<Operator>& operator_table() {
  static const std::vector<Operator> table = {
      {"Equal",
       {"eq"},
       group_number | group_capabilities | any_text,
       ValueKind::number,
       0,
       false,
       "is one of the values"},
      {"NotEqual",
       {"neq"},
       group_number | group_capabilities | any_text,
       ValueKind::number,
       0,
       true,
       "is none of the values"},
      {"GT",
       {"GreaterThan"},
       group_number | group_capabilities,
       ValueKind::number,
       TG_HOOK_VALUES,
       false,
       "is greater than one of the values"},
      {"LT",
       {"LessThan"},
       group_number | group_capabilities,
       ValueKind::number,
       TG_HOOK_VALUES,
       false,
       "is less than one of the values"},
      {"Mask",
       {},
       group_number | group_capabilities,
       ValueKind::number,
       TG_HOOK_VALUES,
       false,
       "has a bit of one of the values"},
      {"InRange", {}, group_number, ValueKind::range, TG_HOOK_VALUES / 2, false, "lies in min:max, both included"},
      {"NotInRange", {}, group_number, ValueKind::range, TG_HOOK_VALUES / 2, true, "lies in no min:max"},
      {"InMap", {}, group_number, ValueKind::set, 0, false, "is in a set: numbers, a:b, list:NAME"},
      {"NotInMap", {}, group_number, ValueKind::set, 0, true, "is not in a set: numbers, a:b, list:NAME"},
      {"CelExpr", {}, group_number, ValueKind::expression, 1, false, "a CEL expression over arg0 .. arg4 is true"},
      {"Prefix", {}, any_text, ValueKind::prefix, 0, false, "begins with one of the values"},
      {"NotPrefix", {}, any_text, ValueKind::prefix, 0, true, "begins with none of the values"},
      {"Postfix", {}, any_text, ValueKind::postfix, 0, false, "ends with one of the values"},
      {"NotPostfix", {}, group_text | group_path, ValueKind::postfix, 0, true, "ends with none of the values"},
      {"SubString", {}, group_text, ValueKind::substring, 100, false, "contains one of the values"},
      {"SubStringIgnCase", {}, group_text, ValueKind::substring, 100, false, "contains one of the values, any case"},
      {"FileType", {}, group_path, ValueKind::file_type, TG_HOOK_VALUES, false, "the file is of one of these kinds"},
      {"NotFileType", {}, group_path, ValueKind::file_type, TG_HOOK_VALUES, true, "the file is of none of these kinds"},
      {"SAddr", {}, addresses, ValueKind::address, 0, false, "source address or network"},
      {"NotSAddr", {}, addresses, ValueKind::address, 0, true, "source address or network"},
      {"DAddr", {}, group_network, ValueKind::address, 0, false, "destination address or network"},
      {"NotDAddr", {}, group_network, ValueKind::address, 0, true, "destination address or network"},
      {"SPort", {}, addresses, ValueKind::port, 0, false, "source port or range a:b"},
      {"NotSPort", {}, addresses, ValueKind::port, 0, true, "source port or range a:b"},
      {"DPort", {}, group_network, ValueKind::port, 0, false, "destination port or range a:b"},
      {"NotDPort", {}, group_network, ValueKind::port, 0, true, "destination port or range a:b"},
      {"SPortPriv", {}, addresses, ValueKind::none, 0, false, "source port below 1024"},
      {"NotSPortPriv", {"NotSportPriv"}, addresses, ValueKind::none, 0, true, "source port from 1024"},
      {"DPortPriv", {}, group_network, ValueKind::none, 0, false, "destination port below 1024"},
      {"NotDPortPriv", {}, group_network, ValueKind::none, 0, true, "destination port from 1024"},
      {"Protocol", {}, group_network, ValueKind::protocol, TG_HOOK_VALUES, false, "IPPROTO_TCP, or a number"},
      {"Family", {}, addresses | group_sockaddr_un, ValueKind::family, TG_HOOK_VALUES, false, "AF_INET, or a number"},
      {"State", {}, group_network, ValueKind::state, TG_HOOK_VALUES, false, "TCP_ESTABLISHED, or a number"},
      {"CapabilitiesGained", {}, group_capabilities, ValueKind::none, 0, false, "args: [new, old]: new has more"},
      {"In", {}, 0, ValueKind::text, 0, false, "is one of the values"},
      {"NotIn", {}, 0, ValueKind::text, 0, true, "is none of the values"},
  };
  return table;
}

constexpr uint32_t in_functions = in_kprobes | in_fentries;
constexpr uint32_t may_signal = in_all & ~in_fentries;

constexpr auto action_table = std::to_array<ActionType>({
    {"Post", "", field_rate | field_stack | field_ima, 0, in_all, false, "report the event (the default)"},
    {"FollowFD", "", field_fd | field_name, 0, in_functions, false, "remember the name of a descriptor (deprecated)"},
    {"Sigkill", "", 0, 0, may_signal, true, "kill the process"},
    {"UnfollowFD", "", field_fd | field_name, 0, in_functions, false, "forget the name of a descriptor (deprecated)"},
    {"Override", "", field_error | field_regs, 0, in_kprobes | in_lsmhooks | in_uprobes, true,
     "return argError instead"},
    {"CopyFD", "", field_fd | field_name, 0, in_functions, false, "copy the name of a descriptor (deprecated)"},
    {"GetUrl", "", field_url, field_url, in_all & ~in_lsmhooks, false, "HTTP GET, by the daemon"},
    {"DnsLookup", "", field_fqdn, field_fqdn, in_all & ~in_lsmhooks, false, "resolve a name, by the daemon"},
    {"NoPost", "", 0, 0, in_all, false, "do not report the event"},
    {"Signal", "", field_sig, field_sig, may_signal, true, "send signal argSig to the process"},
    {"TrackSock", "", field_sock, 0, in_functions, false, "remember the process of a socket"},
    {"UntrackSock", "", field_sock, 0, in_functions, false, "forget the process of a socket"},
    {"NotifyEnforcer", "NotifyKiller", field_error | field_sig, 0, in_all & ~in_fentries & ~in_lsmhooks, true,
     "let spec.enforcers answer for this call"},
    {"CleanupEnforcerNotification", "", 0, 0, in_all & ~in_fentries & ~in_lsmhooks, false, "take a notification back"},
    {"Set", "", field_index | field_value, field_value, in_usdts, true, "write argValue into an argument"},
});

const std::vector<OptionType>& option_table() {
  static const std::vector<OptionType> table = {
      {"disable-kprobe-multi", {}, "attach each function on its own"},
      {"disable-uprobe-multi", {}, "attach each place on its own"},
      {"override-method", {"override-return", "fmod-ret"}, "how enforcers make a call fail"},
      {"policy-mode", {"enforce", "monitor"}, "monitor: report, but do not act"},
      {"enforcement-guard",
       {"on", "off"},
       "off: actions may hit pid 1 and the daemon, and every process on a hook that all of them pass"},
      {"backend",
       {"auto", "fentry", "kprobe-multi", "kprobe", "syscall-tracepoint", "kprobe_multi", "syscall"},
       "how functions are hooked; without it the best the kernel has"},
  };
  return table;
}

bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

}  // namespace

std::span<const ArgumentType> argument_types() noexcept {
  return types;
}

const ArgumentType* find_argument_type(std::string_view name) noexcept {
  const ArgType type = hook::arg_type(name);
  if (type == ArgType::none) return nullptr;
  for (const ArgumentType& one : types) {
    if (one.type == type) return &one;
  }
  return nullptr;
}

std::span<const Operator> operators() noexcept {
  return operator_table();
}

const Operator* find_operator(std::string_view name) noexcept {
  for (const Operator& one : operator_table()) {
    if (same_word(one.name, name)) return &one;
    for (const std::string_view other : one.other) {
      if (same_word(other, name)) return &one;
    }
  }
  return nullptr;
}

std::span<const ActionType> actions() noexcept {
  return action_table;
}

const ActionType* find_action(std::string_view name) noexcept {
  for (const ActionType& one : action_table) {
    if (same_word(one.name, name) || (!one.other.empty() && same_word(one.other, name))) return &one;
  }
  return nullptr;
}

std::span<const OptionType> option_types() noexcept {
  return option_table();
}

const Vocabulary::Type* Vocabulary::find_type(std::string_view name) const noexcept {
  const auto found = std::find_if(types.begin(), types.end(), [name](const Type& one) { return one.name == name; });
  return found == types.end() ? nullptr : &*found;
}

const Vocabulary::Operator* Vocabulary::find_operator(std::string_view name) const noexcept {
  const auto found =
      std::find_if(operators.begin(), operators.end(), [name](const Operator& one) { return one.name == name; });
  return found == operators.end() ? nullptr : &*found;
}

bool Vocabulary::has_section(std::string_view name) const noexcept {
  return std::find(sections.begin(), sections.end(), name) != sections.end();
}

const Vocabulary::Action* Vocabulary::find_action(std::string_view name) const noexcept {
  const auto found = std::find_if(actions.begin(), actions.end(), [&](const Action& one) { return one.name == name; });
  return found == actions.end() ? nullptr : &*found;
}

Group group_of(std::string_view type, const Vocabulary& vocabulary) noexcept {
  if (const ArgumentType* found = find_argument_type(type)) return found->group;
  const Vocabulary::Type* added = vocabulary.find_type(type);
  return added == nullptr ? group_none : added->group;
}

std::vector<std::string_view> operators_of(Group group, const Vocabulary& vocabulary) {
  std::vector<std::string_view> names;
  for (const Operator& one : operator_table()) {
    if ((one.groups & group) != 0) names.push_back(one.name);
  }
  for (const Vocabulary::Operator& one : vocabulary.operators) {
    if (one.group == group && group != group_none) names.emplace_back(one.name);
  }
  return names;
}

}  // namespace tetragon::policy
