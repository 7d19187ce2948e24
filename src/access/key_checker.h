// KeyChecker: what the gateway needs to know about API keys. The Authenticator implements it.
// Any thread, without I/O.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "http/message.h"

#include <string>
#include <string_view>

namespace lambda::access {

// Who made a request, for the event's authorizer.
struct Caller {
  std::string access_key;  // the key's id
  std::string account;     // 12 digits
  std::string user_arn;
  std::string user_id;
};

class KeyChecker {
 public:
  virtual ~KeyChecker() = default;

  // `token` is "lam_<id>_<secret>" from X-Lambda-Key. Errors: unauthenticated (unknown, revoked,
  // not a key), denied (a key that may not call this, or that came over plain HTTP from beyond
  // loopback).
  [[nodiscard]] virtual Result<Caller> check_key(const http::Request& request,
                                                 std::string_view token) const = 0;
  // What can be told of a signed request before its body is there: its key, scope and time; and
  // the signature itself where the request names its body's hash. Errors as above.
  [[nodiscard]] virtual Result<Done> check_before_body(const http::Request& request) const = 0;
  // AWS Signature Version 4 in header or query; `request.target` and the Host are as they came,
  // `body` is whole. Errors as above.
  [[nodiscard]] virtual Result<Caller> check_signature(const http::Request& request,
                                                       std::string_view body) const = 0;
};

}  // namespace lambda::access
