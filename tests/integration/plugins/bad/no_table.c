/* SPDX-License-Identifier: Apache-2.0 */
#define PLUGIN_ID "bad.no-table"
#define PLUGIN_HOOK (const void*)0
#include "plugin_in_c.h"
const void* no_table_unused(void);
const void* no_table_unused(void) {
  return &hook;
}
