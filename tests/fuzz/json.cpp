// SPDX-License-Identifier: Apache-2.0
// The JSON printer on any wire data: an error and nothing written, or one line of valid JSON.
#include "core/event/json.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/event/schema.h"
#include "core/event/wire_utf8.h"

namespace {

// Accepts exactly one JSON value; strings must be free of control characters.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}
  bool whole() { return value() && at_ == text_.size(); }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    return take('"');
  }
  bool list(char end, bool named) {
    if (take(end)) return true;
    do {
      if (named && (!string() || !take(':'))) return false;
      if (!value()) return false;
    } while (take(','));
    return take(end);
  }
  bool value() {
    if (take('{')) return list('}', true);
    if (take('[')) return list(']', false);
    if (at_ < text_.size() && text_[at_] == '"') return string();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return true;
      }
    }
    const size_t begin = at_;
    while (at_ < text_.size() && std::string_view("+-.0123456789eE").find(text_[at_]) != std::string_view::npos) ++at_;
    return at_ != begin;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static constexpr const char* kTypes[] = {"tetragon.GetEventsResponse", "tetragon.Process", "tetragon.ProcessKprobe",
                                           "tetragon.KprobeArgument"};
  const auto* type = tetragon::event::schema().message(kTypes[data[0] % 4]);
  if (type == nullptr) std::abort();
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string out = "before";
  const auto written = tetragon::event::append_json(*type, wire, out);
  if (!out.starts_with("before")) std::abort();
  if (!written) {
    if (out != "before") std::abort();
    return 0;
  }
  if (!Checker(std::string_view(out).substr(6)).whole()) std::abort();
  return 0;
}
