// SPDX-License-Identifier: Apache-2.0
// gRPC comes from a package and is not instrumented: the thread sanitizer does not see how it hands a call from one of
// its threads to the next. Only reports with gRPC's own code in them are left out.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgrpc++.so\n"
         "called_from_lib:libgpr.so\n"
         "called_from_lib:libabsl_synchronization.so\n"
         "race:^grpc\n"
         "race:grpc::internal::\n"
         "race:grpc_core::\n";
}
