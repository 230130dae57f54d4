// SPDX-License-Identifier: Apache-2.0
#pragma once

// Building blocks of a compact line, shared by the event kinds. Internal to the compact printer.

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon {
class KprobeArgument;
class Process;
class ProcessKprobe;
class ProcessTracepoint;
}  // namespace tetragon

namespace tetragon::cli {

enum class Color { none, red = 31, green = 32, yellow = 33, blue = 34, magenta = 35, cyan = 36 };

class CompactLine {
 public:
  CompactLine(std::string& out, bool colors) : out_(out), colors_(colors), begin_(out.size()) {}

  // "<icon> <verb padded to 7>"; separator for the one icon that is narrower than it looks.
  void head(std::string_view icon, std::string_view verb, Color color = Color::blue, std::string_view separator = " ");
  // " <source> <binary>", and remembers whether the capability mark is due.
  void process(const std::string& node_name, const tetragon::Process* process);
  // " <text>" in the colour; the text is escaped. An empty text leaves its space.
  void part(std::string_view text, Color color = Color::cyan);
  // The same without the space before.
  void glued(std::string_view text, Color color);
  void raw(std::string_view text) { out_ += text; }
  // Capability mark and line feed.
  void finish();

 private:
  void colored(std::string_view text, Color color, bool escape);

  std::string& out_;
  bool colors_;
  bool caps_ = false;
  std::size_t begin_;
};

void kprobe_details(CompactLine& line, const std::string& node_name, const tetragon::ProcessKprobe& event);
void tracepoint_details(CompactLine& line, const std::string& node_name, const tetragon::ProcessTracepoint& event);

// Any argument in words: used where no table says how an event's arguments look.
std::string argument_text(const tetragon::KprobeArgument& argument);
// Path of a file, path or binprm argument; empty for others.
const std::string& argument_path(const tetragon::KprobeArgument& argument);

std::string hex(std::uint64_t value);

}  // namespace tetragon::cli
