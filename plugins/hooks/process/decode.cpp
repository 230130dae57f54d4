// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include "process.h"

namespace tetragon::process_plugin {
namespace {

// process.h spells the values of abi.h a second time, for the BPF programs.
static_assert(TG_EXEC_EXECVE == TETRAGON_EXEC_EXECVE && TG_EXEC_PROCFS == TETRAGON_EXEC_PROCFS);
static_assert(TG_EXEC_ERROR_ENVS == TETRAGON_EXEC_ERROR_ENVS && TG_EXEC_TRUNC_ARGS == TETRAGON_EXEC_TRUNC_ARGS);
static_assert(TG_EXEC_MISS == TETRAGON_EXEC_MISS && TG_EXEC_ERROR_FILENAME == TETRAGON_EXEC_ERROR_FILENAME);
static_assert(TG_EXEC_ERROR_ARGS == TETRAGON_EXEC_ERROR_ARGS && TG_EXEC_NO_CWD == TETRAGON_EXEC_NO_CWD);
static_assert(TG_EXEC_ROOT_CWD == TETRAGON_EXEC_ROOT_CWD && TG_EXEC_ERROR_CWD == TETRAGON_EXEC_ERROR_CWD);
static_assert(TG_EXEC_CLONE == TETRAGON_EXEC_CLONE);
static_assert(TG_EXEC_ERROR_CGROUP_NAME == TETRAGON_EXEC_ERROR_CGROUP_NAME);
static_assert(TG_EXEC_ERROR_CGROUP_SUBSYS_CGRP == TETRAGON_EXEC_ERROR_CGROUP_SUBSYS_CGRP);
static_assert(TG_EXEC_ERROR_CGROUP_SUBSYS == TETRAGON_EXEC_ERROR_CGROUP_SUBSYS);
static_assert(TG_EXEC_ERROR_CGROUPS == TETRAGON_EXEC_ERROR_CGROUPS);
static_assert(TG_EXEC_ERROR_CGROUP_ID == TETRAGON_EXEC_ERROR_CGROUP_ID);
static_assert(TG_EXEC_ERROR_PATH_CWD == TETRAGON_EXEC_ERROR_PATH_CWD);
static_assert(TG_EXEC_DATA_ARGS == TETRAGON_EXEC_DATA_ARGS);
static_assert(TG_EXEC_IN_INIT_TREE == TETRAGON_EXEC_IN_INIT_TREE && TG_EXEC_QUIET == TETRAGON_EXEC_QUIET);
static_assert(TG_PRIV_FILE_CAPS == TETRAGON_PRIV_FILE_CAPS && TG_PRIV_SETUID == TETRAGON_PRIV_SETUID &&
              TG_PRIV_SETGID == TETRAGON_PRIV_SETGID);
static_assert(int{TG_NS_UTS} == int{TETRAGON_NS_UTS} && int{TG_NS_PID} == int{TETRAGON_NS_PID} &&
              int{TG_NS_TIME} == int{TETRAGON_NS_TIME} && int{TG_NS_USER} == int{TETRAGON_NS_USER} &&
              int{TG_NS_COUNT} == int{TETRAGON_NS_COUNT});

// NULL: not a record of this kind with its fixed part complete.
template <class T>
const T* fixed_part(const void* record, std::uint64_t size, std::uint16_t kind) noexcept {
  if (record == nullptr || size < sizeof(T)) {
    return nullptr;
  }
  const auto* typed = static_cast<const T*>(record);
  return typed->head.size == size && typed->head.kind == kind ? typed : nullptr;
}

constexpr tetragon_process_key key(const tg_process_key& key) noexcept {
  return {key.start_ns, key.pid, 0};
}

// Hands out the texts behind the fixed part, one after the other.
class Texts {
 public:
  Texts(const char* begin, std::uint64_t size) : at_(begin), left_(size) {}

  // False: the text would end beyond the record.
  template <class View>
  bool take(std::uint32_t size, View* ret_view) noexcept {
    if (size > left_) {
      return false;
    }
    *ret_view = {at_, size};
    at_ += size;
    left_ -= size;
    return true;
  }
  bool empty() const noexcept { return left_ == 0; }

