/* SPDX-License-Identifier: Apache-2.0 */
/* Shorter than the head that every record has. */
#define PLUGIN_ID "bad.short-records"
#define PLUGIN_MIN_RECORD 8
#include "plugin_in_c.h"
