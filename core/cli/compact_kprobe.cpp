// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include "core/cli/compact_line.h"
#include "core/cli/syscalls.h"
#include "tetragon/tetragon.pb.h"

namespace tetragon::cli {

namespace {

using Argument = tetragon::KprobeArgument;

std::string_view without_arch_prefix(std::string_view function) {
  for (std::string_view prefix : {"__x64_", "__ia32_", "__arm64_", "__arm32_"}) {
    if (function.starts_with(prefix)) {
      return function.substr(prefix.size());
    }
  }
  return function;
}

// One kprobe line: its head, then the parts its arguments give.
class KprobeLine {
 public:
  KprobeLine(CompactLine& line, const std::string& node_name, const tetragon::ProcessKprobe& event)
      : line_(line), node_name_(node_name), event_(event) {}

  void head(std::string_view icon, std::string_view verb) {
    line_.head(icon, verb);
    line_.process(node_name_, event_.has_process() ? &event_.process() : nullptr);
  }

  const Argument* argument(int index) const { return index < event_.args_size() ? &event_.args(index) : nullptr; }

  void file(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr && arg->has_file_arg() ? arg->file_arg().path() : std::string_view());
  }
  void path(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr ? argument_path(*arg) : std::string_view());
  }
  void string(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr ? arg->string_arg() : std::string_view());
  }
  void size(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr ? std::to_string(arg->size_arg()) + " bytes" : std::string());
  }
  void integer(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr ? std::to_string(arg->int_arg()) : std::string());
  }
  void socket(int index) {
    const Argument* arg = argument(index);
    if (arg == nullptr || !arg->has_sock_arg()) {
      line_.part("");
      return;
    }
    const auto& sock = arg->sock_arg();
    line_.part("tcp " + sock.saddr() + ":" + std::to_string(sock.sport()) + " -> " + sock.daddr() + ":" +
               std::to_string(sock.dport()));
  }
  void sent_bytes(int index) {
    const Argument* arg = argument(index);
    line_.part(arg != nullptr ? "bytes " + std::to_string(arg->int_arg()) : std::string());
  }
  void namespace_kind(int index);
  void program(int index);
  void perf_event(int index);
  void bpf_map(int index);
  void permission();
  void mapping();
  void text(std::string_view value) { line_.part(value); }

 private:
  CompactLine& line_;
  const std::string& node_name_;
  const tetragon::ProcessKprobe& event_;
};

void KprobeLine::namespace_kind(int index) {
  struct Kind {
    std::uint32_t flag;
    std::string_view name;
  };
  constexpr std::array<Kind, 8> kinds{{{0x02000000, "cgroup"},
                                       {0x08000000, "ipc"},
                                       {0x40000000, "net"},
                                       {0x00020000, "mnt"},
                                       {0x20000000, "pid"},
                                       {0x00000080, "time"},
                                       {0x10000000, "user"},
                                       {0x04000000, "uts"}}};
  const Argument* arg = argument(index);
  if (arg == nullptr || !arg->has_int_arg()) {
    line_.part("");
    return;
  }
  auto flags = static_cast<std::uint32_t>(arg->int_arg());
  if (flags == 0) {
    line_.part("any");
    return;
  }
  // A pidfd allows several kinds in one call.
  std::string text;
  for (const Kind& kind : kinds) {
    if ((flags & kind.flag) != 0) {
      text += (text.empty() ? "" : ",") + std::string(kind.name);
      flags &= ~kind.flag;
    }
  }
  if (flags != 0) {
    text += (text.empty() ? "" : ",") + hex(flags);
  }
  line_.part(text);
}

void KprobeLine::program(int index) {
  const Argument* arg = argument(index);
  auto print = [&](const auto& program) {
    line_.part(program.progtype() + " " + program.progname() + " instruction count " +
               std::to_string(program.insncnt()));
  };
  if (arg != nullptr && arg->has_bpf_attr_arg()) {
    print(arg->bpf_attr_arg());
  } else if (arg != nullptr && arg->has_bpf_prog_arg()) {
    print(arg->bpf_prog_arg());
  } else {
    line_.part("");
  }
}

