// SPDX-License-Identifier: Apache-2.0
#pragma once

// Records of classic tracepoints: events/<subsystem>/<event>/format of tracefs, or what BTF tells where there is no
// tracefs.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/types.h"
#include "core/util/result.h"

namespace tetragon::kernel {

struct Field {
  std::string name;
  std::string type;  // as written: "__data_loc char[]", "unsigned long", "char"
  uint32_t offset = 0, size = 0;
  bool is_signed = false;
  bool is_data_loc = false;
  uint32_t count = 0;  // elements of an array; 0: none
  bool is_pointer() const noexcept { return type.find('*') != std::string::npos; }
};

struct EventFormat {
  uint32_t id = 0;            // 0: not known (BTF)
  std::vector<Field> fields;  // the four common ones first
};

Result<EventFormat> parse_format(std::string_view text);
// struct trace_event_raw_<event>; events that share another one's record are not found this way.
Result<EventFormat> format_from_types(const Types& types, std::string_view subsystem, std::string_view event);

}  // namespace tetragon::kernel
