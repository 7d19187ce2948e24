// One request after the other to the server. Blocking; main thread.
#pragma once

#include "base/result.h"
#include "cli/connection/target.h"
#include "http/body.h"
#include "http/client.h"

#include <boost/json.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace lambda::cli {

// How long an answer may take to begin, and how long it may then be silent.
using Patience = std::chrono::steady_clock::duration;
inline constexpr Patience kForAnswers = std::chrono::minutes(1);
inline constexpr Patience kForCalls = std::chrono::minutes(20);  // a function may run for 15
inline constexpr Patience kForDeploys = std::chrono::hours(2);   // a build may be long

class ServerConnection {
 public:
  explicit ServerConnection(Target target) : target_(std::move(target)) {}

  // One call with its answer in memory. A status of 400 or more is an Error with the server's
  // message and a code by status.
  Result<http::Response> call(std::string method, std::string path, std::string body = {},
                              http::Headers headers = {});
  // The same as a JSON object.
  Result<boost::json::object> json(std::string method, std::string path,
                                   const boost::json::object* body = nullptr);
  [[nodiscard]] Result<boost::json::object> object_of(const http::Response& response) const;
  // Sends a streamed body and hands the answer over in pieces as they come; the head first.
  Result<http::Response> stream(std::string method, std::string path, http::BodyReader& body,
                                http::Headers headers,
                                const std::function<void(std::string_view)>& on_piece,
                                Patience patience);
  [[nodiscard]] const Target& target() const { return target_; }

 private:
  http::Request make_request(std::string method, std::string path, http::Headers headers) const;
  Target target_;
};

[[nodiscard]] ErrorCode code_of_status(unsigned status);
// What a response of 300 or more says.
[[nodiscard]] Error error_of(const http::Response& response);

}  // namespace lambda::cli
