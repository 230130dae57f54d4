# SPDX-License-Identifier: Apache-2.0
# Everything comes from Debian 12 packages; packaging/dependencies.sh lists them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options filesystem system)
find_package(Protobuf 3.21 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
