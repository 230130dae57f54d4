// SPDX-License-Identifier: Apache-2.0
#include "function_use/function_use.h"

#include <doctest/doctest.h>
#include <tetragon/testing/fake_host.h>

using namespace tetragon;

TEST_CASE("what other policies have on the functions of a hook") {
  testing::FakeRequest request;
  request.attributes["writes"] = "memory";
  CHECK(function_use::against_answering_kprobe(sdk::HookRequest(request.raw())).empty());
  CHECK(function_use::against_trampoline(sdk::HookRequest(request.raw())).empty());
  request.attributes["overridden"] = "f";
  CHECK(function_use::against_answering_kprobe(sdk::HookRequest(request.raw())).empty());
  CHECK(function_use::against_trampoline(sdk::HookRequest(request.raw())) ==
        "another hook answers for f by a kprobe, which a trampoline would undo");
  request.attributes = {{"trampolined", "g"}};
  CHECK(function_use::against_answering_kprobe(sdk::HookRequest(request.raw()))
            .starts_with("another hook is on g by a trampoline (fentry, fexit, fmod_ret), which goes on with it "
                         "whatever a kprobe"));
  CHECK(function_use::against_trampoline(sdk::HookRequest(request.raw())).empty());
}
