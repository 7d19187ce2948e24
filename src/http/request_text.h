// The head of a request as bytes. Pure.
#pragma once

#include "base/result.h"
#include "http/message.h"

#include <cstddef>
#include <optional>
#include <string>

namespace lambda::http {

struct RequestText {
  std::string bytes;
  bool chunked = false;
  std::optional<std::size_t> length;  // of the body that the head promises
};

// Request line and fields as they are, plus Host, and Content-Length or Transfer-Encoding, where
// missing. `body_length` is what the body declares. Errors: invalid (a name, value or target that
// cannot be sent, or would be read as something else).
Result<RequestText> request_text(const Request& request, std::optional<std::size_t> body_length);

}  // namespace lambda::http