 private:
  const char* at_;
  std::uint64_t left_;
};

tetragon_credentials credentials(const tg_exec_credentials& from) noexcept {
  tetragon_credentials to{};
  to.struct_size = sizeof(to);
  to.uid = from.uid;
  to.gid = from.gid;
  to.euid = from.euid;
  to.egid = from.egid;
  to.suid = from.suid;
  to.sgid = from.sgid;
  to.fsuid = from.fsuid;
  to.fsgid = from.fsgid;
  to.securebits = from.securebits;
  to.cap_permitted = from.cap_permitted;
  to.cap_effective = from.cap_effective;
  to.cap_inheritable = from.cap_inheritable;
  to.user_ns_level = from.user_ns_level;
  to.user_ns_uid = from.user_ns_uid;
  to.user_ns_gid = from.user_ns_gid;
  to.user_ns_inum = from.user_ns_inum;
  return to;
}

}  // namespace

tetragon_rc decode_exec(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  const auto* exec = fixed_part<tg_exec>(record, size, TG_KIND_EXEC);
  if (exec == nullptr) {
    return TETRAGON_E_INVALID;
  }
  tetragon_process_exec event{};
  event.struct_size = sizeof(event);
  Texts texts(reinterpret_cast<const char*>(exec + 1), size - sizeof(*exec));
  if (!texts.take(exec->filename_size, &event.filename) || !texts.take(exec->cwd_size, &event.cwd) ||
      !texts.take(exec->cgroup_size, &event.cgroup_name) || !texts.take(exec->args_size, &event.args) ||
      !texts.take(exec->envs_size, &event.envs) || !texts.empty()) {
    return TETRAGON_E_INVALID;
  }
  event.flags = exec->flags;
  event.process = key(exec->process);
  event.parent = key(exec->parent);
  event.replaced = key(exec->replaced);
  event.time_ns = exec->head.time_ns;
  event.tid = exec->tid;
  event.uid = exec->uid;
  event.auid = exec->auid;
  event.ns_pid = exec->ns_pid;
  event.parent_pid = exec->parent_pid;
  event.privileges = exec->privileges;
  event.file_links = exec->file_links;
  event.file_valid = (exec->valid & TG_EXEC_VALID_FILE) != 0 ? 1 : 0;
  event.file_inode = exec->file_inode;
  event.cgroup_id = exec->cgroup_id;
  event.args_data = exec->args_data;
  event.envs_data = exec->envs_data;
  tetragon_credentials read{};
  if ((exec->valid & TG_EXEC_VALID_CREDENTIALS) != 0) {
    read = credentials(exec->credentials);
    event.credentials = &read;
  }
  for (int ns = 0; ns < TG_NS_COUNT; ++ns) {
    event.namespaces[ns] = exec->namespaces[ns];
  }
  out->process_exec(out->ctx, &event);
  return TETRAGON_OK;
}

tetragon_rc decode_clone(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  const auto* clone = fixed_part<tg_clone>(record, size, TG_KIND_CLONE);
  if (clone == nullptr || size != sizeof(*clone)) {
    return TETRAGON_E_INVALID;
  }
  tetragon_process_clone event{};
  event.struct_size = sizeof(event);
  event.flags = clone->flags;
  event.process = key(clone->process);
  event.parent = key(clone->parent);
  event.time_ns = clone->head.time_ns;
  event.tid = clone->tid;
  event.ns_pid = clone->ns_pid;
  event.parent_pid = clone->parent_pid;
  out->process_clone(out->ctx, &event);
  return TETRAGON_OK;
}

tetragon_rc decode_exit(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  const auto* exit = fixed_part<tg_exit>(record, size, TG_KIND_EXIT);
  if (exit == nullptr || size != sizeof(*exit)) {
    return TETRAGON_E_INVALID;
  }
  tetragon_process_exit event{};
  event.struct_size = sizeof(event);
  event.code = exit->code;
  event.process = key(exit->process);
  event.time_ns = exit->head.time_ns;
  event.tid = exit->tid;
  out->process_exit(out->ctx, &event);
  return TETRAGON_OK;
}

tetragon_rc decode_data(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  const auto* data = fixed_part<tg_data>(record, size, TG_KIND_DATA);
  if (data == nullptr || data->id == 0 || data->piece_size != size - sizeof(*data)) {
    return TETRAGON_E_INVALID;
  }
  tetragon_data event{};
  event.struct_size = sizeof(event);
  event.id = data->id;
  event.piece = {data + 1, data->piece_size};
  out->data(out->ctx, &event);
  return TETRAGON_OK;
}

}  // namespace tetragon::process_plugin
