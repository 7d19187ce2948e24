#include "gateway/cors.h"

#include <gtest/gtest.h>

namespace lambda::gateway {
namespace {

http::Request preflight(const std::string& origin) {
  http::Request request;
  request.method = "OPTIONS";
  request.target = "/";
  request.headers.add("Origin", origin);
  request.headers.add("Access-Control-Request-Method", "PUT");
  request.headers.add("Access-Control-Request-Headers", "x-a,x-b");
  return request;
}

TEST(Cors, AnswersAPreflight) {
  const auto cors = Cors::parse(R"({"AllowOrigins":["https://a.example","https://b.example"],
      "AllowMethods":["GET","PUT"],"AllowHeaders":["x-a"],"MaxAge":600})");
  const auto answer = cors->preflight(preflight("https://B.example"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200u);
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Origin"), "https://B.example");
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Methods"), "GET,PUT");
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Headers"), "x-a");
  EXPECT_EQ(answer->headers.get("Access-Control-Max-Age"), "600");
  EXPECT_EQ(answer->headers.get("Vary"), "Origin");
}

TEST(Cors, AllowsNothingToAStrangeOrigin) {
  const auto cors = Cors::parse(R"({"AllowOrigins":["https://a.example"],"AllowMethods":["*"]})");
  const auto answer = cors->preflight(preflight("https://a.example.evil"));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->headers.has("Access-Control-Allow-Origin"));
  EXPECT_FALSE(answer->headers.has("Access-Control-Allow-Methods"));
}

TEST(Cors, NamesWhatIsAskedForWhereCredentialsForbidAStar) {
  const auto cors = Cors::parse(
      R"({"AllowOrigins":["*"],"AllowMethods":["*"],"AllowHeaders":["*"],"AllowCredentials":true})");
  const auto answer = cors->preflight(preflight("https://a.example"));
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Methods"), "PUT");
  EXPECT_EQ(answer->headers.get("Access-Control-Allow-Headers"), "x-a,x-b");
}

TEST(Cors, LeavesOtherRequestsToTheFunction) {
  const auto cors = Cors::parse(R"({"AllowOrigins":["*"]})");
  auto request = preflight("https://a.example");
  request.headers.remove("Access-Control-Request-Method");
  EXPECT_FALSE(cors->preflight(request));
  request = preflight("https://a.example");
  request.method = "GET";
  EXPECT_FALSE(cors->preflight(request));
}

TEST(Cors, ReplacesTheFunctionsOwnFields) {
  const auto cors = Cors::parse(R"({"AllowOrigins":["*"],"ExposeHeaders":["x-c","x-d"]})");
  http::Headers headers;
  headers.add("access-control-allow-origin", "https://own.example");
  headers.add("Access-Control-Allow-Credentials", "true");
  headers.add("X-Other", "1");
  auto request = preflight("https://a.example");
  request.method = "GET";
  cors->apply(request, headers);
  EXPECT_EQ(headers.joined("Access-Control-Allow-Origin"), "*");
  EXPECT_FALSE(headers.has("Access-Control-Allow-Credentials"));
  EXPECT_EQ(headers.get("Access-Control-Expose-Headers"), "x-c,x-d");
  EXPECT_EQ(headers.get("X-Other"), "1");
}

TEST(Cors, IsNothingWithoutASetting) {
  EXPECT_FALSE(Cors::parse(""));
  EXPECT_FALSE(Cors::parse("[]"));
  EXPECT_FALSE(Cors::parse("{"));
}

}  // namespace
}  // namespace lambda::gateway
