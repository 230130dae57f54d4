// SPDX-License-Identifier: Apache-2.0
// Runs on a thread of the daemon's own for this action: it may block, others do not wait.
#include <tetragon/plugin.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace tetragon::sdk;

class Note {
 public:
  static Result<Note> create(Host) {
    // Not TETRAGON_...: the daemon takes those for options of its own.
    const char* file = std::getenv("EXAMPLE_NOTE_FILE");
    return Note(file == nullptr ? "/run/tetragon/notes" : file);
  }

  Result<void> execute(const ActionCall& call) {
    std::ofstream out(file_, std::ios::app);
    out << call.process.pid << ' ' << call.policy << ' ' << call.argument << '\n';
    out.flush();
    if (!out) {
      return Error(TETRAGON_E_SYSTEM, "append to '" + file_ + "': " + std::strerror(errno));
    }
    return {};
  }

  static constexpr std::string_view action_name = "Note";

 private:
  explicit Note(std::string file) : file_(std::move(file)) {}
  std::string file_;
};

}  // namespace

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, Note, "example.note", "1.0.0", "Appends a line to a file", 2);
