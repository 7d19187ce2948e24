#include "observe/metrics/loop_metrics.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;

constexpr CallRecorder::Time kAnsweredAt{100h};

CallRecord call_that(CallEnd end) {
  CallRecord call;
  call.function = "greet";
  call.version = "7";
  call.end = end;
  return call;
}

TEST(LoopMetrics, KnowsEveryKindOfError) {
  const std::pair<CallEnd, CallError> kinds[] = {
      {CallEnd::success, CallError::none},
      {CallEnd::client_gone, CallError::none},
      {CallEnd::handler_error, CallError::handled},
      {CallEnd::init_error, CallError::init},
      {CallEnd::timeout, CallError::timeout},
      {CallEnd::exit, CallError::exit},
      {CallEnd::out_of_memory, CallError::out_of_memory},
      {CallEnd::response_too_large, CallError::response_too_large},
      {CallEnd::sandbox_failed, CallError::sandbox},
      {CallEnd::unavailable, CallError::sandbox}};
  for (const auto& [end, error] : kinds) {
    const auto sample = sample_of(call_that(end), kAnsweredAt);
    ASSERT_TRUE(sample) << to_string(end);
    EXPECT_EQ(sample->error, error) << to_string(end);
    EXPECT_EQ(sample->throttle, Throttle::none);
    EXPECT_EQ(sample->ended, kAnsweredAt);
  }
}

TEST(LoopMetrics, KnowsWhyACallWasThrottled) {
  const std::pair<const char*, Throttle> reasons[] = {
      {"ReservedFunctionConcurrentInvocationLimitExceeded", Throttle::reserved_concurrency},
      {"FunctionInvocationRateLimitExceeded", Throttle::line_full},
      {"ConcurrentInvocationLimitExceeded", Throttle::wait_expired},
      {"", Throttle::wait_expired}};
  for (const auto& [type, reason] : reasons) {
    auto call = call_that(CallEnd::throttled);
    call.error_type = type;
    const auto sample = sample_of(call, kAnsweredAt);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->throttle, reason) << type;
    EXPECT_EQ(sample->error, CallError::none);
  }
}

TEST(LoopMetrics, TakesTheTimesOfTheStepsThatThereWere) {
  auto call = call_that(CallEnd::success);
  EXPECT_FALSE(sample_of(call, kAnsweredAt)->duration);
  EXPECT_FALSE(sample_of(call, kAnsweredAt)->init);
  call.cold = true;
  call.memory_peak_bytes = 5;
  call.add(CallStep::sandbox, 0us, 3ms);
  call.add(CallStep::init, 3ms, 80ms);
  call.add(CallStep::handler, 83ms, 2ms);
  const auto sample = sample_of(call, kAnsweredAt);
  EXPECT_EQ(sample->duration, 2ms);
  EXPECT_EQ(sample->init, 80ms);
  EXPECT_TRUE(sample->cold);
  EXPECT_EQ(sample->memory_peak_bytes, 5U);
}

TEST(LoopMetrics, HandsOnWhatWasCalledButNotWhatWasRefused) {
  std::vector<CallSample> told;
  LoopMetrics metrics([&told](CallRecorder::Batch batch) {
    for (auto& sample : batch) told.push_back(std::move(sample));
  });
  metrics.record(call_that(CallEnd::refused));
  metrics.record(call_that(CallEnd::success));
  metrics.answered("greet", "7", 503);
  EXPECT_TRUE(told.empty());
  metrics.flush();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_FALSE(told[0].answer);
  EXPECT_EQ(told[1].answer, 503);
  EXPECT_EQ(told[1].series, told[0].series);
  EXPECT_EQ(told[0].series->function, "greet");
  EXPECT_EQ(told[0].series->version, "7");
}

}  // namespace
}  // namespace lambda::observe
