// The one table from an Error to what an API client sees: status, x-amzn-ErrorType, and a body with
// AWS's spelling of its message key. Pure.
#pragma once

#include "base/result.h"
#include "http/message.h"

#include <string_view>

namespace lambda::api {

struct ErrorShape {
  unsigned status = 500;
  std::string_view type;         // "ResourceNotFoundException"
  std::string_view message_key;  // "Message" or "message": AWS has both
  bool has_fault = true;         // the body's "Type": "User" or "Server"
};
[[nodiscard]] ErrorShape shape_of(const Error& error);

// For AWS's operations.
[[nodiscard]] http::Response aws_error(const Error& error);
// For /_lambda/: {"message","code","requestId"}.
[[nodiscard]] http::Response own_error(const Error& error, std::string_view request_id);

}  // namespace lambda::api
