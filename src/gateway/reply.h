// What every answer through a function's door gets, whoever makes it: the request id, the URL's
// CORS fields, and on /fn/, which shares the console's origin, no power over that origin. Lives as
// long as the request; one loop.
#pragma once

#include "base/result.h"
#include "gateway/cors.h"
#include "gateway/failure_log.h"
#include "gateway/router.h"
#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace lambda::gateway {

class Reply {
 public:
  // `request`, `route` and `failures` outlive it.
  Reply(const http::Request& request, const Route& route, std::string request_id,
        FailureLog& failures);

  void set_cors(std::optional<Cors> cors) { cors_ = std::move(cors); }
  // The function's name as people know it, for messages.
  void set_function(std::string name) { function_ = std::move(name); }
  [[nodiscard]] const std::string& function() const { return function_; }
  [[nodiscard]] const std::string& request_id() const { return request_id_; }

  // Completes the headers of a response that the function made.
  void complete(http::Headers& headers) const;
  // {"message":...,"requestId":...}, with "errorType" where it is not empty; completed.
  [[nodiscard]] http::Response failure(unsigned status, std::string_view message,
                                       std::string_view error_type = {}) const;
  // For an Error of the platform. What it says of the machine or of the function's insides is
  // logged and not sent.
  [[nodiscard]] http::Response failure(const Error& error) const;

 private:
  const http::Request& request_;
  const Route& route_;
  std::string request_id_;
  FailureLog& failures_;
  std::string function_;
  std::optional<Cors> cors_;
};

}  // namespace lambda::gateway
