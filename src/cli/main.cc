// lambda: the command line.
#include "cli/command_line.h"
#include "cli/exit_code.h"

#include <boost/system/system_error.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace {

using namespace lambda::cli;

// `| head` that has seen enough: no failure.
bool reader_is_gone() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

// What was printed is only done when it is written: a full disk is a failure.
int end_output(int code) {
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!failed || reader_is_gone()) return code;
  std::fputs("lambda: standard output could not be written to its end (is the disk full?)\n",
             stderr);
  return code == kDone ? kFailed : code;
}

// Boost.JSON says so where a value is of another kind.
int strange_answer(const char* what) {
  std::fprintf(stderr,
               "lambda: the server's answer is of another shape than this version knows (%s): "
               "`lambda version` compares the two\n",
               what);
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return end_output(run_command_line(argc, argv));
  } catch (const boost::system::system_error& error) {
    return strange_answer(error.what());
  } catch (const std::invalid_argument& error) {
    return strange_answer(error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lambda: %s\n", error.what());
    return kFailed;
  }
}
