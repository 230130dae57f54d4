/* SPDX-License-Identifier: Apache-2.0 */
/* The right name, but code: read as a descriptor it would be garbage. */
#include <tetragon/abi.h>

TETRAGON_EXPORT int tetragon_plugin_v1(void);
int tetragon_plugin_v1(void) {
  return 1;
}
