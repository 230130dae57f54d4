// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/cli/app.h"

using namespace tetragon::cli;

namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome validate(std::vector<std::string> arguments, int input = -1) {
  arguments.insert(arguments.begin(), {"tp", "validate"});
  Output out(-1), err(-1);
  const int code = run(arguments, out, err, input);
  return {code, out.text(), err.text()};
}

class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ + "/" + name) << content;
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/tetra-validate-XXXXXX";
};

const std::string good =
    "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a}\nspec: {loader: true}\n";
const std::string bad =
    "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: A}\nspec: {loder: true}\n";

}  // namespace

TEST_CASE("files without errors are ok, every error of the others is printed") {
  const Folder folder;
  const std::string a = folder.file("a.yaml", good), b = folder.file("b.yml", bad);
  folder.file("c.txt", "no policy");
  Outcome outcome = validate({a});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == a + ": ok\n");
  outcome = validate({b});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.find(b + ":3:18: metadata.name: \"A\"") == 0);
  CHECK(outcome.out.find(b + ":4:8: spec.loder: there is no such field in spec; did you mean loader?") !=
        std::string::npos);
  CHECK(outcome.out.find(": ok") == std::string::npos);
  outcome = validate({folder.path()});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.find(a + ": ok\n" + b + ":3:18: ") == 0);
  CHECK(outcome.out.find("c.txt") == std::string::npos);
}

TEST_CASE("standard input, missing files, empty folders") {
  const Folder folder;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], good.data(), good.size()) == static_cast<ssize_t>(good.size()));
  close(ends[1]);
  CHECK(validate({"-"}, ends[0]).out == "stdin: ok\n");
  close(ends[0]);
  Outcome outcome = validate({folder.path(), folder.path() + "/none.yaml", folder.file("a.yml", good)});
  CHECK(outcome.code == 1);
  CHECK(outcome.err.find("none.yaml: No such file or directory") != std::string::npos);
  CHECK(outcome.out.find("a.yml: ok") != std::string::npos);
  std::filesystem::remove(folder.path() + "/a.yml");
  CHECK(validate({folder.path()}).err.find("holds no .yaml or .yml file") != std::string::npos);
}

TEST_CASE("names of files and texts of policies cannot drive the terminal") {
  const Folder folder;
  const std::string file = folder.file("e\x1b[2J.yaml", "a: &x [*x]\n\"\\e[2J\": 1\n");
  CHECK(validate({file}).out.find('\x1b') == std::string::npos);
}
