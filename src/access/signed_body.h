// Reads the body of a signed request no further than its signature is worth. A request that names
// its body's hash (X-Amz-Content-Sha256) is checked before its body is read. Of the others, which
// are most of AWS's clients, anybody who knows a key's id could send a large one: their bytes are
// counted over all requests, until the signature is known to be good. One coroutine a request, on
// its connection's loop; a BodyBudget is used from any thread.
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
// (too_large, unavailable, timeout, invalid), overloaded (too many unverified bytes at once).
Task<Result<SignedBody>> read_signed(const KeyChecker& keys, BlockingPool& disk,
                                     const http::Request& request, http::BodyReader& body,
                                     std::size_t limit);

}  // namespace lambda::access
