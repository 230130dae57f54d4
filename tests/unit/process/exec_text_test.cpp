// SPDX-License-Identifier: Apache-2.0
#include "core/process/exec_text.h"

#include <doctest/doctest.h>

#include <string>

#include "sdk/include/tetragon/abi.h"

using namespace tetragon::process;
using namespace std::string_literals;

namespace {

std::string arguments(const std::string& args) {
  std::string out;
  append_arguments(args, out);
  return out;
}

std::string flags(uint32_t bits) {
  std::string out;
  append_flags(bits, out);
  return out;
}

const std::string kId(64, 'a');
const std::string kShown(31, 'a');

}  // namespace

TEST_CASE("the program's own name is not an argument") {
  CHECK(arguments("") == "");
  CHECK(arguments("ls"s) == "");
  CHECK(arguments("ls\0"s) == "");
  CHECK(arguments("ls\0-l\0"s) == "-l");
  CHECK(arguments("\0-l\0"s) == "-l");
  CHECK(arguments("\0\0\0"s) == "");
}

TEST_CASE("arguments are joined by one space") {
  CHECK(arguments("ls\0-l\0/tmp\0"s) == "-l /tmp");
  CHECK(arguments("ls\0-l\0/tmp"s) == "-l /tmp");
}

TEST_CASE("an argument with a space is quoted, and nothing in it is escaped") {
  CHECK(arguments("x\0a\0b c\0d\0"s) == "a \"b c\" d");
  CHECK(arguments("x\0say \"hi\"\0"s) == " \"say \"hi\"\"");
  CHECK(arguments("x\0 \0"s) == " \" \"");
}

TEST_CASE("a quoted first argument begins with a space") {
  CHECK(arguments("x\0a b\0c\0"s) == " \"a b\" c");
}

TEST_CASE("empty arguments add only the joining space, and none at the end") {
  CHECK(arguments("x\0a\0\0b\0"s) == "a  b");
  CHECK(arguments("x\0\0b\0"s) == " b");
  CHECK(arguments("x\0a\0\0\0\0"s) == "a");
}

TEST_CASE("tabs and newlines are not quoted") {
  CHECK(arguments("x\0a\tb\nc\0"s) == "a\tb\nc");
}

TEST_CASE("arguments are appended") {
  std::string out = "before:";
  append_arguments("x\0a\0b\0"s, out);
  CHECK(out == "before:a b");
}

TEST_CASE("flags come in the contract's order, whatever their bits") {
  CHECK(flags(0) == "");
  CHECK(flags(TETRAGON_EXEC_CLONE | TETRAGON_EXEC_EXECVE) == "execve clone");
  CHECK(flags(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_ROOT_CWD | TETRAGON_EXEC_CLONE) == "execve rootcwd clone");
  CHECK(flags(0xffffffff) ==
        "execve procFS errorEnvs truncArgs miss errorFilename errorArgs nocwd rootcwd errorCWD clone errorCgroupName "
        "errorCgroupSubsysCgrp errorCgroupSubsys errorCgroups errorCgroupID errorPathResolutionCwd dataFilename "
        "dataArgs inInitTree");
  // Bits without a word.
  CHECK(flags(0x2 | 0x20 | 0x80 | 0x400 | 0x8000 | 0x20000 | TETRAGON_EXEC_QUIET) == "");
}

TEST_CASE("container ids of the usual runtimes") {
  REQUIRE(kShown.size() == 31);
  CHECK(container_id(kId) == kShown);
  CHECK(container_id("docker-" + kId + ".scope") == kShown);
  CHECK(container_id("crio-" + kId) == kShown);
  CHECK(container_id("cri-containerd-" + kId + ".scope") == kShown);
  CHECK(container_id("system.slice:containerd:" + kId) == kShown);
  CHECK(container_id("kubepods-pod1.slice:cri-containerd:" + kId) == kShown);
  CHECK(container_id("/kubepods/besteffort/pod1/" + kId) == kShown);
}

TEST_CASE("what is no container has no id") {
  CHECK(container_id("") == "");
  CHECK(container_id("/") == "");
  CHECK(container_id("user.slice") == "");
  CHECK(container_id("docker.service") == "");
  CHECK(container_id(kId + ".service") == "");
  CHECK(container_id(std::string(63, 'a')) == "");
  CHECK(container_id(std::string(64, 'g')) == "");
  CHECK(container_id("docker-" + std::string(63, 'a') + ".scope") == "");
}

TEST_CASE("of a name that was cut, 31 characters of an id are enough") {
  std::string name = "kubepods-besteffort-pod0123456789.slice:cri-containerd:";
  name += std::string(127 - name.size() - 40, 'x') + ':' + std::string(39, 'b');
  REQUIRE(name.size() == 127);
  CHECK(container_id(name) == std::string(31, 'b'));
  name.pop_back();
  CHECK(container_id(name) == "");
}

TEST_CASE("relative paths are joined and cleaned, absolute ones left alone") {
  CHECK(absolute_path("/home/u", "/bin/ls") == "/bin/ls");
  CHECK(absolute_path("/home/u", "/a/../b") == "/a/../b");
  CHECK(absolute_path("/home/u", "./run") == "/home/u/run");
  CHECK(absolute_path("/home/u", "../v//run") == "/home/v/run");
  CHECK(absolute_path("/home/u/", "run") == "/home/u/run");
  CHECK(absolute_path("/", "run") == "/run");
  CHECK(absolute_path("/a", "../../../x") == "/x");
  CHECK(absolute_path("/a", "..") == "/");
  CHECK(absolute_path("", "run") == "/run");
  CHECK(absolute_path("", "") == "/");
}

TEST_CASE("names of signals") {
  CHECK(signal_name(0) == "");
  CHECK(signal_name(1) == "SIGHUP");
  CHECK(signal_name(9) == "SIGKILL");
  CHECK(signal_name(15) == "SIGTERM");
  CHECK(signal_name(31) == "SIGSYS");
  CHECK(signal_name(32) == "");
  CHECK(signal_name(0xffffffff) == "");
}
