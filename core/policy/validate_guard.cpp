// SPDX-License-Identifier: Apache-2.0
// The guard against policies that stop the machine: actions that hit all processes on a hook that all of them pass.
#include <algorithm>
#include <set>

#include "core/policy/validate_impl.h"

namespace tetragon::policy {
namespace {

// Places that every process passes all the time. Names without the prefixes of system calls and LSM hooks.
const std::set<std::string_view>& hot_names() {
  static const std::set<std::string_view> names = {
      // system calls
      "read", "write", "readv", "writev", "preadv", "pwritev", "pread64", "pwrite64", "open", "openat", "openat2",
      "close", "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
      "readlinkat", "getdents64", "lseek", "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "futex", "clone",
      "clone3", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "poll", "ppoll",
      "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_ctl", "nanosleep", "clock_nanosleep", "rt_sigaction",
      "rt_sigprocmask", "rt_sigreturn", "ioctl", "fcntl", "dup", "dup2", "pipe", "pipe2", "socket", "connect", "sendto",
      "recvfrom", "sendmsg", "recvmsg", "getpid", "gettid", "sched_yield", "rseq", "set_robust_list", "set_tid_address",
      "arch_prctl", "getrandom",
      // LSM hooks and security_ functions
      "file_permission", "file_open", "file_receive", "file_free", "file_alloc", "inode_permission", "inode_getattr",
      "inode_follow_link", "inode_readlink", "d_instantiate", "path_unlink", "mmap_file", "mmap_addr", "file_mprotect",
      "file_ioctl", "file_fcntl", "task_alloc", "task_free", "task_kill", "bprm_check", "bprm_check_security",
      "bprm_creds_for_exec", "bprm_creds_from_file", "bprm_committing_creds", "bprm_committed_creds", "capable",
      "cred_prepare", "cred_free", "socket_create", "socket_connect", "socket_sendmsg", "socket_recvmsg",
      "vm_enough_memory", "vm_enough_memory_mm",
      // files
      "fd_install", "vfs_read", "vfs_write", "vfs_open", "vfs_getattr", "vfs_statx", "vfs_fstat", "vfs_fstatat",
      "ksys_read", "ksys_write", "do_sys_open", "do_sys_openat2", "do_filp_open", "path_openat", "do_dentry_open",
      "path_lookupat", "filename_lookup", "link_path_walk", "walk_component", "lookup_fast", "getname", "getname_flags",
      "filp_close", "fput", "__fput", "iterate_dir", "pipe_read", "pipe_write", "do_select", "do_sys_poll",
      "do_epoll_wait", "rw_verify_area", "new_sync_read", "new_sync_write", "do_iter_write", "do_iter_read",
      // processes and memory
      "schedule", "__schedule", "finish_task_switch", "try_to_wake_up", "wake_up_process", "wake_up_new_task",
      "copy_process", "kernel_clone", "do_exit", "do_group_exit", "release_task", "do_wait", "kernel_wait4",
      "do_execveat_common", "bprm_execve", "search_binary_handler", "load_elf_binary", "begin_new_exec", "do_futex",
      "get_signal", "do_send_sig_info", "do_nanosleep", "hrtimer_nanosleep", "handle_mm_fault", "do_user_addr_fault",
      "exc_page_fault", "asm_exc_page_fault", "do_mmap", "vm_mmap_pgoff", "mmap_region", "do_syscall_64", "do_munmap",
      "kmem_cache_alloc", "kmem_cache_free", "__kmalloc", "kmalloc", "kfree", "prepare_creds", "commit_creds",
      "override_creds", "revert_creds", "cap_capable", "ns_capable", "__sock_create", "sock_sendmsg", "sock_recvmsg",
      "tcp_sendmsg", "tcp_recvmsg", "unix_stream_sendmsg", "unix_stream_recvmsg"};
  return names;
}

bool is_hot(const Hook& hook) {
  if (hook.section == Section::tracepoints) {
    return *hook.subsystem == "raw_syscalls" || *hook.subsystem == "sched" || *hook.subsystem == "syscalls" ||
           *hook.subsystem == "irq" || *hook.subsystem == "timer";
  }
  if (hook.section == Section::uprobes || hook.section == Section::usdts) return false;
  std::string_view call = *hook.call;
  if (call.starts_with("list:")) return true;
  if (hot_names().count(call) != 0) return true;
  for (const std::string_view prefix : {"__x64_sys_", "__ia32_sys_", "__arm64_sys_", "sys_", "bpf_lsm_", "security_"}) {
    if (call.starts_with(prefix)) return hot_names().count(call.substr(prefix.size())) != 0;
  }
  return false;
}

// What is excluded leaves nearly everything; so does a prefix that all paths have.
template <class Filter>
bool texts_narrow(const Filter& filter) {
  if (filter.op->starts_with("Not")) return false;
  return *filter.op != "Prefix" || std::none_of(filter.values.begin(), filter.values.end(),
                                                [](const At<std::string>& value) { return *value == "/"; });
}

// The first namespaces of each kind have fixed numbers, but those of mounts and networks, which are the next ones.
constexpr uint32_t first_namespace = 0xeffffffa, last_namespace = 0xf0000000;

// "Not the host's" is a positive filter: containers.
bool namespaces_narrow(const NamespaceSelector& filter) {
  const bool hosts = std::any_of(filter.values.begin(), filter.values.end(), [](const At<std::string>& value) {
    if (*value == host_namespace) return true;
    const auto number = parse_namespace_value(*value);
    return number.ok() && *number >= first_namespace && *number <= last_namespace;
  });
  return (*filter.op == "NotIn") == hosts;
}

bool whole(const Result<Range>& range, const NumberFormat& format) {
  if (!range.ok()) return false;
  const uint32_t bits = 8U * format.width;
  const uint64_t all = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const uint64_t highest = format.is_signed ? all >> 1U : all;
  return range->low == (format.is_signed ? ~highest : 0) && range->high == highest;
}

bool value_narrows(const Operator& op, const std::string& value, NumberFormat format) {
  switch (op.value) {
    case ValueKind::range: return !whole(parse_range(value, format), format);
    case ValueKind::set: format.decimal_only = true; return !whole(parse_number_or_range(value, format), format);
    case ValueKind::port: return !whole(parse_port(value), {/*width=*/2, /*is_signed=*/false});
    case ValueKind::prefix: return value != "/";
    case ValueKind::address: {
      const auto network = parse_network(value);
      return !network.ok() || network->bits != 0;
    }
    default: return true;
  }
}

// The argument that the filter looks at; null: none, which is reported.
const Arg* filtered_arg(const ArgSelector& filter, const std::vector<Arg>& args, bool by_position) {
  const bool position = by_position || !filter.args.empty();
  const uint32_t wanted = filter.args.empty() ? *filter.index : *filter.args[0];
  for (std::size_t i = 0; i < args.size(); ++i) {
    if ((position ? i : *args[i].index) == wanted) return &args[i];
  }
  return nullptr;
}

bool arg_narrows(const HookChecks& context, const ArgSelector& filter, const Arg* of) {
  const Operator* op = find_operator(*filter.op);
  if (op == nullptr) return true;  // a plugin's
  // Everything but these addresses or ports is how egress is restricted, and who has no connection is not hit.
  if (op->negated) return op->value == ValueKind::address || op->value == ValueKind::port;
  const NumberFormat format = of == nullptr ? NumberFormat{} : format_of(*of->type, context.checks.vocabulary);
  return std::all_of(filter.values.begin(), filter.values.end(),
                     [&](const At<std::string>& value) { return value_narrows(*op, *value, format); });
}

// True when one of the filters leaves but some of the processes or calls.
bool is_narrow(const HookChecks& context, const Selector& selector, bool at_return) {
  const auto any = [](const auto& filters, const auto& narrows) {
    return std::any_of(filters.begin(), filters.end(), narrows);
  };
  const auto included = [](const auto& filter) { return *filter.op != "NotIn"; };
  const auto by_args = [&context](const std::vector<Arg>& args, bool by_position) {
    return [&context, &args, by_position](const ArgSelector& filter) {
      return arg_narrows(context, filter, filtered_arg(filter, args, by_position));
    };
  };
  const Hook& hook = context.hook;
  const auto by_result = [&](const ArgSelector& filter) {
    return arg_narrows(context, filter, hook.return_arg ? &*hook.return_arg : nullptr);
  };
  return any(selector.match_pids, included) || any(selector.match_namespaces, namespaces_narrow) ||
         any(selector.match_capabilities, included) || any(selector.match_namespace_changes, included) ||
         any(selector.match_capability_changes, included) ||
         any(selector.match_binaries, texts_narrow<BinarySelector>) ||
         any(selector.match_parent_binaries, texts_narrow<BinarySelector>) ||
         any(selector.match_args, by_args(hook.args, /*by_position=*/false)) ||
         any(selector.match_data, by_args(hook.data, /*by_position=*/true)) ||
         (at_return && any(selector.match_return_args, by_result));
}

}  // namespace

bool has_filter(const Selector& selector, bool at_return) noexcept {
  return !selector.match_pids.empty() || !selector.match_namespaces.empty() || !selector.match_capabilities.empty() ||
         !selector.match_namespace_changes.empty() || !selector.match_capability_changes.empty() ||
         !selector.match_binaries.empty() || !selector.match_parent_binaries.empty() || !selector.match_args.empty() ||
         !selector.match_data.empty() || (at_return && !selector.match_return_args.empty());
}

void check_guard(HookChecks& context, const Selector& selector, bool at_return, const std::string& path) {
  const bool filters = has_filter(selector, at_return);
  if (filters && is_narrow(context, selector, at_return)) return;
  const Option* guard = context.checks.policy.find_option("enforcement-guard");
  if (is_hot(context.hook) && (guard == nullptr || *guard->value != "off")) {
    context.checks.error(selector.place, path,
                         std::string(filters ? "excludes some, but has no filter that says what its actions are for"
                                     : selector.match_return_args.empty()
                                         ? "has no filter"
                                         : "has no filter but matchReturnArgs, which come too late for matchActions") +
                             ", and every process of the host passes this hook: the machine would stop; add a filter" +
                             (filters ? " other than Not..., the prefix / or a whole range" : "") +
                             ", or the option enforcement-guard: \"off\" if that is what is wanted");
  } else if (!filters) {
    context.checks.warn(selector.place, path, "has no filter, so its actions hit every process of the host");
  }
}

}  // namespace tetragon::policy