void KprobeLine::perf_event(int index) {
  const Argument* arg = argument(index);
  if (arg == nullptr || !arg->has_perf_event_arg()) {
    line_.part("");
    return;
  }
  line_.part(arg->perf_event_arg().type() + " " + arg->perf_event_arg().kprobefunc());
}

void KprobeLine::bpf_map(int index) {
  const Argument* arg = argument(index);
  if (arg == nullptr || !arg->has_bpf_map_arg()) {
    line_.part("");
    return;
  }
  const auto& map = arg->bpf_map_arg();
  line_.part(map.maptype() + " " + map.mapname() + " key size " + std::to_string(map.keysize()) + " value size " +
             std::to_string(map.valuesize()) + " max entries " + std::to_string(map.maxentries()));
}

void KprobeLine::permission() {
  constexpr int may_write = 2;
  constexpr int may_read = 4;
  const Argument* mask = argument(1);
  int value = mask != nullptr ? mask->int_arg() : 0;
  if (value == may_write) {
    head("📝", "write");
  } else if (value == may_read) {
    head("📚", "read");
  } else {
    head("❓", "security_file_permission");
  }
  file(0);
}

void KprobeLine::mapping() {
  const Argument* protection = argument(1);
  std::uint32_t bits = protection != nullptr ? protection->uint_arg() : 0;
  std::string verb = "mmap-";
  verb += (bits & 1) != 0 ? "r" : "";
  verb += (bits & 2) != 0 ? "w" : "";
  verb += (bits & 4) != 0 ? "x" : "";
  head("📝", verb);
  file(0);
}

struct Row {
  std::string_view function;
  void (*print)(KprobeLine& line);
};

constexpr Row rows[] = {
    {"sys_write",
     [](KprobeLine& l) {
       l.head("📝", "write");
       l.file(0);
       l.size(2);
     }},
    {"sys_read",
     [](KprobeLine& l) {
       l.head("📚", "read");
       l.file(0);
       l.size(2);
     }},
    {"fd_install",
     [](KprobeLine& l) {
       l.head("📬", "open");
       l.file(1);
     }},
    {"sys_openat",
     [](KprobeLine& l) {
       l.head("📬️", "openat");
       l.string(1);
     }},
    {"sys_open",
     [](KprobeLine& l) {
       l.head("📬️", "open");
       l.string(1);
     }},
    {"sys_close",
     [](KprobeLine& l) {
       l.head("📪", "close");
       l.file(0);
     }},
    {"sys_mount",
     [](KprobeLine& l) {
       l.head("💾", "mount");
       l.string(0);
       l.string(1);
     }},
    {"sys_setuid",
     [](KprobeLine& l) {
       l.head("🔑", "setuid");
       l.integer(0);
     }},
    {"sys_clock_settime", [](KprobeLine& l) { l.head("⏰", "clock_settime"); }},
    {"sys_pivot_root",
     [](KprobeLine& l) {
       l.head("💾", "pivot_root");
       l.string(0);
       l.string(1);
     }},
    {"proc_exec_connector", [](KprobeLine& l) { l.head("🔧", "proc_exec_connector"); }},
    {"sys_setns",
     [](KprobeLine& l) {
       l.head("🔧", "setns");
       l.namespace_kind(1);
     }},
    {"tcp_connect",
     [](KprobeLine& l) {
       l.head("🔌", "connect");
       l.socket(0);
     }},
    {"tcp_close",
     [](KprobeLine& l) {
       l.head("🧹", "close");
       l.socket(0);
     }},
    {"tcp_sendmsg",
     [](KprobeLine& l) {
       l.head("📤", "sendmsg");
       l.socket(0);
       l.sent_bytes(1);
     }},
    {"bpf_check",
     [](KprobeLine& l) {
       l.head("🐝", "bpf_load");
       l.program(0);
     }},
    {"security_perf_event_alloc",
     [](KprobeLine& l) {
       l.head("🐝", "perf_event_alloc");
       l.perf_event(0);
     }},
    {"security_bpf_map_alloc",
     [](KprobeLine& l) {
       l.head("🗺", "bpf_map_create");
       l.bpf_map(0);
     }},
    {"security_bpf_map_create",
     [](KprobeLine& l) {
       l.head("🗺", "bpf_map_create");
       l.bpf_map(0);
     }},
    {"security_file_permission", [](KprobeLine& l) { l.permission(); }},
    {"security_mmap_file", [](KprobeLine& l) { l.mapping(); }},
    {"security_path_truncate",
     [](KprobeLine& l) {
       l.head("📝", "truncate");
       l.path(0);
     }},
    {"security_file_truncate",
     [](KprobeLine& l) {
       l.head("📝", "truncate");
       l.file(0);
     }},
};

