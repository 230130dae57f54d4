// SPDX-License-Identifier: Apache-2.0
#pragma once

// A certificate that signs itself, as files.

#include <string>

namespace tetragon::geturl::testing {

class Certificate {
 public:
  // alternative_names as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1"
  explicit Certificate(const std::string& alternative_names);
  ~Certificate();
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  std::string certificate_file() const { return dir_ + "/certificate.pem"; }
  std::string key_file() const { return dir_ + "/key.pem"; }

 private:
  std::string dir_;
};

}  // namespace tetragon::geturl::testing
