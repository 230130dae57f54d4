// SPDX-License-Identifier: Apache-2.0
// matches() runs for every event and every consumer; it must not allocate.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/unit/filter/views.h"

namespace {
std::atomic<long> allocations{0};
}

// Not inlined: the compiler would take the free() below for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size); memory != nullptr) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

using namespace tetragon::filter;
using namespace tetragon::filter::testing;

TEST_CASE("a decision does not allocate") {
  auto set = FilterSet::parse(
      R"j({"event_set":["PROCESS_EXEC"],"binary_regex":["^/usr/bin/curl$","(nc|wget)[0-9]*$"],"policy_names":[]}
          {"pid_set":[9],"cel_expression":["process_exit.process.pid == 1u"]})j",
      R"j({"health_check":true} {"namespace":["kube-system"]} {"pid":[3]} {"labels":["app in (a,b)"]}
          {"capabilities":{"effective":{"any":["CAP_SYS_ADMIN"]}}} {"arguments_regex":["--secret[ =]"]})j");
  REQUIRE(set.ok());
  static const Labels labels = {{"app", "web"}};
  EventView view = event(exec, process("/usr/bin/wget2", 42), process("/bin/sh", 9));
  view.process.has_pod = true;
  view.process.pod_namespace = "default";
  view.process.label = label_of;
  view.process.label_context = &labels;
  view.process.exec_id = "e";
  bool passed = set->matches(view);  // the automata and the pid_set make their tables here
  const long before = allocations.load();
  for (int i = 0; i < 1000; ++i) {
    passed = set->matches(view) && passed;
  }
  const long after = allocations.load();
  CHECK(passed);
  CHECK(after == before);
}
