// A handler's result -> HTTP response, by the rules of function URLs. Pure; any thread, and
// where the result is large best not a loop.
//
//   {"statusCode":...}   that status, `headers`, `cookies` (a Set-Cookie each), `body` as it is or
//                        from base64; application/json unless the headers say otherwise
//   "text"               200 application/json, the text without its quotes
//   any other JSON       200 application/json, the JSON as the function wrote it
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "http/message.h"

#include <string>

namespace lambda::gateway {

// Error: function_failed with what is wrong with the result (not JSON, a statusCode that is no
// status, a body that is not a string ...).
[[nodiscard]] Result<http::Response> make_response(std::string payload);

}  // namespace lambda::gateway
