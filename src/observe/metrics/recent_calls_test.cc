#include "observe/metrics/recent_calls.h"

#include "observe/metrics/call_sample_fixture.h"

#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;

// In the middle of a minute, of ten seconds and of a second.
constexpr RecentCalls::Time kNow{100h + 30s + 5500ms};

CallSample call_at(RecentCalls::Time time, std::chrono::microseconds duration = 5ms) {
  auto sample = sample_of("greet", "1", duration);
  sample.ended = time;
  return sample;
}

TEST(RecentCalls, CountsTheLastMinuteToTheSecond) {
  RecentCalls recent;
  recent.add(call_at(kNow - 61s));
  for (int i = 0; i < 3; ++i) recent.add(call_at(kNow - 59s));
  recent.add(call_at(kNow));
  EXPECT_EQ(recent.last(60s, kNow).counts.invocations, 4U);
  EXPECT_EQ(recent.last(300s, kNow).counts.invocations, 5U);
  EXPECT_EQ(recent.last(60s, kNow + 1s).counts.invocations, 1U);
  EXPECT_EQ(recent.last(60s, kNow + 60s).counts.invocations, 0U);
}

TEST(RecentCalls, KeepsAnHour) {
  RecentCalls recent;
  recent.add(call_at(kNow - 2h));
  recent.add(call_at(kNow - 50min));
  recent.add(call_at(kNow - 4min));
  EXPECT_EQ(recent.last(3600s, kNow).counts.invocations, 2U);
  EXPECT_EQ(recent.last(300s, kNow).counts.invocations, 1U);
  EXPECT_FALSE(recent.forget_old(kNow));
  EXPECT_TRUE(recent.forget_old(kNow + 2h));
  EXPECT_EQ(recent.last(3600s, kNow).counts.invocations, 0U);
}

TEST(RecentCalls, TellsErrorsThrottlesAndColdStartsApart) {
  RecentCalls recent;
  auto cold = call_at(kNow);
  cold.cold = true;
  auto failed = call_at(kNow);
  failed.error = CallError::timeout;
  auto throttled = throttled_sample("greet", "1", Throttle::line_full);
  throttled.ended = kNow;
  for (const auto& sample : {cold, failed, throttled}) recent.add(sample);
  for (const auto length : {60s, 300s, 3600s}) {
    const auto window = recent.last(length, kNow);
    EXPECT_EQ(window.counts.invocations, 2U);
    EXPECT_EQ(window.counts.errors, 1U);
    EXPECT_EQ(window.counts.throttles, 1U);
    EXPECT_EQ(window.counts.cold_starts, 1U);
    EXPECT_EQ(window.duration.count(), 2U);
  }
}

TEST(RecentCalls, DrawsSecondsAndMinutesWithTheCurrentOneLast) {
  RecentCalls recent;
  recent.add(call_at(kNow - 59s));
  recent.add(call_at(kNow - 1s, 100ms));
  recent.add(call_at(kNow, 100ms));
  recent.add(call_at(kNow, 100ms));
  const auto seconds = recent.each_second(kNow);
  ASSERT_EQ(seconds.size(), RecentCalls::kPoints);
  EXPECT_EQ(seconds.front().invocations, 1U);
  EXPECT_EQ(seconds[58].invocations, 1U);
  EXPECT_EQ(seconds[59].invocations, 2U);
  const auto minutes = recent.each_minute(kNow);
  ASSERT_EQ(minutes.size(), RecentCalls::kPoints);
  EXPECT_EQ(minutes[58].counts.invocations, 1U);
  EXPECT_EQ(minutes[59].counts.invocations, 3U);
  EXPECT_NEAR(static_cast<double>(minutes[59].p50.count()), 100'000, 10'000);
  EXPECT_EQ(minutes[0].p99, 0us);
}

TEST(RecentCalls, TakesWhatComesOutOfOrder) {
  RecentCalls recent;
  for (const auto before : {0s, 3s, 1s, 2s, 1s}) recent.add(call_at(kNow - before));
  const auto seconds = recent.each_second(kNow);
  EXPECT_EQ(seconds[59].invocations, 1U);
  EXPECT_EQ(seconds[58].invocations, 2U);
  EXPECT_EQ(seconds[57].invocations, 1U);
  EXPECT_EQ(seconds[56].invocations, 1U);
}

}  // namespace
}  // namespace lambda::observe
