#include "cli/exit_code.h"

#include "cli/foreign_text.h"

#include <cstdio>
#include <unistd.h>

namespace lambda::cli {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
    case ErrorCode::validation:
    case ErrorCode::bad_content:
    case ErrorCode::too_large:
    case ErrorCode::unsupported:
      return kUsage;
    case ErrorCode::function_failed:
      return kFunctionFailed;
    case ErrorCode::unauthenticated:
    case ErrorCode::denied:
      return kNotAllowed;
    case ErrorCode::not_found:
      return kNotFound;
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
      return kUnreachable;
    case ErrorCode::conflict:
    case ErrorCode::precondition:
    case ErrorCode::overloaded:
    case ErrorCode::no_room:
    case ErrorCode::sandbox_failed:
    case ErrorCode::internal:
      return kFailed;
  }
  return kFailed;
}

int explain(const Error& error) {
  std::fprintf(stderr, "lambda: %s\n", for_person(error.message(), STDERR_FILENO).c_str());
  return exit_code_of(error.code());
}

}  // namespace lambda::cli
