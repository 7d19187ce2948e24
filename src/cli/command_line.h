// The arguments of `lambda`: which command they mean, or what is wrong with them. Main thread.
#pragma once

namespace lambda::cli {

// Runs the command; returns the exit code. Help and version go to standard output, what is wrong
// with the arguments to standard error.
int run_command_line(int argc, char** argv);

}  // namespace lambda::cli
