# SPDX-License-Identifier: Apache-2.0
# Build identification: version from project(), commit from git where there is a checkout.
find_package(Git QUIET)
set(TETRAGON_GIT_COMMIT "unknown")
set(TETRAGON_GIT_STATE "unknown")
if(GIT_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE TETRAGON_GIT_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} status --porcelain WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE _dirty OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(_dirty)
    set(TETRAGON_GIT_STATE "dirty")
  else()
    set(TETRAGON_GIT_STATE "clean")
  endif()
endif()
string(TIMESTAMP TETRAGON_BUILD_DATE "%Y-%m-%dT%H:%M:%SZ" UTC)
