// SPDX-License-Identifier: Apache-2.0
// Freezes the layout of released minors: fields may be appended, and then a line here grows; nothing else may change.
#include <doctest/doctest.h>
#include <tetragon/abi.h>

#include "abi_sizes.h"
#include "shared/action.h"
#include "shared/hook.h"
#include "shared/process.h"
#include "shared/record.h"

extern "C" const std::size_t abi_c_sizes[];

TEST_CASE("C and C++ agree about every struct") {
  const std::size_t cpp_sizes[] = {ABI_SIZES};
  for (std::size_t n = 0; n < sizeof(cpp_sizes) / sizeof(cpp_sizes[0]); ++n) {
    CAPTURE(n);
    CHECK(cpp_sizes[n] == abi_c_sizes[n]);
  }
}

TEST_CASE("layout of ABI 1.0 on 64-bit machines") {
  CHECK(offsetof(tetragon_plugin, struct_size) == 0);
  CHECK(offsetof(tetragon_plugin, id) == 16);
  CHECK(offsetof(tetragon_plugin, create) == 64);
  CHECK(offsetof(tetragon_plugin, sink) == 112);
  CHECK(offsetof(tetragon_host, log) == 16);
  CHECK(offsetof(tetragon_host, bpf_map_delete) == 144);
  CHECK(offsetof(tetragon_host, last_error) == 152);
  CHECK(offsetof(tetragon_hook_type, scan) == 56);
  CHECK(offsetof(tetragon_record_kind, decode) == 32);
  CHECK(sizeof(tg_record) == 32);
  CHECK(offsetof(tg_record, time_ns) == 24);
  CHECK(sizeof(tg_process_key) == sizeof(tetragon_process_key));
}

TEST_CASE("layout of ABI 1.1 on 64-bit machines: appended to 1.0") {
  CHECK(offsetof(tetragon_event_out, event) == 48);
  CHECK(offsetof(tetragon_event_out, hook) == 56);
  CHECK(offsetof(tetragon_event_out, loader) == 64);
  CHECK(offsetof(tetragon_hook_type, refresh) == 64);
  CHECK(offsetof(tetragon_hook_type, hook_add) == 72);
  CHECK(offsetof(tetragon_hook_type, hook_remove) == 80);
  CHECK(offsetof(tetragon_hook_type, more_sections) == 88);
  CHECK(offsetof(tetragon_hook_type, operator_count) == 104);
  CHECK(offsetof(tetragon_hook_type, operators) == 112);
  CHECK(offsetof(tetragon_arg_type, decode) == 40);
  CHECK(offsetof(tetragon_arg_type, member_count) == 48);
  CHECK(offsetof(tetragon_arg_type, compare) == 52);
  CHECK(offsetof(tetragon_arg_type, members) == 56);
  CHECK(offsetof(tetragon_arg_member, path) == 8);
  CHECK(offsetof(tetragon_operator, lower) == 24);
  CHECK(offsetof(tetragon_operator, parse_value) == 40);
  CHECK(offsetof(tetragon_hook_target, syscall) == 56);
  CHECK(offsetof(tetragon_hook_attribute, value) == 24);
  CHECK(offsetof(tetragon_hook_request, backend) == 40);
  CHECK(offsetof(tetragon_hook_request, targets) == 64);
  CHECK(offsetof(tetragon_hook_request, attributes) == 72);
  CHECK(offsetof(tetragon_hook_value, bytes) == 16);
  CHECK(offsetof(tetragon_hook_event, hook) == 32);
  CHECK(offsetof(tetragon_hook_event, call) == 48);
  CHECK(offsetof(tetragon_hook_event, values) == 56);
  CHECK(offsetof(tetragon_loader_event, build_id) == 48);
  CHECK(offsetof(tetragon_attach_opts, cookie) == 56);
  CHECK(offsetof(tetragon_attach_opts, cookies) == 96);
  CHECK(offsetof(tetragon_host, feature) == 160);
  CHECK(offsetof(tetragon_host, hook_open) == 168);
  CHECK(offsetof(tetragon_host, bpf_set_attach_target) == 184);
  CHECK(offsetof(tetragon_host, bpf_close) == 216);
}

TEST_CASE("words of ABI 1.1 keep their numbers") {
  CHECK(TETRAGON_COMPARE_TEXT == 3);
  CHECK(TETRAGON_HOOK_NO_MULTI == 8);
  CHECK(TETRAGON_ATTACH_TRACING == 5);
  CHECK(TETRAGON_ATTACH_URETPROBE_MULTI == 11);
}

TEST_CASE("layout of ABI 1.2 on 64-bit machines: appended to 1.1") {
  CHECK(TETRAGON_ABI_MINOR == 2);
  CHECK(offsetof(tetragon_hook_event, selector) == 41);
  CHECK(offsetof(tetragon_hook_event, action) == 42);  // was reserved
  CHECK(sizeof(tetragon_hook_event) == 64);
  CHECK(offsetof(tetragon_action_call, process) == 8);
  CHECK(offsetof(tetragon_action_call, action) == sizeof(tetragon_action_call) - sizeof(tetragon_str));
  CHECK(offsetof(tetragon_action_type, name) == 8);
  CHECK(offsetof(tetragon_action_type, bpf_elfs) == 32);
  CHECK(offsetof(tetragon_action_type, execute) == 40);
  CHECK(offsetof(tetragon_action_type, more_names) == 48);
  CHECK(offsetof(tetragon_action_type, flags) == 64);
  CHECK(sizeof(tetragon_action_type) == 72);
  CHECK(offsetof(tetragon_host, hook_deliver) == 224);
}

TEST_CASE("words of ABI 1.2 keep their numbers") {
  CHECK(TETRAGON_HOOK_ACTIONS == 16);
  CHECK(TETRAGON_HOOK_VERDICT == 32);
  CHECK(TETRAGON_HOOK_RETURN_ACTIONS == 64);
  CHECK(TETRAGON_HOOK_VERDICT_ZERO == 128);
  CHECK(TETRAGON_ACTION_ENFORCES == 1);
  CHECK(TETRAGON_ACTION_VERDICT == 2);
  CHECK(TG_ACTION_NOPOST == 9);
  CHECK(TG_ACTION_SET == 15);
  CHECK(TG_DELIVER_REGISTERS == 4);
}

// What programs built apart from each other have in common: the verifier checks offsets against the map's value only.
TEST_CASE("layout of what a hook and its actions share, 1.2") {
  CHECK(offsetof(tg_action_step, policy) == 2);
  CHECK(offsetof(tg_action_step, error) == 16);
  CHECK(offsetof(tg_action_step, rate_interval_ns) == 40);
  CHECK(offsetof(tg_action_step, sets) == 48);
  CHECK(offsetof(tg_action_step, serial) == 176);
  CHECK(sizeof(tg_action_step) == 184);
  CHECK(offsetof(tg_chain, args_at) == 48);
  CHECK(offsetof(tg_chain, verdict) == 64);
  CHECK(sizeof(tg_chain) == 72);
  CHECK(offsetof(tg_policy_state, daemon_start) == 16);
  CHECK(sizeof(tg_policy_state) == 24);
  CHECK(sizeof(tg_verdict_key) == 16);
  CHECK(sizeof(tg_verdict) == 16);
  CHECK(offsetof(tg_hook_record, action) == 63);
}
