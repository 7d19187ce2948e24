// KeyChecker: what the gateway needs to know about API keys. The Authenticator implements it.
// Any thread, without I/O.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "store/grants.h"
#include "store/key_table.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::access {

// Who made a request: for the event's authorizer, and for what they may do.
struct Caller {
  std::string access_key;  // the key's id
  std::string account;     // 12 digits
  std::string user_arn;
  std::string user_id;
  std::string name;                 // the key's; of a person on the unix socket, the user's
  bool has_key = false;             // else a person on the unix socket
  store::Grants grants;             // none, until somebody gives some
  std::optional<WallTime> expires;  // when the key does
};

// Somebody to whom it matters that a key is none any more, for as long as this lives.
using KeyWatch = store::KeyWatch;

// What stands behind "Bearer " in a header Authorization; nothing where that is of another kind.
[[nodiscard]] std::optional<std::string_view> bearer_token(std::string_view authorization);
// Whether a header Authorization carries what looks like a key, right or wrong: "Bearer lam_...".
[[nodiscard]] bool carries_key(std::string_view authorization);

class KeyChecker {
 public:
  virtual ~KeyChecker() = default;

  // `token` is "lam_<id>_<secret>" from X-Lambda-Key. Errors: unauthenticated (unknown, revoked,
  // expired, not a key), denied (it came over plain HTTP from beyond loopback), overloaded (one
  // wrong credential too many from that address). What the key may do is authorize()'s.
  [[nodiscard]] virtual Result<Caller> check_key(const http::Request& request,
                                                 std::string_view token) const = 0;
  // What can be told of a signed request before its body is there: its key, scope and time; and
  // the signature itself where the request names its body's hash. Errors as above.
  [[nodiscard]] virtual Result<Done> check_before_body(const http::Request& request) const = 0;
  // AWS Signature Version 4 in header or query; `request.target` and the Host are as they came,
  // `body` is whole. Errors as above.
  [[nodiscard]] virtual Result<Caller> check_signature(const http::Request& request,
                                                       std::string_view body) const = 0;
  // For an answer that lasts: while what it gives lives, `on_end` is called, on the loop, when the
  // caller's key is revoked or ends. See CallerWatch.
  [[nodiscard]] virtual std::unique_ptr<KeyWatch> watch(
      const Caller& caller, LoopExecutor executor,
      std::function<void(const Error&)> on_end) const = 0;
};

}  // namespace lambda::access
