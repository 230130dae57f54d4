// SPDX-License-Identifier: Apache-2.0
#include <tetragon/plugin.h>

#include <memory>
#include <string>

namespace {

using namespace tetragon::sdk;

class Sink {
 public:
  static Result<std::unique_ptr<Sink>> create(Host host) { return std::make_unique<Sink>(host); }
  explicit Sink(Host host) : host_(host) {}

  Result<void> write(std::span<const tetragon_bytes> events, std::uint64_t lost) {
    if (lost > 0) {
      return Error(TETRAGON_E_LIMIT, "lost " + std::to_string(lost));
    }
    for (const auto& event : events) {
      host_.info(std::string_view(static_cast<const char*>(event.data), event.size));
    }
    return {};
  }
  static constexpr std::string_view sink_name = "test";
  static constexpr std::uint32_t sink_format = TETRAGON_SINK_JSON;

 private:
  Host host_;
};

}  // namespace

TETRAGON_SINK_PLUGIN(Sink, "test.sink", "1.0.0", "A sink");
