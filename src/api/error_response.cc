#include "api/error_response.h"

#include "access/failure_limit.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>

namespace lambda::api {
namespace {

struct Row {
  ErrorCode code;
  ErrorShape shape;
};

constexpr std::array<Row, 17> kTable{{
    {ErrorCode::not_found, {404, "ResourceNotFoundException", "Message", true}},
    {ErrorCode::invalid, {400, "InvalidParameterValueException", "message", true}},
    {ErrorCode::validation, {400, "ValidationException", "message", false}},
    {ErrorCode::bad_content, {400, "InvalidRequestContentException", "message", true}},
    {ErrorCode::conflict, {409, "ResourceConflictException", "message", true}},
    {ErrorCode::precondition, {412, "PreconditionFailedException", "message", true}},
    {ErrorCode::too_large, {413, "RequestTooLargeException", "message", true}},
    {ErrorCode::unauthenticated, {403, "UnrecognizedClientException", "message", false}},
    {ErrorCode::denied, {403, "AccessDeniedException", "Message", false}},
    {ErrorCode::timeout, {504, "ServiceException", "Message", true}},
    {ErrorCode::overloaded, {429, "TooManyRequestsException", "message", true}},
    {ErrorCode::no_room, {503, "ServiceException", "Message", true}},
    {ErrorCode::function_failed, {400, "InvalidParameterValueException", "message", true}},
    {ErrorCode::sandbox_failed, {502, "ServiceException", "Message", true}},
    {ErrorCode::unavailable, {503, "ServiceException", "Message", true}},
    {ErrorCode::unsupported, {400, "InvalidParameterValueException", "message", true}},
    {ErrorCode::internal, {500, "ServiceException", "Message", true}},
}};

// Errors that name AWS's type themselves, where it differs from the code's in status or spelling.
constexpr std::array<std::pair<std::string_view, ErrorShape>, 13> kNamed{{
    {"SerializationException", {400, "SerializationException", "message", false}},
    {"UnknownOperationException", {404, "UnknownOperationException", "message", false}},
    {"RequestEntityTooLargeException", {413, "RequestEntityTooLargeException", "message", false}},
    {"InvalidZipFileException", {502, "InvalidZipFileException", "Message", true}},
    {"MissingAuthenticationTokenException",
     {403, "MissingAuthenticationTokenException", "message", false}},
    {"IncompleteSignatureException", {403, "IncompleteSignatureException", "message", false}},
    {"InvalidSignatureException", {403, "InvalidSignatureException", "message", false}},
    {"UnrecognizedClientException", {403, "UnrecognizedClientException", "message", false}},
    {"ExpiredTokenException", {403, "ExpiredTokenException", "message", false}},
    {"MethodNotAllowedException", {405, "MethodNotAllowedException", "message", false}},
    {"ProvisionedConcurrencyConfigNotFoundException",
     {404, "ProvisionedConcurrencyConfigNotFoundException", "message", true}},
    {"PolicyLengthExceededException", {400, "PolicyLengthExceededException", "message", true}},
    {"CodeStorageExceededException", {400, "CodeStorageExceededException", "message", true}},
}};

// TooManyRequestsException says which limit it was.
std::string throttle_reason(const Error& error) {
  return error.aws_type().ends_with("LimitExceeded") ? error.aws_type()
                                                     : "ConcurrentInvocationLimitExceeded";
}

// When to try again; "" where that is of no use.
std::string retry_after(const Error& error) {
  if (error.aws_type() == access::kTooManyFailures)
    return std::to_string(access::kFailurePause.count());
  const bool soon = error.code() == ErrorCode::overloaded || error.code() == ErrorCode::no_room;
  return soon ? "1" : "";
}

}  // namespace

ErrorShape shape_of(const Error& error) {
  for (const auto& [type, shape] : kNamed) {
    if (type == error.aws_type()) return shape;
  }
  const auto* found = std::ranges::find(kTable, error.code(), &Row::code);
  return found == kTable.end() ? ErrorShape{} : found->shape;
}

http::Response aws_error(const Error& error) {
  const auto shape = shape_of(error);
  boost::json::object body;
  if (shape.has_fault) body["Type"] = shape.status >= 500 ? "Server" : "User";
  body[shape.message_key] = error.message();
  if (error.code() == ErrorCode::overloaded) body["Reason"] = throttle_reason(error);
  http::Response response(shape.status, "application/json", boost::json::serialize(body));
  response.headers.add("x-amzn-ErrorType", std::string(shape.type));
  if (auto after = retry_after(error); !after.empty())
    response.headers.add("Retry-After", std::move(after));
  return response;
}

http::Response own_error(const Error& error, std::string_view request_id) {
  const auto shape = shape_of(error);
  boost::json::object body;
  body["message"] = error.message();
  body["code"] = to_string(error.code());
  body["requestId"] = request_id;
  http::Response response(shape.status, "application/json", boost::json::serialize(body));
  response.headers.add("x-amzn-ErrorType", std::string(shape.type));
  if (auto after = retry_after(error); !after.empty())
    response.headers.add("Retry-After", std::move(after));
  return response;
}

}  // namespace lambda::api
