#include "base/result.h"

#include <cstring>

namespace lambda {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "not found";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::validation:
      return "validation";
    case ErrorCode::bad_content:
      return "bad content";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::precondition:
      return "precondition failed";
    case ErrorCode::too_large:
      return "too large";
    case ErrorCode::unauthenticated:
      return "unauthenticated";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::overloaded:
      return "overloaded";
    case ErrorCode::no_room:
      return "no room";
    case ErrorCode::function_failed:
      return "function failed";
    case ErrorCode::sandbox_failed:
      return "sandbox failed";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

Error Error::from_errno(std::string_view what, int error_number) {
  char buffer[256] = {};
  // The GNU strerror_r returns the text, which may or may not live in the buffer.
  const char* text = ::strerror_r(error_number, buffer, sizeof buffer);
  auto code = ErrorCode::internal;
  if (error_number == ENOENT) code = ErrorCode::not_found;
  if (error_number == EACCES || error_number == EPERM) code = ErrorCode::denied;
  return Error(code, fmt::format("{}: {}", what, text));
}

Error&& Error::with_context(std::string_view context) && {
  message_ = fmt::format("{}: {}", context, message_);
  return std::move(*this);
}

}  // namespace lambda
