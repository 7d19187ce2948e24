// Reads the body of a signed request no further than its signature is worth: what is wrong already
// without the body (key, scope, time; and the signature, where the request names its body's hash)
// is refused before the server holds a byte of it. One coroutine a request, on its connection's
// loop.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "http/body.h"
#include "http/message.h"

#include <cstddef>
#include <string>

namespace lambda::access {

struct SignedBody {
  Caller caller;
  std::string bytes;
};

// Large bodies are worked through on `disk`. Errors: those of the signature, those of the body
// (too_large, no_room, unavailable, timeout, invalid).
Task<Result<SignedBody>> read_signed(const KeyChecker& keys, BlockingPool& disk,
                                     const http::Request& request, http::BodyReader& body,
                                     std::size_t limit);

}  // namespace lambda::access
