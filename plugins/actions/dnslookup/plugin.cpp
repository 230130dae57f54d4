// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

TETRAGON_ACTION_PLUGIN(tetragon::dnslookup::DnsLookup, "tetragon.dnslookup", "1.0.0",
                       "Asks for a name when a hook is hit");