std::uint64_t register_value(const Argument& argument, bool& ret_known) {
  ret_known = true;
  switch (argument.arg_case()) {
    case Argument::kSizeArg: return argument.size_arg();
    case Argument::kLongArg: return static_cast<std::uint64_t>(argument.long_arg());
    case Argument::kIntArg: return static_cast<std::uint64_t>(static_cast<std::int64_t>(argument.int_arg()));
    case Argument::kUintArg: return argument.uint_arg();
    default: ret_known = false; return 0;
  }
}

std::string syscall_text(const tetragon::ProcessTracepoint& event) {
  if (event.args_size() == 0) {
    return "unknown";
  }
  const Argument& first = event.args(0);
  std::string abi;
  std::int64_t number = -1;
  if (first.has_syscall_id()) {
    abi = first.syscall_id().abi();
    number = first.syscall_id().id();
  } else {
    bool known = false;
    auto value = static_cast<std::int64_t>(register_value(first, known));
    number = known ? value : -1;
  }
  std::string_view name = syscall_name(abi, number);
  if (name.empty()) {
    return "unknown";
  }
  std::string text;
  if (!abi.empty() && abi != native_abi()) {
    text = abi + "/";
  }
  text += name;
  std::vector<SyscallParameter> parameters;
  if (event.args_size() < 2 || !syscall_parameters(name, parameters)) {
    return text;
  }
  text += "(";
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const SyscallParameter& parameter = parameters[i];
    text += i == 0 ? "" : ", ";
    text += parameter.type;
    text += parameter.type.ends_with('*') ? "" : " ";
    text += parameter.name;
    text += "=";
    bool known = false;
    std::uint64_t value = 0;
    int index = static_cast<int>(i) + 1;
    if (index < event.args_size()) {
      if (event.args(index).has_string_arg()) {
        text += "\"" + event.args(index).string_arg() + "\"";
        continue;
      }
      value = register_value(event.args(index), known);
    }
    text += known ? syscall_value(parameter, value) : "?";
  }
  return text + ")";
}

}  // namespace

void kprobe_details(CompactLine& line, const std::string& node_name, const tetragon::ProcessKprobe& event) {
  KprobeLine kprobe(line, node_name, event);
  std::string_view function = without_arch_prefix(event.function_name());
  for (const Row& row : rows) {
    if (row.function == function) {
      row.print(kprobe);
      return;
    }
  }
  kprobe.head("❓", "syscall");
  kprobe.text(event.function_name());
  // No table says what matters of this one, so all of it is shown, as it is told.
  for (const auto& argument : event.args()) {
    line.part(argument_text(argument));
  }
  if (event.has_return_()) {
    line.part("= " + argument_text(event.return_()), Color::none);
  }
}

void tracepoint_details(CompactLine& line, const std::string& node_name, const tetragon::ProcessTracepoint& event) {
  const tetragon::Process* process = event.has_process() ? &event.process() : nullptr;
  if (event.subsys() == "raw_syscalls" && event.event() == "sys_enter") {
    line.head("☎", "syscall", Color::blue, "  ");
    line.process(node_name, process);
    line.part(syscall_text(event));
    return;
  }
  line.head("⁉️", "tracepoint");
  line.process(node_name, process);
  line.part(event.subsys());
  line.part(event.event());
}

}  // namespace tetragon::cli
