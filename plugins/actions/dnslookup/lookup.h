// SPDX-License-Identifier: Apache-2.0
#pragma once

// The action DnsLookup: a name is asked for when a hook is hit.

#include <tetragon/plugin.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "resolver/resolver.h"

namespace tetragon::dnslookup {

class DnsLookup {
 public:
  static constexpr std::string_view action_name = "DnsLookup";
  static constexpr std::chrono::seconds deadline{3};

  static sdk::Result<std::unique_ptr<DnsLookup>> create(sdk::Host host) {
    return create_with(host, std::make_unique<resolver::Resolver>());
  }
  static sdk::Result<std::unique_ptr<DnsLookup>> create_with(sdk::Host host,
                                                             std::unique_ptr<resolver::Resolver> resolver) {
    auto made = std::make_unique<DnsLookup>(host, std::move(resolver));
    for (auto& [name, counter] : {std::pair{"resolved", &made->resolved_},
                                  {"not_found", &made->not_found_},
                                  {"failed", &made->failed_},
                                  {"dropped", &made->dropped_}}) {
      auto found = host.counter(name);
      TETRAGON_SDK_TRY(found);
      *counter = *found;
    }
    return made;
  }
  DnsLookup(sdk::Host host, std::unique_ptr<resolver::Resolver> resolver)
      : host_(host), resolver_(std::move(resolver)) {}

  sdk::Result<void> execute(const sdk::ActionCall& call) {
    const std::string name(call.argument);
    // A NUL would cut the name short.
    if (name.empty() || name.find('\0') != std::string::npos) {
      return sdk::Error(TETRAGON_E_INVALID, "'" + name + "' is no name");
    }
    const auto found = resolver_->resolve(name, 0, std::chrono::steady_clock::now() + deadline);
    if (!found.ok()) {
      const tetragon_rc code = found.error().code();
      (code == TETRAGON_E_NOT_FOUND ? not_found_ : code == TETRAGON_E_LIMIT ? dropped_ : failed_).add();
      return found.error();
    }
    resolved_.add();
    std::string text = "resolved " + name + ":";
    for (const resolver::Address& address : *found) text += " " + address.text();
    host_.debug(text);
    return {};
  }

 private:
  sdk::Host host_;
  std::unique_ptr<resolver::Resolver> resolver_;
  sdk::Counter resolved_, not_found_, failed_, dropped_;
};

}  // namespace tetragon::dnslookup
