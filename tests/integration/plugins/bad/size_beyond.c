/* SPDX-License-Identifier: Apache-2.0 */
/* Claims to be newer and larger, and is not larger. */
#define PLUGIN_ID "bad.size-beyond"
#define PLUGIN_ABI_MINOR 7
#define PLUGIN_STRUCT_SIZE (sizeof(tetragon_plugin) + 64)
#include "plugin_in_c.h"
