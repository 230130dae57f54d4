/* SPDX-License-Identifier: Apache-2.0 */
#define PLUGIN_ID "Bad Id"
#include "plugin_in_c.h"
