// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>

#include <array>
#include <cstdio>

#include "core/cli/compact_line.h"
#include "core/util/hex.h"
#include "tetragon/tetragon.pb.h"

namespace tetragon::cli {

namespace {

constexpr std::size_t shown_bytes = 64;

std::string hex_bytes(const std::string& bytes) {
  std::string text = hex_text(std::string_view(bytes).substr(0, shown_bytes));
  if (bytes.size() > shown_bytes) {
    text += "...";
  }
  return text;
}

template <class Program>
std::string program_text(const Program& program) {
  return program.progtype() + " " + program.progname() + " instruction count " + std::to_string(program.insncnt());
}

std::string credentials_text(const tetragon::ProcessCredentials& cred) {
  return "uid " + std::to_string(cred.uid().value()) + " gid " + std::to_string(cred.gid().value()) + " euid " +
         std::to_string(cred.euid().value()) + " egid " + std::to_string(cred.egid().value());
}

}  // namespace

std::string hex(std::uint64_t value) {
  std::array<char, 24> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "0x%llx", static_cast<unsigned long long>(value));
  return buffer.data();
}

const std::string& argument_path(const tetragon::KprobeArgument& argument) {
  static const std::string none;
  switch (argument.arg_case()) {
    case tetragon::KprobeArgument::kFileArg: return argument.file_arg().path();
    case tetragon::KprobeArgument::kPathArg: return argument.path_arg().path();
    case tetragon::KprobeArgument::kLinuxBinprmArg: return argument.linux_binprm_arg().path();
    default: return none;
  }
}

std::string argument_text(const tetragon::KprobeArgument& argument) {
  using Argument = tetragon::KprobeArgument;
  std::string text;
  switch (argument.arg_case()) {
    case Argument::kStringArg: text = argument.string_arg(); break;
    case Argument::kIntArg: text = std::to_string(argument.int_arg()); break;
    case Argument::kUintArg: text = std::to_string(argument.uint_arg()); break;
    case Argument::kLongArg: text = std::to_string(argument.long_arg()); break;
    case Argument::kSizeArg: text = std::to_string(argument.size_arg()); break;
    case Argument::kBytesArg: text = hex_bytes(argument.bytes_arg()); break;
    case Argument::kTruncatedBytesArg: text = hex_bytes(argument.truncated_bytes_arg().bytes_arg()); break;
    case Argument::kPathArg:
    case Argument::kFileArg:
    case Argument::kLinuxBinprmArg: text = argument_path(argument); break;
    case Argument::kSockArg: {
      const auto& sock = argument.sock_arg();
      text = sock.saddr() + ":" + std::to_string(sock.sport()) + " -> " + sock.daddr() + ":" +
             std::to_string(sock.dport());
      break;
    }
    case Argument::kSkbArg: {
      const auto& skb = argument.skb_arg();
      text = skb.saddr() + ":" + std::to_string(skb.sport()) + " -> " + skb.daddr() + ":" + std::to_string(skb.dport());
      break;
    }
    case Argument::kSockaddrArg:
      text = argument.sockaddr_arg().addr() + ":" + std::to_string(argument.sockaddr_arg().port());
      break;
    case Argument::kSockaddrunArg: text = argument.sockaddrun_arg().path(); break;
    case Argument::kNetDevArg: text = argument.net_dev_arg().name(); break;
    case Argument::kModuleArg: text = argument.module_arg().name(); break;
    case Argument::kCapabilityArg: text = argument.capability_arg().name(); break;
    case Argument::kKernelCapTArg: text = argument.kernel_cap_t_arg(); break;
    case Argument::kCapInheritableArg: text = argument.cap_inheritable_arg(); break;
    case Argument::kCapPermittedArg: text = argument.cap_permitted_arg(); break;
    case Argument::kCapEffectiveArg: text = argument.cap_effective_arg(); break;
    case Argument::kBpfCmdArg: text = tetragon::BpfCmd_Name(argument.bpf_cmd_arg()); break;
    case Argument::kBpfAttrArg: text = program_text(argument.bpf_attr_arg()); break;
    case Argument::kBpfProgArg: text = program_text(argument.bpf_prog_arg()); break;
    case Argument::kBpfMapArg: text = argument.bpf_map_arg().maptype() + " " + argument.bpf_map_arg().mapname(); break;
    case Argument::kPerfEventArg:
      text = argument.perf_event_arg().type() + " " + argument.perf_event_arg().kprobefunc();
      break;
    case Argument::kProcessCredentialsArg: text = credentials_text(argument.process_credentials_arg()); break;
    case Argument::kUserNsArg: text = "user namespace " + std::to_string(argument.user_ns_arg().ns().inum()); break;
    case Argument::kSyscallId: {
      const auto& call = argument.syscall_id();
      text = call.abi() + (call.abi().empty() ? "" : "/") + std::to_string(call.id());
      break;
    }
    case Argument::kErrorArg: text = "(" + argument.error_arg().message() + ")"; break;
    case Argument::ARG_NOT_SET: text = "-"; break;
    default: {
      // Structures nobody reads at a glance; the printer for messages shows all of them.
      google::protobuf::util::JsonPrintOptions options;
      options.preserve_proto_field_names = true;
      if (!google::protobuf::util::MessageToJsonString(argument, &text, options).ok()) {
        text = "?";
      }
      return text;
    }
  }
  return argument.label().empty() ? text : argument.label() + "=" + text;
}

}  // namespace tetragon::cli
