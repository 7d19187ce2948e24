#include "api/error_response.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace lambda::api {
namespace {

boost::json::object body_of(const http::Response& response) {
  return boost::json::parse(response.body).as_object();
}

struct Row {
  ErrorCode code;
  const char* aws_type;
  unsigned status;
  const char* type;
  const char* message_key;
  const char* fault;  // "" where the body has no Type
};
class Table : public testing::TestWithParam<Row> {};

TEST_P(Table, IsWhatAwsClientsKnow) {
  const auto& row = GetParam();
  const auto response = aws_error(Error(row.code, "what happened").with_aws_type(row.aws_type));
  EXPECT_EQ(response.status, row.status);
  EXPECT_EQ(response.headers.get("x-amzn-ErrorType"), row.type);
  const auto body = body_of(response);
  ASSERT_TRUE(body.contains(row.message_key)) << response.body;
  EXPECT_EQ(body.at(row.message_key).as_string(), "what happened");
  EXPECT_EQ(body.contains("Type") ? std::string(body.at("Type").as_string()) : "", row.fault);
}
INSTANTIATE_TEST_SUITE_P(
    ErrorResponse, Table,
    testing::Values(
        Row{ErrorCode::not_found, "", 404, "ResourceNotFoundException", "Message", "User"},
        Row{ErrorCode::invalid, "", 400, "InvalidParameterValueException", "message", "User"},
        Row{ErrorCode::unsupported, "", 400, "InvalidParameterValueException", "message", "User"},
        Row{ErrorCode::validation, "", 400, "ValidationException", "message", ""},
        Row{ErrorCode::bad_content, "", 400, "InvalidRequestContentException", "message", "User"},
        Row{ErrorCode::conflict, "", 409, "ResourceConflictException", "message", "User"},
        Row{ErrorCode::precondition, "", 412, "PreconditionFailedException", "message", "User"},
        Row{ErrorCode::too_large, "", 413, "RequestTooLargeException", "message", "User"},
        Row{ErrorCode::overloaded, "", 429, "TooManyRequestsException", "message", "User"},
        Row{ErrorCode::denied, "", 403, "AccessDeniedException", "Message", ""},
        Row{ErrorCode::internal, "", 500, "ServiceException", "Message", "Server"},
        Row{ErrorCode::sandbox_failed, "", 502, "ServiceException", "Message", "Server"},
        Row{ErrorCode::unavailable, "", 503, "ServiceException", "Message", "Server"},
        Row{ErrorCode::timeout, "", 504, "ServiceException", "Message", "Server"},
        Row{ErrorCode::invalid, "SerializationException", 400, "SerializationException", "message",
            ""},
        Row{ErrorCode::not_found, "UnknownOperationException", 404, "UnknownOperationException",
            "message", ""},
        Row{ErrorCode::too_large, "RequestEntityTooLargeException", 413,
            "RequestEntityTooLargeException", "message", ""},
        Row{ErrorCode::unauthenticated, "InvalidSignatureException", 403,
            "InvalidSignatureException", "message", ""},
        Row{ErrorCode::unauthenticated, "MissingAuthenticationTokenException", 403,
            "MissingAuthenticationTokenException", "message", ""},
        Row{ErrorCode::not_found, "ProvisionedConcurrencyConfigNotFoundException", 404,
            "ProvisionedConcurrencyConfigNotFoundException", "message", "User"}));

TEST(ErrorResponse, ThrottlingSaysWhichLimitAndWhenToTryAgain) {
  const auto reserved =
      aws_error(Error(ErrorCode::overloaded, "Rate Exceeded.")
                    .with_aws_type("ReservedFunctionConcurrentInvocationLimitExceeded"));
  EXPECT_EQ(reserved.headers.get("x-amzn-ErrorType"), "TooManyRequestsException");
  EXPECT_EQ(body_of(reserved).at("Reason").as_string(),
            "ReservedFunctionConcurrentInvocationLimitExceeded");
  EXPECT_EQ(reserved.headers.get("Retry-After"), "1");
  const auto other = aws_error(Error(ErrorCode::overloaded, "Rate Exceeded."));
  EXPECT_EQ(body_of(other).at("Reason").as_string(), "ConcurrentInvocationLimitExceeded");
}

TEST(ErrorResponse, OurOwnOperationsNameTheKindAndTheRequest) {
  const auto response = own_error(Error(ErrorCode::not_found, "no function named x"), "id-1");
  EXPECT_EQ(response.status, 404u);
  const auto body = body_of(response);
  EXPECT_EQ(body.at("message").as_string(), "no function named x");
  EXPECT_EQ(body.at("code").as_string(), "not found");
  EXPECT_EQ(body.at("requestId").as_string(), "id-1");
}

TEST(ErrorResponse, EveryCodeHasARow) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    const auto shape = shape_of(Error(static_cast<ErrorCode>(code), "x"));
    EXPECT_FALSE(shape.type.empty()) << to_string(static_cast<ErrorCode>(code));
  }
}

}  // namespace
}  // namespace lambda::api
