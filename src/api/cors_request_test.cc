#include "api/cors_request.h"

#include <gtest/gtest.h>

namespace lambda::api {
namespace {

Result<std::string> read(const char* text) {
  return read_cors(boost::json::parse(text).as_object());
}

TEST(CorsRequest, KeepsWhatAwsKnows) {
  EXPECT_EQ(*read(R"({"AllowOrigins": ["*"], "MaxAge": 5, "AllowCredentials": true, "Other": 1})"),
            R"({"AllowCredentials":true,"AllowOrigins":["*"],"MaxAge":5})");
  EXPECT_EQ(*read("{}"), "");
}

TEST(CorsRequest, RefusesTheRest) {
  EXPECT_EQ(read(R"({"AllowOrigins": "*"})").error().aws_type(), "SerializationException");
  EXPECT_EQ(read(R"({"MaxAge": 86401})").error().message(),
            "1 validation error detected: Value '86401' at 'cors.maxAge' failed to satisfy "
            "constraint: Member must have value less than or equal to 86400");
  EXPECT_EQ(read(R"({"ExposeHeaders": ["a\r\nSet-Cookie: b"]})").error().code(),
            ErrorCode::validation);
  EXPECT_EQ(read(R"({"AllowMethods": ["A","B","C","D","E","F","G"]})").error().code(),
            ErrorCode::validation);
}

}  // namespace
}  // namespace lambda::api
