// The one table of exit codes. Pure.
#pragma once

#include "base/result.h"

#include <array>

namespace lambda::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kFunctionFailed = 3;
inline constexpr int kNotAllowed = 4;
inline constexpr int kNotFound = 5;
inline constexpr int kUnreachable = 6;
// Ctrl-C, as shells count it.
inline constexpr int kInterrupted = 130;

struct ExitCode {
  int code;
  const char* meaning;
};
// In order; what `lambda --help` and docs/cli.md show.
inline constexpr std::array<ExitCode, 8> kExitCodes = {{
    {kDone, "done"},
    {kFailed, "failed for another reason"},
    {kUsage, "usage: a wrong argument, setting or folder"},
    {kFunctionFailed, "the function failed"},
    {kNotAllowed, "not allowed"},
    {kNotFound, "not found"},
    {kUnreachable, "the server is unreachable"},
    {kInterrupted, "ended by Ctrl-C"},
}};

[[nodiscard]] int exit_code_of(ErrorCode code);
// Prints "lambda: <message>" on standard error and returns the code.
int explain(const Error& error);

}  // namespace lambda::cli
