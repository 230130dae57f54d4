/* SPDX-License-Identifier: Apache-2.0 */
#define PLUGIN_ID "bad.newer-abi"
#define PLUGIN_MIN_HOST_MINOR 99
#include "plugin_in_c.h"
