/* SPDX-License-Identifier: Apache-2.0 */
/* As a plugin looks that was built when the ABI ended with 1.0: what follows its fields is not its own. */
#define PLUGIN_ID "test.of-1-0"
#define PLUGIN_ABI_MINOR 0
#define PLUGIN_HOOK_SIZE offsetof(tetragon_hook_type, refresh)
#include "plugin_in_c.h"
