#include "gateway/reply.h"

#include "access/failure_limit.h"
#include "gateway/json_text.h"

namespace lambda::gateway {

Reply::Reply(const http::Request& request, const Route& route, std::string request_id,
             FailureLog& failures)
    : request_(request), route_(route), request_id_(std::move(request_id)), failures_(failures) {}

void Reply::complete(http::Headers& headers) const {
  headers.set("x-amzn-RequestId", request_id_);
  if (route_.door == Door::function_path) {
    headers.remove("Set-Cookie");
    headers.add("Content-Security-Policy", "sandbox");
  }
  if (cors_) cors_->apply(request_, headers);
}

http::Response Reply::failure(unsigned status, std::string_view message,
                              std::string_view error_type) const {
  std::string body = "{\"message\":";
  append_json(body, message);
  if (!error_type.empty()) {
    body += ",\"errorType\":";
    append_json(body, error_type);
  }
  body += ",\"requestId\":";
  append_json(body, request_id_);
  body += "}\n";
  http::Response response(status, "application/json", std::move(body));
  if (status == 429 || status == 503) response.headers.add("Retry-After", "1");
  complete(response.headers);
  return response;
}

http::Response Reply::failure(const Error& error) const {
  switch (error.code()) {
    case ErrorCode::not_found:
      return failure(404, error.message());
    case ErrorCode::invalid:
    case ErrorCode::validation:
    case ErrorCode::bad_content:
      return failure(400, error.message());
    case ErrorCode::unauthenticated:
    case ErrorCode::denied:
      return failure(403, error.message());
    case ErrorCode::too_large:
      return failure(413, error.message());
    case ErrorCode::overloaded: {
      auto response = failure(429, error.message());
      if (error.aws_type() == access::kTooManyFailures)
        response.headers.set("Retry-After", std::to_string(access::kFailurePause.count()));
      return response;
    }
    case ErrorCode::no_room:
      return failure(503, error.message());
    default:
      break;
  }
  failures_.tell(function_, request_id_, error.message());
  switch (error.code()) {
    case ErrorCode::timeout:
      return failure(504, fmt::format("the function {} did not answer in time", function_));
    case ErrorCode::function_failed:
      return failure(502, fmt::format("the function {} failed; `lambda logs {}` shows why",
                                      function_, function_));
    case ErrorCode::sandbox_failed:
      return failure(
          502,
          fmt::format("the function {} could not be started; lambdad's log says why", function_));
    case ErrorCode::unavailable:
      return failure(
          503, fmt::format("the function {} cannot run now; lambdad's log says why", function_));
    default:
      return failure(500, "the server failed; its log says more");
  }
}

}  // namespace lambda::gateway
