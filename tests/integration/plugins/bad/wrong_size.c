/* SPDX-License-Identifier: Apache-2.0 */
/* As if the header had lost its last members. */
#define PLUGIN_ID "bad.wrong-size"
#define PLUGIN_STRUCT_SIZE 40
#include "plugin_in_c.h"
