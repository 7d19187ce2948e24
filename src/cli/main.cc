// lambda: the command line.
#include "cli/command_line.h"
#include "cli/exit_code.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

namespace {

using namespace lambda::cli;

// What was printed is only done when it is written: a full disk is a failure, a reader that has
// seen enough (`| head`) is none.
int end_output(int code) {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  const int number = errno;
  if (!failed || number == EPIPE || number == 0) return code;
  std::fprintf(stderr, "lambda: write to standard output: %s\n", std::strerror(number));
  return code == kDone ? kFailed : code;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return end_output(run_command_line(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lambda: %s\n", error.what());
    return kFailed;
  }
}
