// SPDX-License-Identifier: Apache-2.0
#include "core/cli/compact.h"

#include <google/protobuf/unknown_field_set.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "core/cli/compact_line.h"
#include "core/cli/text.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

namespace {

// The mark stands at this column where the line leaves room; counted in bytes, as readers of the format expect.
constexpr std::size_t caps_column = 120;
constexpr std::string_view caps_text = "🛑 CAP_SYS_ADMIN";
constexpr std::size_t caps_characters = 15;

std::string timestamp(const tetragon::GetEventsResponse& event) {
  std::string text(30, ' ');  // loader events have no time; the columns stay
  if (!event.has_time()) {
    return text;
  }
  auto seconds = static_cast<std::time_t>(event.time().seconds());
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) {
    return text;
  }
  std::array<char, 96> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, event.time().nanos());
  return buffer.data();
}

template <class Event>
const tetragon::Process* process_of(const Event& event) {
  return event.has_process() ? &event.process() : nullptr;
}

void print_stacks(const tetragon::ProcessKprobe& event, bool colors, std::string& out) {
  auto frame = [&](const tetragon::StackTraceEntry& entry, bool user) {
    CompactLine line(out, colors);
    line.raw("   ");
    line.glued(hex(entry.address()), Color::green);
    line.raw(":");
    if (!user || !entry.symbol().empty()) {
      line.part(entry.symbol(), Color::blue);
    }
    if (user) {
      line.raw(" (");
      line.glued(entry.module(), Color::none);
    }
    line.raw("+");
    line.glued(hex(entry.offset()), Color::yellow);
    line.raw(user ? ")\n" : "\n");
  };
  if (event.kernel_stack_trace_size() > 0) {
    out += "Kernel:\n";
    for (const auto& entry : event.kernel_stack_trace()) {
      frame(entry, /* user= */ false);
    }
  }
  if (event.user_stack_trace_size() > 0) {
    out += "User:\n";
    for (const auto& entry : event.user_stack_trace()) {
      frame(entry, /* user= */ true);
    }
  }
}

void print_ima(const tetragon::ProcessLsm& event, bool colors, std::string& out) {
  if (event.ima_hash().empty()) {
    return;
  }
  CompactLine line(out, colors);
  line.raw("  ");
  line.part(event.args_size() > 0 ? argument_path(event.args(0)) : std::string_view());
  line.part(event.ima_hash());
  line.raw("\n");
}

// An event this build has no name for: the field number still tells which it is.
std::string unknown_event(const tetragon::GetEventsResponse& event) {
  const auto& fields = event.GetReflection()->GetUnknownFields(event);
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      return "event " + std::to_string(fields.field(i).number()) + ", which this tetra does not know";
    }
  }
  return "no event";
}

void print_plugin(CompactLine& line, const std::string& node, const tetragon::ProcessPlugin& event) {
  line.head("🧩", "plugin");
  line.process(node, process_of(event));
  line.part(event.plugin());
  line.part(event.event());
  for (const auto& argument : event.args()) {
    line.part(argument_text(argument));
  }
}

