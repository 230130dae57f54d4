// SPDX-License-Identifier: Apache-2.0
#pragma once

// A /proc of our own making in a temporary folder.

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

class FakeProc {
 public:
  FakeProc() {
    char name[] = "/tmp/tetragon-proc-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  const std::string& root() const { return root_; }

  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path, std::ios::binary) << text;
  }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::filesystem::remove(root_ + "/" + path);
    std::filesystem::create_symlink(target, root_ + "/" + path);
  }
  void stat(int pid, int parent, unsigned long ticks, const std::string& comm, char state = 'S', unsigned flags = 0,
            int threads = 1) {
    file(std::to_string(pid) + "/stat", std::to_string(pid) + " (" + comm + ") " + state + " " +
                                            std::to_string(parent) + " 1 1 0 -1 " + std::to_string(flags) +
                                            " 0 0 0 0 0 0 0 0 20 0 " + std::to_string(threads) + " 0 " +
                                            std::to_string(ticks) + " 1000 100\n");
  }
  // A complete ordinary process.
  void process(int pid, int parent, unsigned long ticks, const std::string& exe, const std::string& args) {
    const std::string dir = std::to_string(pid);
    stat(pid, parent, ticks, "name");
    file(dir + "/status", "Name:\tname\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t" + dir +
                              "\nCapInh:\t0000000000000001\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n");
    file(dir + "/cmdline", args);
    file(dir + "/loginuid", "1000");
    file(dir + "/cgroup", "0::/group/" + dir + "\n");
    link(dir + "/exe", exe);
    link(dir + "/cwd", "/home");
    int n = 1;
    for (const char* ns :
         {"uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"}) {
      const int inum = n++;
      link(dir + "/ns/" + ns, std::string(ns) + ":[" + std::to_string(inum) + "]");
    }
  }
  void remove(int pid) { std::filesystem::remove_all(root_ + "/" + std::to_string(pid)); }

 private:
  std::string root_;
};
