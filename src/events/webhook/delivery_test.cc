#include "events/webhook/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

const WallTime kAnsweredAt{
    std::chrono::milliseconds(1'767'323'045'000)};  // Fri, 02 Jan 2026 03:04:05 GMT
const DeliveryRules kRules;

ClaimedEvent delivery(int attempts = 0, WallTime accepted = kAnsweredAt) {
  ClaimedEvent event;
  event.event.id = "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01";
  event.event.url = "https://hooks.example.org/";
  event.accepted = accepted;
  event.attempts = attempts;
  return event;
}

Result<WebhookAnswer> answered(unsigned status, std::string retry_after = "",
                               std::string location = "") {
  WebhookAnswer answer;
  answer.status = status;
  answer.retry_after = std::move(retry_after);
  answer.location = std::move(location);
  return answer;
}

TEST(Delivery, TwoHundredsAreSuccess) {
  for (const unsigned status : {200u, 201u, 202u, 204u, 299u})
    EXPECT_EQ(verdict_of(delivery(), kRules, answered(status), kAnsweredAt).state,
              EventState::succeeded);
  EXPECT_EQ(verdict_of(delivery(), kRules, answered(204), kAnsweredAt).success.payload,
            R"({"statusCode":204})");
}

TEST(Delivery, EverythingElseIsTriedAgain) {
  for (const unsigned status : {300u, 301u, 304u, 400u, 401u, 404u, 408u, 429u, 500u, 503u, 599u}) {
    const auto verdict = verdict_of(delivery(), kRules, answered(status), kAnsweredAt);
    EXPECT_EQ(verdict.state, EventState::waiting) << status;
    EXPECT_EQ(verdict.due, kAnsweredAt + 10s) << status;
    EXPECT_EQ(verdict.failure.attempts, 1) << status;
    EXPECT_THAT(verdict.failure.error_message, HasSubstr(std::to_string(status)));
  }
  for (const auto code : {ErrorCode::timeout, ErrorCode::unavailable, ErrorCode::invalid}) {
    const auto verdict = verdict_of(delivery(), kRules, fail(code, "it went wrong"), kAnsweredAt);
    EXPECT_EQ(verdict.state, EventState::waiting);
    EXPECT_THAT(verdict.failure.error_message, HasSubstr("it went wrong"));
  }
}

TEST(Delivery, TheWaitsGrowToAnHour) {
  const std::vector<seconds> waits = {10s,    30s,    60s,    120s,   300s,  600s,
                                      1'200s, 1'800s, 3'600s, 3'600s, 3'600s};
  for (std::size_t i = 0; i < waits.size(); ++i)
    EXPECT_EQ(wait_after(static_cast<int>(i) + 1, {}), waits[i]) << i;
  EXPECT_EQ(wait_after(1'000'000, {}), 3'600s);
  DeliveryRules quick;
  quick.retry_delay = 1s;
  EXPECT_EQ(wait_after(2, quick), 3s);
}

TEST(Delivery, IsGivenUpAfterADay) {
  const auto accepted = kAnsweredAt - 24h + 90s;
  EXPECT_EQ(verdict_of(delivery(2, accepted), kRules, answered(500), kAnsweredAt).state,
            EventState::waiting);
  const auto verdict = verdict_of(delivery(3, accepted), kRules, answered(500), kAnsweredAt);
  EXPECT_EQ(verdict.state, EventState::dead);
  EXPECT_THAT(verdict.failure.error_message,
              AllOf(HasSubstr("500"), EndsWith("(given up after 4 attempts)")));
}

TEST(Delivery, OneThatWaitedTooLongIsNotSentAnyMore) {
  EXPECT_FALSE(too_old(delivery(0, kAnsweredAt - 24h), kRules, kAnsweredAt));
  EXPECT_TRUE(too_old(delivery(0, kAnsweredAt - 24h - 1s), kRules, kAnsweredAt));
  const auto verdict = verdict_too_old(delivery(2), kRules);
  EXPECT_EQ(verdict.state, EventState::dead);
  EXPECT_EQ(verdict.failure.attempts, 2);
}

TEST(Delivery, GoneIsForEver) {
  const auto verdict = verdict_of(delivery(), kRules, answered(410, "5"), kAnsweredAt);
  EXPECT_EQ(verdict.state, EventState::dead);
  EXPECT_EQ(verdict.failure.error_type, "Webhook.Gone");
  EXPECT_EQ(verdict.failure.attempts, 1);
}

TEST(Delivery, ARefusedAddressIsForEver) {
  const auto verdict = verdict_of(
      delivery(), kRules, fail(ErrorCode::denied, "x is 10.0.0.1, a private address"), kAnsweredAt);
  EXPECT_EQ(verdict.state, EventState::dead);
  EXPECT_EQ(verdict.failure.error_type, "Webhook.Refused");
  EXPECT_THAT(verdict.failure.error_message, HasSubstr("10.0.0.1"));
}

TEST(Delivery, ARedirectNamesItsTargetAndWhatToDo) {
  const auto verdict = verdict_of(
      delivery(), kRules, answered(308, "", "https://new.example.org/\x1b[2J\xff"), kAnsweredAt);
  EXPECT_EQ(verdict.state, EventState::waiting);
  EXPECT_EQ(verdict.failure.error_type, "Webhook.Redirect");
  EXPECT_THAT(verdict.failure.error_message,
              AllOf(HasSubstr("308"), HasSubstr("points to https://new.example.org/?[2J?:"),
                    HasSubstr("not followed"), HasSubstr("configure the final address")));
  const auto longer = verdict_of(
      delivery(), kRules, answered(301, "", "http://x/" + std::string(5'000, 'y')), kAnsweredAt);
  EXPECT_LT(longer.failure.error_message.size(), 500u);
}

TEST(Delivery, RetryAfterDelaysAndNeverHurries) {
  EXPECT_EQ(verdict_of(delivery(), kRules, answered(503, "120"), kAnsweredAt).due,
            kAnsweredAt + 120s);
  EXPECT_EQ(verdict_of(delivery(), kRules, answered(503, "1"), kAnsweredAt).due, kAnsweredAt + 10s);
  EXPECT_EQ(verdict_of(delivery(), kRules, answered(429, "999999"), kAnsweredAt).due,
            kAnsweredAt + 1h);
  EXPECT_EQ(
      verdict_of(delivery(), kRules, answered(503, "Fri, 02 Jan 2026 03:09:05 GMT"), kAnsweredAt)
          .due,
      kAnsweredAt + 5min);
}

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(parse_retry_after("0", kAnsweredAt), 0s);
  EXPECT_EQ(parse_retry_after("17", kAnsweredAt), 17s);
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", kAnsweredAt), 3'600s);
  EXPECT_EQ(parse_retry_after("Fri, 02 Jan 2026 03:04:15 GMT", kAnsweredAt), 10s);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", kAnsweredAt), 0s);
  EXPECT_EQ(parse_retry_after("Fri, 02 Jan 2099 03:04:15 GMT", kAnsweredAt), 3'600s);
  for (const char* text : {"", "-1", "1.5", "soon", "Fri, 02 Jan 2026 03:04:15", "5 "})
    EXPECT_EQ(parse_retry_after(text, kAnsweredAt), std::nullopt) << text;
}

}  // namespace
}  // namespace lambda::events