void print_event(CompactLine& line, const tetragon::GetEventsResponse& event) {
  using Response = tetragon::GetEventsResponse;
  const std::string& node = event.node_name();
  switch (event.event_case()) {
    case Response::kProcessExec:
      line.head("🚀", "process");
      line.process(node, process_of(event.process_exec()));
      line.part(event.process_exec().process().arguments());
      break;
    case Response::kProcessExit: {
      const auto& exit = event.process_exit();
      line.head("💥", "exit");
      line.process(node, process_of(exit));
      line.part(exit.process().arguments());
      line.part(exit.signal().empty() ? std::to_string(exit.status()) : exit.signal(), Color::red);
      break;
    }
    case Response::kProcessKprobe: kprobe_details(line, node, event.process_kprobe()); break;
    case Response::kProcessTracepoint: tracepoint_details(line, node, event.process_tracepoint()); break;
    case Response::kProcessLoader: {
      const auto& loader = event.process_loader();
      line.head("🧬", "loader");
      line.process(node, process_of(loader));
      line.raw(" ");
      for (char c : loader.buildid()) {
        std::array<char, 4> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        line.raw(digits.data());
      }
      line.raw(loader.buildid().empty() ? "" : " ");
      line.glued(loader.path(), Color::yellow);
      break;
    }
    case Response::kProcessUprobe:
      line.head("🕵️", "uprobe");
      line.process(node, process_of(event.process_uprobe()));
      line.part(event.process_uprobe().path());
      line.part(event.process_uprobe().symbol().empty() ? "+" + hex(event.process_uprobe().offset())
                                                        : event.process_uprobe().symbol());
      break;
    case Response::kProcessUsdt:
      line.head("🕵️", "usdt");
      line.process(node, process_of(event.process_usdt()));
      line.part(event.process_usdt().path());
      line.part(event.process_usdt().provider());
      line.part(event.process_usdt().name());
      break;
    case Response::kProcessLsm:
      line.head("🔒", "LSM");
      line.process(node, process_of(event.process_lsm()));
      line.part(event.process_lsm().function_name());
      break;
    case Response::kProcessThrottle: {
      const auto& throttle = event.process_throttle();
      bool start = throttle.type() == tetragon::THROTTLE_START;
      bool stop = throttle.type() == tetragon::THROTTLE_STOP;
      line.head("🧬", "throttle", Color::red);
      line.part(start ? "START" : stop ? "STOP " : "?", Color::none);
      line.part(throttle.cgroup());
      break;
    }
    case Response::kTest: line.raw("TEST EVENT"); break;
    case Response::kRateLimitInfo:
      line.head("🚦", "limit", Color::red);
      line.part(node, Color::green);
      line.part(std::to_string(event.rate_limit_info().number_of_dropped_process_events()) +
                    " events left out by the export rate limit",
                Color::none);
      break;
    case Response::kProcessPlugin: print_plugin(line, node, event.process_plugin()); break;
    case Response::EVENT_NOT_SET:
      line.head("❓", "unknown");
      line.part(node, Color::green);
      line.part(unknown_event(event), Color::none);
      break;
  }
}

}  // namespace

void CompactLine::colored(std::string_view text, Color color, bool escape) {
  bool wrap = colors_ && color != Color::none;
  if (wrap) {
    out_ += "\x1b[" + std::to_string(static_cast<int>(color)) + "m";
  }
  if (escape) {
    append_escaped(out_, text);
  } else {
    out_ += text;
  }
  if (wrap) {
    out_ += "\x1b[0m";
  }
}

void CompactLine::head(std::string_view icon, std::string_view verb, Color color, std::string_view separator) {
  std::string text(icon);
  text += separator;
  text += verb;
  text.append(verb.size() < 7 ? 7 - verb.size() : 0, ' ');
  colored(text, color, /* escape= */ false);
}

void CompactLine::process(const std::string& node_name, const tetragon::Process* process) {
  if (process != nullptr && process->has_pod()) {
    part(process->pod().namespace_() + "/" + process->pod().name(), Color::green);
  } else {
    part(node_name, Color::green);
  }
  part(process != nullptr ? process->binary() : std::string_view(), Color::magenta);
  // The contract goes by the length of the list, not by its members: full sets are marked, reduced ones are not.
  caps_ = process != nullptr && process->cap().effective_size() > tetragon::CAP_SYS_ADMIN;
}

void CompactLine::part(std::string_view text, Color color) {
  out_ += ' ';
  colored(text, color, /* escape= */ true);
}

void CompactLine::glued(std::string_view text, Color color) {
  colored(text, color, /* escape= */ true);
}

void CompactLine::finish() {
  if (caps_) {
    std::size_t used = out_.size() - begin_;
    std::size_t width = used < caps_column ? caps_column - used : 0;
    std::size_t characters = caps_characters + (colors_ ? 9 : 0);  // the colour codes count as well
    out_ += ' ';
    out_.append(width > characters ? width - characters : 0, ' ');
    colored(caps_text, Color::magenta, /* escape= */ false);
  }
  out_ += '\n';
}

void CompactPrinter::print(const tetragon::GetEventsResponse& event, std::string& out) const {
  if (event.has_lost_events()) {
    CompactLine line(out, options_.colors);
    std::string text =
        "⚠ lost    " + std::to_string(event.lost_events().count()) + " events (" + event.lost_events().cause() + ")";
    line.glued(text, Color::yellow);
    line.raw("\n");
    if (event.event_case() == tetragon::GetEventsResponse::EVENT_NOT_SET) {
      return;
    }
  }
  if (options_.timestamps) {
    out += timestamp(event);
    out += ' ';
  }
  CompactLine line(out, options_.colors);
  print_event(line, event);
  line.finish();
  if (options_.stack_traces && event.has_process_kprobe()) {
    print_stacks(event.process_kprobe(), options_.colors, out);
  }
  if (options_.ima_hash && event.has_process_lsm()) {
    print_ima(event.process_lsm(), options_.colors, out);
  }
}

}  // namespace tetragon::cli
