// SPDX-License-Identifier: Apache-2.0
// Post with rateLimit or stack traces: the program is all there is. A plain Post needs no action at all.

#include <tetragon/plugin.h>

#include <string_view>

#include "post.bpf.elf.h"

namespace tetragon::post_plugin {
namespace {

class Post {
 public:
  static sdk::Result<Post> create(sdk::Host) { return Post(); }

  static constexpr std::string_view action_name = "Post";
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("post", TETRAGON_BPF_POST)};
};

}  // namespace
}  // namespace tetragon::post_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::post_plugin::Post, "tetragon.post", "1.0.0",
                           "Post with a rate limit or stack traces", 2);
