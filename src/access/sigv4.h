// AWS Signature Version 4, the verifying side, in a header or in the query (presigned). Pure: the
// secret and the time come in. Source: AWS's signing documentation; the rules that its clients
// follow for Lambda, such as encoding the path as received once more, are checked against their own
// vectors in sigv4_test.cc.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::access {

struct Signature {
  std::string key_id;
  std::string date;  // 20260102
  std::string region;
  std::string service;
  std::string time;  // 20260102T030405Z
  std::vector<std::string> signed_headers;
  std::string signature;  // hex
  bool presigned = false;
  int expires_seconds = 0;  // presigned only
};

// Nothing where the request is not signed this way. Errors: unauthenticated
// (IncompleteSignatureException), naming what is missing.
Result<std::optional<Signature>> find_signature(const http::Request& request);

// Whether it was made lately, or is good for longer (presigned). The server's time is in the error.
Result<Done> check_time(const Signature& signature, WallTime now);

// Errors: unauthenticated, with AWS's texts (InvalidSignatureException).
Result<Done> verify_signature(const http::Request& request, const Signature& signature,
                              std::string_view secret, std::string_view body, WallTime now);

// The same as far as it goes without the body: scope and time, and the signature itself where the
// request names its body's hash, or says that it signed none.
Result<Done> verify_before_body(const http::Request& request, const Signature& signature,
                                std::string_view secret, WallTime now);

// The pieces, for tests.
[[nodiscard]] std::string canonical_request(const http::Request& request,
                                            const Signature& signature, std::string_view body);
[[nodiscard]] std::string signing_key(const Signature& signature, std::string_view secret);
[[nodiscard]] std::string string_to_sign(const Signature& signature, std::string_view canonical);

}  // namespace lambda::access
