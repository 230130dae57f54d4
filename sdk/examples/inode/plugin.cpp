// SPDX-License-Identifier: Apache-2.0
// Words for policies, and no BPF program: whichever plugin serves the hook reads the value with the engine of the
// daemon, and this one says what is read, what it is called and how it is compared.
#include <tetragon/plugin.h>

#include <cstring>
#include <string_view>

namespace {

using namespace tetragon::sdk;

// The bytes of the members, one behind the other. What a policy reads through `struct file *`.
tetragon_rc decode_inode(tetragon_bytes raw, tetragon_arg* ret_arg) {
  if (raw.size < sizeof(ret_arg->value.u)) {
    return TETRAGON_E_INVALID;
  }
  ret_arg->kind = TETRAGON_ARG_SIZE;
  std::memcpy(&ret_arg->value.u, raw.data, sizeof(ret_arg->value.u));
  return TETRAGON_OK;
}

// "12|15|20": what Equal takes, in one value.
tetragon_rc split(tetragon_str value, void* ctx, void (*add)(void*, tetragon_str)) {
  std::string_view rest = view(value);
  while (true) {
    const std::size_t bar = rest.find('|');
    const std::string_view one = rest.substr(0, bar);
    if (one.empty()) {
      return TETRAGON_E_INVALID;
    }
    add(ctx, str(one));
    if (bar == std::string_view::npos) {
      return TETRAGON_OK;
    }
    rest.remove_prefix(bar + 1);
  }
}

class Inode {
 public:
  static Result<Inode> create(Host) { return Inode(); }
  Result<void> start() { return {}; }
  void stop() noexcept {}

  static constexpr tetragon_arg_member members[] = {arg_member("f_inode.i_ino")};
  static constexpr tetragon_arg_type arg_types[] = {
      arg_type<decode_inode, members>("inode_number", "struct file", TETRAGON_COMPARE_NUMBER)};
  static constexpr tetragon_operator operators[] = {make_operator<split>("OneOf", "Equal", TETRAGON_COMPARE_NUMBER)};
};

}  // namespace

// Members and operators came with 1.1: an older host would not know them, and policies would not mean what they say.
TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, Inode, "example.inode", "1.0.0",
                           "Inode numbers and the operator OneOf for policies", 1);
