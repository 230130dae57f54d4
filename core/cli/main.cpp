// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <string>
#include <vector>

#include "core/cli/app.h"
#include "core/cli/interrupt.h"

int main(int argc, char** argv) {
  tetragon::cli::install_interrupt_handlers();
  tetragon::cli::Output out(STDOUT_FILENO);
  tetragon::cli::Output err(STDERR_FILENO);
  return tetragon::cli::run(std::vector<std::string>(argv + 1, argv + argc), out, err, STDIN_FILENO);
}
