// SPDX-License-Identifier: Apache-2.0
#pragma once

// FIPS 180-4 SHA-256, for the plugin allow-list: too little to bring a cryptography library into the daemon.

#include <string>
#include <string_view>

namespace tetragon::plugin_host {

std::string sha256_hex(std::string_view data);

}  // namespace tetragon::plugin_host
