#include "api/log_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::api {
namespace {

using ::testing::HasSubstr;

class LogRequestTest : public ::testing::Test {
 protected:
  Result<LogRequest> read(const std::string& query, http::Headers headers = {}) {
    http::Request request;
    request.method = "GET";
    request.target = "/_lambda/functions/greet/logs" + query;
    request.headers = std::move(headers);
    function::Function function;
    function.name = "greet";
    function.next_version = 4;
    return read_log_request(request, function, clock_.now());
  }
  std::string refusal(const std::string& query) {
    const auto failed = read(query);
    return failed ? "taken" : failed.error().message();
  }
  FakeClock clock_;
};

TEST_F(LogRequestTest, Defaults) {
  const auto request = read("");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->follow);
  EXPECT_EQ(request->query.function, "greet");
  EXPECT_EQ(request->query.limit, 100u);
  EXPECT_FALSE(request->query.after);
}

TEST_F(LogRequestTest, EverythingAtOnce) {
  const auto request = read(
      "?limit=7&since=1h&until=2026-01-02T03:00:00Z&search=a%2Bb&level=warn&requestId=r&"
      "version=3&after=12&before=20");
  ASSERT_TRUE(request) << request.error().message();
  const auto& query = request->query;
  EXPECT_EQ(query.limit, 7u);
  EXPECT_EQ(*query.since, clock_.now() - std::chrono::hours(1));
  EXPECT_EQ(*query.until, clock_.now() - std::chrono::seconds(245));
  EXPECT_TRUE(query.search);
  EXPECT_EQ(query.level, observe::LogLevel::warn);
  EXPECT_EQ(query.request_id, "r");
  EXPECT_EQ(query.version, "3");
  EXPECT_EQ(query.after, 12u);
  EXPECT_EQ(query.up_to, 19u);
}

TEST_F(LogRequestTest, FollowsWhereItIsAskedTo) {
  EXPECT_TRUE(read("?follow=true")->follow);
  http::Headers headers;
  headers.add("Accept", "text/event-stream");
  EXPECT_TRUE(read("", headers)->follow);
  EXPECT_FALSE(read("?follow=false", headers)->follow);
  EXPECT_EQ(read("?follow=1&limit=0")->query.limit, 0u);
  headers.add("Last-Event-ID", "99");
  EXPECT_EQ(read("?after=12", headers)->query.after, 99u);
}

TEST_F(LogRequestTest, SaysWhatIsWrong) {
  EXPECT_THAT(refusal("?limit=0"), HasSubstr("limit must be a number from 1 to 10000"));
  EXPECT_THAT(refusal("?limit=10001"), HasSubstr("10000"));
  EXPECT_THAT(refusal("?after=-1"), HasSubstr("after must be a number"));
  EXPECT_THAT(refusal("?before=0"), HasSubstr("before must be a number from 1"));
  EXPECT_THAT(refusal("?before=7&follow=1"), HasSubstr("no meaning"));
  EXPECT_THAT(refusal("?follow=maybe"), HasSubstr("true or false"));
  EXPECT_THAT(refusal("?since=yesterday"), HasSubstr("since: \"yesterday\" is no time"));
  EXPECT_THAT(refusal("?since=1h&until=2h"), HasSubstr("since must be before until"));
  EXPECT_THAT(refusal("?follow=1&until=1h"), HasSubstr("no meaning"));
  EXPECT_THAT(refusal("?level=loud"), HasSubstr("level must be trace, debug"));
  EXPECT_THAT(refusal("?search=%28"), HasSubstr("missing )"));
  EXPECT_THAT(refusal("?version=live"), HasSubstr("not a version"));
  EXPECT_EQ(read("?version=4").error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace lambda::api
