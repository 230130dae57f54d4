// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  // Where the caller cannot give arguments: a guest leaves out the cases that measure time, ctest starts the programs.
  if (const char* exclude = std::getenv("TETRAGON_TEST_EXCLUDE")) context.addFilter("test-case-exclude", exclude);
  return context.run();
}
