# SPDX-License-Identifier: Apache-2.0
# How a plugin and its BPF programs are built. The tree and the installed SDK use this same file.
#
#   tetragon_add_bpf(<target> SOURCE x.bpf.c [INCLUDES dir...])
#     Compiles x.bpf.c, links and strips it (bpftool gen object) and embeds the result. <target> is a static library
#     with the header "x.bpf.elf.h":
#       extern const unsigned char tetragon_bpf_x[<size>];   the ELF file, 16-byte aligned; sizeof is its size
#       TETRAGON_BPF_X                                        a constant initialiser of type tetragon_bytes
#
#   tetragon_add_plugin(NAME process KIND hook|action|sink SOURCES a.cpp... [BPF x.bpf.c...] [INCLUDES dir...]
#                       [LIBS target...] [MANIFEST plugin.yaml])
#     Builds ${TETRAGON_PLUGIN_DIR}/<kind>s/<name>.so (target plugin_<name>), with <name>.yaml beside it, and installs
#     both. Only the symbol tetragon_plugin_v1 is exported. plugin.yaml of the calling folder is used when MANIFEST is
#     not given.
include_guard(GLOBAL)

set(TETRAGON_PLUGIN_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")
# The installed package says where its BPF headers are; in the tree they are beside sdk/.
if(NOT TETRAGON_BPF_INCLUDE_DIR)
  get_filename_component(TETRAGON_BPF_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../../bpf" ABSOLUTE)
endif()
if(NOT TETRAGON_PLUGIN_DIR)
  set(TETRAGON_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/tetragon")
endif()
# Not CMAKE_INSTALL_LIBDIR: the daemon looks in <bin>/../lib/tetragon, which must not depend on multi-arch folders.
set(TETRAGON_PLUGIN_INSTALL_DIR "lib/tetragon" CACHE STRING "Where plugins are installed, below the prefix")

find_program(TETRAGON_CLANG NAMES clang-14 clang-19 clang-18 clang-17 clang-16 clang-15 clang
             DOC "clang with the BPF target; compiles BPF programs")
find_program(TETRAGON_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin /usr/local/sbin
             DOC "bpftool; links and strips BPF objects")

if(NOT TETRAGON_BPF_ARCH)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(TETRAGON_BPF_ARCH x86_64)
    set(TETRAGON_BPF_ARCH_DEFINE __TARGET_ARCH_x86)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(TETRAGON_BPF_ARCH aarch64)
    set(TETRAGON_BPF_ARCH_DEFINE __TARGET_ARCH_arm64)
  else()
    message(FATAL_ERROR "tetragon: no BPF headers for processor '${CMAKE_SYSTEM_PROCESSOR}'")
  endif()
endif()

function(tetragon_add_bpf target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "SOURCE" "INCLUDES")
  if(NOT ARG_SOURCE OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tetragon_add_bpf(${target}): needs SOURCE x.bpf.c; not understood: '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT TETRAGON_CLANG OR NOT TETRAGON_BPFTOOL)
    message(FATAL_ERROR "tetragon_add_bpf(${target}): clang and bpftool are needed (Debian: clang-14, bpftool); "
                        "set TETRAGON_CLANG and TETRAGON_BPFTOOL")
  endif()
  get_filename_component(_source "${ARG_SOURCE}" ABSOLUTE)
  get_filename_component(_file "${ARG_SOURCE}" NAME)
  if(NOT _file MATCHES "^(.+)\\.bpf\\.c$")
    message(FATAL_ERROR "tetragon_add_bpf(${target}): '${_file}' must be named <name>.bpf.c")
  endif()
  string(MAKE_C_IDENTIFIER "${CMAKE_MATCH_1}" _name)
  set(_dir "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  file(MAKE_DIRECTORY "${_dir}")

  set(_include_flags)
  foreach(_inc IN LISTS ARG_INCLUDES)
    get_filename_component(_inc "${_inc}" ABSOLUTE)
    list(APPEND _include_flags "-I${_inc}")
  endforeach()
  # With a compiler cache, if there is one; not with paths it makes relative, which end up in BTF line information.
  set(_launcher)
  if(CMAKE_CXX_COMPILER_LAUNCHER)
    set(_launcher "${CMAKE_COMMAND}" -E env --unset=CCACHE_BASEDIR ${CMAKE_CXX_COMPILER_LAUNCHER})
  endif()
  # Paths of the building machine do not belong into BTF line information.
  set(_raw "${_dir}/${_name}.raw.o")
  set(_elf "${_dir}/${_name}.bpf.o")
  add_custom_command(
    OUTPUT "${_elf}"
    COMMAND ${_launcher} "${TETRAGON_CLANG}" -g -O2 -Wall -Werror -target bpf -mcpu=v3 -D${TETRAGON_BPF_ARCH_DEFINE}
            -fdebug-compilation-dir=. "-fdebug-prefix-map=${CMAKE_SOURCE_DIR}/=" "-fdebug-prefix-map=${TETRAGON_BPF_INCLUDE_DIR}/=bpf/"
            "-I${CMAKE_CURRENT_SOURCE_DIR}" ${_include_flags} "-I${TETRAGON_BPF_INCLUDE_DIR}"
            "-I${TETRAGON_BPF_INCLUDE_DIR}/vmlinux/${TETRAGON_BPF_ARCH}"
            -MD -MF "${_elf}.d" -MT "${_elf}" -c "${_source}" -o "${_raw}"
    COMMAND "${TETRAGON_BPFTOOL}" gen object "${_elf}" "${_raw}"
    DEPENDS "${_source}"
    DEPFILE "${_elf}.d"
    COMMENT "Building BPF object ${_file}"
    VERBATIM)

  get_property(_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(_ext c)
  if("CXX" IN_LIST _languages)
    set(_ext cpp)
  endif()
  set(_header "${_dir}/${_name}.bpf.elf.h")
  set(_code "${_dir}/${_name}.bpf.elf.${_ext}")
  add_custom_command(
    OUTPUT "${_header}" "${_code}"
    COMMAND "${CMAKE_COMMAND}" "-DELF=${_elf}" "-DNAME=${_name}" "-DHEADER=${_header}" "-DCODE=${_code}"
            -P "${TETRAGON_PLUGIN_CMAKE_DIR}/TetragonEmbedBpf.cmake"
    DEPENDS "${_elf}" "${TETRAGON_PLUGIN_CMAKE_DIR}/TetragonEmbedBpf.cmake"
    VERBATIM)
  add_library(${target} STATIC "${_code}" "${_header}")
  set_source_files_properties("${_code}" PROPERTIES OBJECT_DEPENDS "${_elf}")
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON TETRAGON_BPF_OBJECT "${_elf}")
  target_include_directories(${target} SYSTEM PUBLIC "${_dir}")
  target_link_libraries(${target} PUBLIC tetragon::sdk)
endfunction()

function(tetragon_add_plugin)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME;KIND;MANIFEST" "SOURCES;BPF;INCLUDES;LIBS")
  if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_NAME OR NOT ARG_SOURCES)
    message(FATAL_ERROR "tetragon_add_plugin: needs NAME, KIND and SOURCES; not understood: '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT ARG_KIND MATCHES "^(hook|action|sink)$")
    message(FATAL_ERROR "tetragon_add_plugin(${ARG_NAME}): KIND must be hook, action or sink, not '${ARG_KIND}'")
  endif()
  set(_target "plugin_${ARG_NAME}")
  set(_map "${TETRAGON_PLUGIN_CMAKE_DIR}/tetragon_plugin.map")

  add_library(${_target} MODULE ${ARG_SOURCES})
  foreach(_bpf IN LISTS ARG_BPF)
    get_filename_component(_stem "${_bpf}" NAME)
    string(REGEX REPLACE "\\.bpf\\.c$" "" _stem "${_stem}")
    tetragon_add_bpf(${_target}_bpf_${_stem} SOURCE "${_bpf}" INCLUDES ${ARG_INCLUDES})
    target_link_libraries(${_target} PRIVATE ${_target}_bpf_${_stem})
  endforeach()
  target_compile_features(${_target} PRIVATE cxx_std_20)
  target_include_directories(${_target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}" ${ARG_INCLUDES})
  target_link_libraries(${_target} PRIVATE tetragon::sdk ${ARG_LIBS})
  if(TARGET tetragon::warnings)
    target_link_libraries(${_target} PRIVATE tetragon::warnings)
  endif()
  # Hidden visibility alone still exports weak symbols of the standard library; the map leaves exactly one. What a
  # plugin needs it must link: -z defs finds at build time what would otherwise fail at load.
  target_link_options(${_target} PRIVATE "LINKER:--version-script=${_map}")
  if(NOT TETRAGON_SANITIZER)
    target_link_options(${_target} PRIVATE "LINKER:-z,defs")
  endif()
  set_target_properties(${_target} PROPERTIES
    PREFIX "" OUTPUT_NAME "${ARG_NAME}" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${TETRAGON_PLUGIN_DIR}/${ARG_KIND}s"
    LINK_DEPENDS "${_map}")

  if(ARG_MANIFEST)
    get_filename_component(_manifest "${ARG_MANIFEST}" ABSOLUTE)
  else()
    set(_manifest "${CMAKE_CURRENT_SOURCE_DIR}/plugin.yaml")
  endif()
  if(EXISTS "${_manifest}")
    set(_copy "${TETRAGON_PLUGIN_DIR}/${ARG_KIND}s/${ARG_NAME}.yaml")
    add_custom_command(
      OUTPUT "${_copy}"
      COMMAND "${CMAKE_COMMAND}" -E make_directory "${TETRAGON_PLUGIN_DIR}/${ARG_KIND}s"
      COMMAND "${CMAKE_COMMAND}" -E copy "${_manifest}" "${_copy}"
      DEPENDS "${_manifest}"
      VERBATIM)
    target_sources(${_target} PRIVATE "${_copy}")
    install(FILES "${_manifest}" DESTINATION "${TETRAGON_PLUGIN_INSTALL_DIR}/${ARG_KIND}s" RENAME "${ARG_NAME}.yaml"
            COMPONENT Plugins)
  endif()
  install(TARGETS ${_target} LIBRARY DESTINATION "${TETRAGON_PLUGIN_INSTALL_DIR}/${ARG_KIND}s" COMPONENT Plugins)
endfunction()
