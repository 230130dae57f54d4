/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of a later major version, or no plugin at all. */
#include <tetragon/abi.h>

TETRAGON_EXPORT const int tetragon_plugin_v2 = 1;
