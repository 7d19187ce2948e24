#include "gateway/result_mapper.h"

#include <gtest/gtest.h>

#include <string>
#include <sys/resource.h>

namespace lambda::gateway {
namespace {

http::Response made(const std::string& payload) {
  auto response = make_response(payload);
  EXPECT_TRUE(response) << payload << ": " << response.error().message();
  return response ? std::move(*response) : http::Response(0);
}

TEST(ResultMapper, SendsPlainResultsAsJson) {
  for (const std::string payload :
       {R"({"hello": "world"})", "3", "3.1", "true", "[1,2]", "null", R"({"statuscode":1})"}) {
    const auto response = made(payload);
    EXPECT_EQ(response.status, 200u);
    EXPECT_EQ(response.body, payload);
    EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
  }
}

TEST(ResultMapper, SendsATextWithoutItsQuotes) {
  EXPECT_EQ(made(R"("hello \"you\" \u00e4")").body, "hello \"you\" \xC3\xA4");
  EXPECT_EQ(made(R"("hello")").headers.get("Content-Type"), "application/json");
}

TEST(ResultMapper, TakesAShapedResponse) {
  const auto response = made(R"({"statusCode":201,"headers":{"Content-Type":"text/html","X-N":3,
      "X-B":true,"X-None":null,"X-L":["a","b"]},"cookies":["a=1; Path=/","b=2"],"body":"<p>",
      "multiValueHeaders":{"X-M":["1"]}})");
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.body, "<p>");
  EXPECT_EQ(response.headers.joined("Content-Type"), "text/html");
  EXPECT_EQ(response.headers.get("X-N"), "3");
  EXPECT_EQ(response.headers.get("X-B"), "true");
  EXPECT_FALSE(response.headers.has("X-None"));
  EXPECT_FALSE(response.headers.has("X-M"));
  EXPECT_EQ(response.headers.get("X-L"), "a,b");
  EXPECT_EQ(response.headers.joined("Set-Cookie", "|"), "a=1; Path=/|b=2");
}

TEST(ResultMapper, DefaultsToJsonAndAnEmptyBody) {
  const auto response = made(R"({"statusCode":204})");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(made(R"({"statusCode":200,"body":"body123"})").body, "body123");
  EXPECT_EQ(made(R"({"statusCode":"404","body":null})").status, 404u);
  EXPECT_EQ(made(R"({"statusCode":200.0})").status, 200u);
}

TEST(ResultMapper, DecodesBase64) {
  const auto response = made(R"({"statusCode":200,"body":"AAH/","isBase64Encoded":true})");
  EXPECT_EQ(response.body, std::string("\x00\x01\xFF", 3));
}

TEST(ResultMapper, SaysWhatIsWrongWithAnInvalidShape) {
  for (const std::string payload :
       {"", "{", "not json", R"({"statusCode":1000})", R"({"statusCode":101})",
        R"({"statusCode":"ok"})", R"({"statusCode":null})", R"({"statusCode":200,"body":{"a":1}})",
        R"({"statusCode":200,"headers":[]})", R"({"statusCode":200,"cookies":"a"})",
        R"({"statusCode":200,"cookies":[1]})",
        R"({"statusCode":200,"body":"%","isBase64Encoded":true})", "\"\xFF\""}) {
    const auto response = make_response(payload);
    ASSERT_FALSE(response) << payload;
    EXPECT_EQ(response.error().code(), ErrorCode::function_failed);
  }
}

TEST(ResultMapper, TakesDeepResults) {
  const std::string deep = std::string(900, '[') + std::string(900, ']');
  EXPECT_EQ(made(deep).body, deep);
  EXPECT_FALSE(make_response(std::string(100'000, '[')));
}

TEST(ResultMapper, KeepsNothingOfWhatAnArraySays) {
  // 2 million empty arrays, 64 MB as values.
  std::string payload = "[";
  for (int i = 0; i < 2'000'000; ++i) payload += "[],";
  payload += "[]]";
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto response = make_response(payload);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, payload);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20'000);  // KB
  EXPECT_FALSE(make_response(payload + "]"));
}

}  // namespace
}  // namespace lambda::gateway
