// SPDX-License-Identifier: Apache-2.0
// gRPC comes from a package and is not instrumented: the thread sanitizer does not see how its threads hand a call from
// one to the next, and takes what the libraries themselves do with that memory for races.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options();
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1";
}

extern "C" const char* __tsan_default_suppressions() {
  return "race:libgrpc\n"
         "race:libabsl_\n"
         "race:libupb\n";
}
