#include "events/queue/attempt.h"

#include <gmock/gmock.h>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using invoke::FunctionError;
using ::testing::HasSubstr;
using ::testing::Not;

const WallTime kNow{std::chrono::milliseconds(1'767'323'045'000)};

ClaimedEvent claimed(int attempts = 0, int throttles = 0) {
  ClaimedEvent event;
  event.event.id = "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01";
  event.event.function = "work";
  event.accepted = kNow;
  event.attempts = attempts;
  event.throttles = throttles;
  return event;
}

Result<invoke::Outcome> failed() {
  invoke::Outcome outcome;
  outcome.error = FunctionError::handled;
  outcome.error_type = "ValueError";
  outcome.payload = R"({"errorMessage": "no", "errorType": "ValueError"})";
  outcome.executed_version = "3";
  return outcome;
}

Result<invoke::Outcome> refused(ErrorCode code) {
  return fail(code, "not now");
}

TEST(Attempt, AnAnswerIsASuccessWhateverItSays) {
  invoke::Outcome outcome;
  outcome.payload = R"({"errorMessage": "only data"})";
  outcome.executed_version = "3";
  const auto verdict = verdict_of(claimed(1), {}, outcome, kNow);
  EXPECT_EQ(verdict.state, EventState::succeeded);
  EXPECT_EQ(verdict.condition, Condition::success);
  EXPECT_EQ(verdict.success.payload, outcome.payload);
  EXPECT_EQ(verdict.success.executed_version, "3");
}

TEST(Attempt, AFailedFunctionIsRetriedAfterAMinuteAndThenTwo) {
  auto verdict = verdict_of(claimed(0), {}, failed(), kNow);
  EXPECT_EQ(verdict.state, EventState::waiting);
  EXPECT_EQ(verdict.due, kNow + 1min);
  EXPECT_EQ(verdict.failure.attempts, 1);
  EXPECT_EQ(verdict.failure.error_type, "ValueError");
  EXPECT_EQ(verdict.failure.error_message, "no");
  verdict = verdict_of(claimed(1), {}, failed(), kNow);
  EXPECT_EQ(verdict.due, kNow + 2min);
}

TEST(Attempt, AfterItsRetriesItIsDead) {
  const auto verdict = verdict_of(claimed(2), {}, failed(), kNow);
  EXPECT_EQ(verdict.state, EventState::dead);
  EXPECT_EQ(verdict.condition, Condition::retries_exhausted);
  EXPECT_EQ(verdict.failure.attempts, 3);
  EXPECT_EQ(verdict.failure.payload, failed()->payload);
}

TEST(Attempt, TheFunctionsOwnRulesWin) {
  InvokeConfig config;
  config.max_retries = 0;
  config.max_age_seconds = 60;
  const auto rules = rules_for({}, config);
  EXPECT_EQ(verdict_of(claimed(0), rules, failed(), kNow).state, EventState::dead);
  EXPECT_FALSE(too_old(claimed(), rules, kNow + 60s));
  EXPECT_TRUE(too_old(claimed(), rules, kNow + 61s));
  EXPECT_FALSE(too_old(claimed(), rules_for({}, std::nullopt), kNow + 6h));
  EXPECT_TRUE(too_old(claimed(), rules_for({}, std::nullopt), kNow + 6h + 1s));
}

TEST(Attempt, OneThatIsTooOldSaysWhatFailedLast) {
  auto event = claimed(1);
  event.error_type = "ValueError";
  event.error_message = "no";
  EXPECT_EQ(verdict_too_old(event).failure.error_message,
            "the event waited longer than its function allows (MaximumEventAgeInSeconds); what "
            "failed last: ValueError: no");
  event.attempts = 0;  // of a life before somebody redrove it
  EXPECT_THAT(verdict_too_old(event).failure.error_message, Not(HasSubstr("ValueError")));
}

TEST(Attempt, ThrottlingDoublesUpToFiveMinutesAndCountsAsNoAttempt) {
  const std::vector<std::chrono::seconds> expected{1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s};
  for (std::size_t i = 0; i < 40; ++i) {
    const auto verdict =
        verdict_of(claimed(1, static_cast<int>(i)), {}, refused(ErrorCode::overloaded), kNow);
    EXPECT_EQ(verdict.state, EventState::waiting);
    EXPECT_EQ(verdict.due - kNow, expected[std::min(i, expected.size() - 1)]) << i;
    EXPECT_EQ(verdict.failure.attempts, 1);
    EXPECT_EQ(verdict.failure.throttles, static_cast<int>(i) + 1);
    EXPECT_EQ(verdict.failure.error_type, "TooManyRequestsException");
  }
}

TEST(Attempt, AnEventIsTooOldWhenItIsAndNotAfterItsNextDelay) {
  InvokeConfig config;
  config.max_age_seconds = 60;
  const auto rules = rules_for({}, config);
  const auto later = kNow + 50s;
  auto verdict = verdict_of(claimed(0), rules, failed(), later);
  EXPECT_EQ(verdict.due, kNow + 60s + 1ms);
  EXPECT_TRUE(too_old(claimed(1), rules, verdict.due));
  verdict = verdict_of(claimed(0, 20), rules, refused(ErrorCode::overloaded), later);
  EXPECT_EQ(verdict.due, kNow + 60s + 1ms);
  verdict = verdict_of(claimed(0), rules, failed(), kNow + 70s);
  EXPECT_EQ(verdict.due, kNow + 70s);
}

TEST(Attempt, AMachineThatCannotStartItIsNotTheFunctionsFault) {
  for (const auto code : {ErrorCode::sandbox_failed, ErrorCode::unavailable, ErrorCode::internal}) {
    const auto verdict = verdict_of(claimed(2), {}, refused(code), kNow);
    EXPECT_EQ(verdict.state, EventState::waiting);
    EXPECT_EQ(verdict.failure.attempts, 2);
    EXPECT_THAT(verdict.failure.error_message, HasSubstr("not now"));
  }
}

TEST(Attempt, ADeletedFunctionAndOldAgeEndIt) {
  const auto missing = verdict_missing(claimed(1), Error(ErrorCode::not_found, "gone"));
  EXPECT_EQ(missing.state, EventState::dead);
  EXPECT_EQ(missing.failure.attempts, 1);
  const auto old = verdict_too_old(claimed(1));
  EXPECT_EQ(old.state, EventState::dead);
  EXPECT_EQ(to_string(old.condition), "EventAgeExceeded");
}

}  // namespace
}  // namespace lambda::events
