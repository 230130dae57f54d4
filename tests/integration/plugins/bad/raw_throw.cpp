// SPDX-License-Identifier: Apache-2.0
// Without the facade nothing catches: the host must.
#include <tetragon/abi.h>

#include <stdexcept>

namespace {

int instance_data;
tetragon_rc create(const tetragon_host*, void** ret_instance) {
  *ret_instance = &instance_data;
  return TETRAGON_OK;
}
tetragon_rc start(void*) {
  throw std::runtime_error("thrown across the border");
}
void stop(void*) {
  throw 1;
}
void destroy(void*) {}

constexpr tetragon_hook_type hook = [] {
  tetragon_hook_type type{};
  type.struct_size = sizeof(type);
  return type;
}();

}  // namespace

extern "C" TETRAGON_EXPORT constinit const tetragon_plugin tetragon_plugin_v1 = {sizeof(tetragon_plugin),
                                                                                 0,
                                                                                 0,
                                                                                 TETRAGON_KIND_HOOK,
                                                                                 {"bad.raw-throw", 13},
                                                                                 {"1.0.0", 5},
                                                                                 {"", 0},
                                                                                 create,
                                                                                 start,
                                                                                 stop,
                                                                                 destroy,
                                                                                 &hook,
                                                                                 nullptr,
                                                                                 nullptr};
