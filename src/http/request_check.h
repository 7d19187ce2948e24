// What RFC 9112 leaves a server no choice about, checked on a parsed head. Pure.
#pragma once

#include "http/message.h"
#include "http/server.h"

#include <optional>
#include <string>
#include <string_view>

namespace lambda::http {

struct Refusal {
  Refusal(unsigned status_code, std::string why) : status(status_code), reason(std::move(why)) {}
  unsigned status;
  std::string reason;
};

// One Host, one framing, a target that is a path. Reduces an absolute-form target to path and
// query.
[[nodiscard]] std::optional<Refusal> check_request(Request& request, const ServerLimits& limits);

// A header line that begins with white space (obsolete folding), which parsers read differently.
// `head` is the raw bytes up to the empty line.
[[nodiscard]] bool has_folding(std::string_view head);

// {"message":...,"requestId":...} `id` "": a new one.
[[nodiscard]] Response error_response(unsigned status, std::string_view message,
                                      std::string id = {});

}  // namespace lambda::http
