/* SPDX-License-Identifier: Apache-2.0 */
#define PLUGIN_ID "bad.create-fails"
#define PLUGIN_CREATE_BODY                                     \
  tetragon_str text = TEXT("the configuration names no moon"); \
  (void)ret_instance;                                          \
  (void)instance_data;                                         \
  host->set_error(host->ctx, text);                            \
  return TETRAGON_E_INVALID;
#include "plugin_in_c.h"
