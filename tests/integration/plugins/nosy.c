/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the host with everything that is wrong; whatever the host accepts is the error. */
#include <stddef.h>
#define PLUGIN_ID "test.nosy"
#define PLUGIN_START_BODY \
  (void)instance;         \
  return pester();
#include <tetragon/abi.h>

static tetragon_rc pester(void);
#include "plugin_in_c.h"

static const tetragon_str null_text = {NULL, 5};
static const tetragon_str empty = {NULL, 0};
static const tetragon_str name = {"name", 4};
static const tetragon_bytes null_bytes = {NULL, 8};
static const tetragon_bytes huge = {"", UINT64_MAX};
static const tetragon_bytes some = {"12345678", 8};

static tetragon_rc complain(const char* what, uint64_t size) {
  const tetragon_str text = {what, size};

  the_host->set_error(the_host->ctx, text);
  return TETRAGON_E_INTERNAL;
}

#define REFUSES(call) \
  if ((call) >= 0) return complain("accepted " #call, sizeof("accepted " #call) - 1)

static tetragon_rc pester(void) {
  const tetragon_host* h = the_host;
  tetragon_bpf* bogus = (tetragon_bpf*)&instance_data;
  tetragon_bpf* bpf = NULL;
  tetragon_counter* counter = NULL;
  tetragon_str value;
  uint32_t count = 0;
  char buffer[8];

  h->log(h->ctx, 4000000000u, null_text);
  h->set_error(h->ctx, null_text);
  h->last_error(h->ctx, NULL);
  h->counter_add(h->ctx, NULL, 1);
  REFUSES(h->config_get(h->ctx, null_text, &value));
  REFUSES(h->config_get(h->ctx, name, NULL));
  REFUSES(h->counter(h->ctx, empty, &counter));
  REFUSES(h->counter(h->ctx, name, NULL));
  REFUSES(h->emit(h->ctx, 3, huge));
  REFUSES(h->emit(h->ctx, 3, null_bytes));
  REFUSES(h->tracepoint_args(h->ctx, null_text, &count));
  REFUSES(h->tracepoint_args(h->ctx, name, NULL));
  REFUSES(h->bpf_open(h->ctx, name, null_bytes, &bpf));
  REFUSES(h->bpf_open(h->ctx, name, huge, &bpf));
  REFUSES(h->bpf_open(h->ctx, name, some, NULL));
  REFUSES(h->bpf_open(h->ctx, name, some, &bpf)); /* not an ELF file */
  REFUSES(h->bpf_set_const(h->ctx, bogus, name, some));
  REFUSES(h->bpf_set_max_entries(h->ctx, NULL, name, 1));
  REFUSES(h->bpf_set_autoload(h->ctx, bogus, name, 1));
  REFUSES(h->bpf_load(h->ctx, bogus));
  REFUSES(h->bpf_load(h->ctx, NULL));
  REFUSES(h->bpf_attach(h->ctx, bogus, name));
  REFUSES(h->bpf_map_update(h->ctx, bogus, name, some, some, 0));
  REFUSES(h->bpf_map_lookup(h->ctx, bogus, name, some, buffer, sizeof(buffer)));
  REFUSES(h->bpf_map_delete(h->ctx, bogus, name, some));
  h->last_error(h->ctx, &value);
  if (value.size == 0) return complain("no text of the last error", 26);
  return TETRAGON_OK;
}
