// The one table of exit codes. Pure.
#pragma once

#include "base/result.h"

namespace lambda::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kFunctionFailed = 3;
inline constexpr int kNotAllowed = 4;
inline constexpr int kNotFound = 5;
inline constexpr int kUnreachable = 6;

[[nodiscard]] int exit_code_of(ErrorCode code);
// Prints "lambda: <message>" on standard error and returns the code.
int explain(const Error& error);

}  // namespace lambda::cli
