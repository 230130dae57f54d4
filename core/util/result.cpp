// SPDX-License-Identifier: Apache-2.0
#include "core/util/result.h"

#include <system_error>

namespace tetragon {

std::string_view to_string(Code code) noexcept {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::unsupported: return "unsupported";
    case Code::not_found: return "not_found";
    case Code::exists: return "exists";
    case Code::limit: return "limit";
    case Code::permission: return "permission";
    case Code::system: return "system";
    case Code::state: return "state";
    case Code::internal: return "internal";
  }
  return "unknown";
}

Error errno_error(std::string_view what, int sys) {
  std::string text(what);
  text += ": ";
  text += std::generic_category().message(sys);
  return {Code::system, std::move(text), sys};
}

}  // namespace tetragon
