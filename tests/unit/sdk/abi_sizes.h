/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ABI_SIZES_H
#define ABI_SIZES_H
#define ABI_SIZES                                                                                                  \
  sizeof(tetragon_str), sizeof(tetragon_process_key), sizeof(tetragon_credentials), sizeof(tetragon_process_exec), \
      sizeof(tetragon_process_clone), sizeof(tetragon_process_exit), sizeof(tetragon_data), sizeof(tetragon_arg),  \
      sizeof(tetragon_event), sizeof(tetragon_event_out), sizeof(tetragon_record_kind), sizeof(tetragon_arg_type), \
      sizeof(tetragon_bpf_elf), sizeof(tetragon_hook_type), sizeof(tetragon_action_call),                          \
      sizeof(tetragon_action_type), sizeof(tetragon_sink_type), sizeof(tetragon_host), sizeof(tetragon_plugin),    \
      offsetof(tetragon_process_exec, namespaces), offsetof(tetragon_plugin, sink),                                \
      offsetof(tetragon_host, last_error), sizeof(tetragon_hook_value), sizeof(tetragon_hook_event),               \
      sizeof(tetragon_loader_event), sizeof(tetragon_arg_member), sizeof(tetragon_operator),                       \
      sizeof(tetragon_hook_target), sizeof(tetragon_hook_attribute), sizeof(tetragon_hook_request),                \
      sizeof(tetragon_attach_opts), offsetof(tetragon_hook_type, operators), offsetof(tetragon_host, bpf_close),   \
      offsetof(tetragon_action_type, flags), offsetof(tetragon_action_call, action),                               \
      offsetof(tetragon_host, hook_deliver)
#endif
