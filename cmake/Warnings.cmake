# SPDX-License-Identifier: Apache-2.0
# tetragon::warnings: every target of ours links it; generated code does not.
add_library(tetragon_warnings INTERFACE)
add_library(tetragon::warnings ALIAS tetragon_warnings)
target_compile_options(tetragon_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wcast-qual -Wundef -Wformat=2 -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough>)
# GCC 12 warns inside std::string::operator+=(const char*) (GCC bug 105651, fixed in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tetragon_warnings INTERFACE -Wno-restrict)
endif()
