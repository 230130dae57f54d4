# SPDX-License-Identifier: Apache-2.0
# tetragon_add_unit_test(NAME SOURCES... LIBS...): one doctest binary; label unit; no root, no kernel.
find_path(DOCTEST_INCLUDE_DIR doctest/doctest.h REQUIRED)
add_library(tetragon_doctest INTERFACE)
target_include_directories(tetragon_doctest SYSTEM INTERFACE ${DOCTEST_INCLUDE_DIR})
target_compile_definitions(tetragon_doctest INTERFACE DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
# doctest's own code, compiled once for all test programs.
add_library(tetragon_test_main STATIC EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/unit/main.cpp)
target_link_libraries(tetragon_test_main PUBLIC tetragon_doctest PRIVATE tetragon::warnings)

function(tetragon_add_unit_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tetragon::warnings tetragon_test_main ${ARG_LIBS})
  add_test(NAME ${ARG_LABEL}.${name} COMMAND ${name})
  set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 120)
endfunction()
