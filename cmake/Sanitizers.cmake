# SPDX-License-Identifier: Apache-2.0
if(TETRAGON_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses this warning (GCC's manual says so for -fsanitize).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=address,undefined)
elseif(TETRAGON_SANITIZER STREQUAL "thread")
  # protobuf's map_field.h adds members under this macro that the packaged library was built without.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  add_link_options(-fsanitize=thread)
elseif(TETRAGON_SANITIZER)
  message(FATAL_ERROR "TETRAGON_SANITIZER: '${TETRAGON_SANITIZER}' is not known; use address, thread or nothing")
endif()
