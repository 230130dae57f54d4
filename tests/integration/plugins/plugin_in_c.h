/* SPDX-License-Identifier: Apache-2.0 */
/* A right plugin in plain C. A bad one defines one of the names below before it includes this. */
#include <tetragon/abi.h>

#ifndef PLUGIN_ID
#define PLUGIN_ID "test.good"
#endif
#ifndef PLUGIN_STRUCT_SIZE
#define PLUGIN_STRUCT_SIZE sizeof(tetragon_plugin)
#endif
#ifndef PLUGIN_ABI_MINOR
#define PLUGIN_ABI_MINOR TETRAGON_ABI_MINOR
#endif
#ifndef PLUGIN_MIN_HOST_MINOR
#define PLUGIN_MIN_HOST_MINOR 0
#endif
#ifndef PLUGIN_HOOK
#define PLUGIN_HOOK &hook
#endif
#ifndef PLUGIN_HOOK_SIZE
#define PLUGIN_HOOK_SIZE sizeof(tetragon_hook_type)
#endif
#ifndef PLUGIN_MIN_RECORD
#define PLUGIN_MIN_RECORD 40
#endif
#ifndef PLUGIN_CREATE_BODY
#define PLUGIN_CREATE_BODY        \
  *ret_instance = &instance_data; \
  (void)host;                     \
  return TETRAGON_OK;
#endif
#ifndef PLUGIN_START_BODY
#define PLUGIN_START_BODY \
  (void)instance;         \
  return TETRAGON_OK;
#endif

#define TEXT(s) \
  { s, sizeof(s) - 1 }

static int instance_data;
static const tetragon_host* the_host;

static tetragon_rc decode(const void* record, uint64_t size, const tetragon_event_out* out) {
  (void)record;
  (void)size;
  (void)out;
  return TETRAGON_OK;
}

static tetragon_rc create(const tetragon_host* host, void** ret_instance) {
  the_host = host;
  PLUGIN_CREATE_BODY
}
static tetragon_rc start(void* instance) {
  PLUGIN_START_BODY
}
static void stop(void* instance) {
  (void)instance;
}
static void destroy(void* instance) {
  (void)instance;
}

static const tetragon_record_kind kind = {
    .struct_size = sizeof(kind), .kind = 3, .min_size = PLUGIN_MIN_RECORD, .name = TEXT("one"), .decode = decode};
static const tetragon_record_kind* const kinds[] = {&kind};
static const tetragon_hook_type hook = {.struct_size = PLUGIN_HOOK_SIZE, .record_kind_count = 1, .record_kinds = kinds};

TETRAGON_EXPORT const tetragon_plugin tetragon_plugin_v1 = {
    .struct_size = PLUGIN_STRUCT_SIZE,
    .abi_minor = PLUGIN_ABI_MINOR,
    .min_host_minor = PLUGIN_MIN_HOST_MINOR,
    .kind = TETRAGON_KIND_HOOK,
    .id = TEXT(PLUGIN_ID),
    .version = TEXT("1.0.0"),
    .summary = TEXT("for tests"),
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .hook = PLUGIN_HOOK,
};
