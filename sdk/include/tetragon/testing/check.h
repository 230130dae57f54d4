// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_TESTING_CHECK_H
#define TETRAGON_TESTING_CHECK_H

// The least a test program needs, for plugins that bring no test framework. Not together with one: it has its own
// CHECK.
//
//   int main() {
//     CHECK(1 + 1 == 2);
//     return tetragon::testing::outcome();
//   }

#include <cstdio>

namespace tetragon::testing {

inline int failures = 0;

// The program's exit code; says how it went.
inline int outcome() {
  std::printf("%s: %d failures\n", failures == 0 ? "passed" : "FAILED", failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace tetragon::testing

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::printf("%s:%d: %s is not true\n", __FILE__, __LINE__, #condition); \
      ++tetragon::testing::failures;                                          \
    }                                                                         \
  } while (false)

#endif
