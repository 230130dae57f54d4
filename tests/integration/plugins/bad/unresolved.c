/* SPDX-License-Identifier: Apache-2.0 */
/* Needs a function that no library has: found at load, not at the first call. */
int function_that_nobody_has(void);
#define PLUGIN_ID "bad.unresolved"
#define PLUGIN_START_BODY \
  (void)instance;         \
  return function_that_nobody_has();
#include "plugin_in_c.h"
