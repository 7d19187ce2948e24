#include "observe/metrics/stats_json.h"

#include "observe/metrics/call_sample_fixture.h"

#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;

constexpr RecentCalls::Time kAskedAt{100h + 30s};

class StatsJson : public ::testing::Test {
 protected:
  CallSample now(CallSample sample) {
    sample.ended = kAskedAt;
    return sample;
  }
  Scene scene() {
    Scene made{book_, {}, {}, {}, {}, {}, {}, {}};
    made.now = kAskedAt;
    made.time = WallTime(1'767'323'045'000ms);
    return made;
  }
  static std::uint64_t number(const boost::json::value& value, std::string_view pointer) {
    return value.at_pointer(pointer).to_number<std::uint64_t>();
  }

  CallBook book_;
};

TEST_F(StatsJson, ListsFunctionsWithAndWithoutCalls) {
  book_.add(now(sample_of("greet", "1", 8ms)));
  book_.add(now(failed_sample("greet", "2", CallError::timeout)));
  book_.add(now(throttled_sample("greet", "2", Throttle::line_full)));
  book_.add(now(answer_sample("greet", "2", 404)));
  auto given = scene();
  given.gauges.in_flight["greet"] = 2;
  given.gauges.instances[{"greet", "2"}] = {1, 2, 3, 4, 5, 600};
  given.queues["quiet"] = {7, 1, 2, given.time - 90s};
  const boost::json::value json = stats_json(given, {"greet", "quiet"});
  EXPECT_EQ(json.at("time").as_string(), "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(number(json, "/functions/0/invocations"), 2U);
  EXPECT_EQ(number(json, "/functions/0/errorCount"), 1U);
  EXPECT_EQ(number(json, "/functions/0/errors/timeout"), 1U);
  EXPECT_EQ(number(json, "/functions/0/throttles/line_full"), 1U);
  EXPECT_EQ(number(json, "/functions/0/httpCodes/404"), 1U);
  EXPECT_EQ(number(json, "/server/httpCodes/404"), 1U);
  EXPECT_EQ(number(json, "/functions/0/inFlight"), 2U);
  EXPECT_EQ(number(json, "/functions/0/instances/busy"), 3U);
  EXPECT_EQ(number(json, "/functions/0/memory"), 600U);
  EXPECT_EQ(number(json, "/functions/0/lastMinute/invocations"), 2U);
  EXPECT_EQ(number(json, "/functions/0/seconds/invocations/59"), 2U);
  EXPECT_NEAR(json.at_pointer("/functions/0/duration/p99").as_double(), 8.0, 1.5);
  EXPECT_EQ(json.at_pointer("/functions/1/name").as_string(), "quiet");
  EXPECT_EQ(number(json, "/functions/1/invocations"), 0U);
  EXPECT_EQ(number(json, "/functions/1/queue/waiting"), 7U);
  EXPECT_EQ(json.at_pointer("/functions/1").as_object().if_contains("seconds"), nullptr);
  EXPECT_EQ(number(json, "/server/invocations"), 2U);
  EXPECT_EQ(number(json, "/server/instances/ending"), 4U);
  EXPECT_EQ(number(json, "/server/queue/dead"), 2U);
  EXPECT_EQ(json.at_pointer("/server/queue/oldest").as_string(), "2026-01-02T03:02:35.000Z");
}

TEST_F(StatsJson, ShowsOneFunctionWithItsVersionsAndCharts) {
  book_.add(now(sample_of("greet", "1", 8ms)));
  book_.add(now(sample_of("greet", "$LATEST", 8ms)));
  auto given = scene();
  given.gauges.instances[{"greet", "1"}] = {0, 1, 0, 0, 0, 0, 2};
  const boost::json::value json = function_stats_json(given, "greet");
  EXPECT_EQ(json.at("name").as_string(), "greet");
  EXPECT_EQ(json.at("versions").as_array().size(), 2U);
  EXPECT_EQ(json.at_pointer("/versions/0/version").as_string(), "$LATEST");
  EXPECT_EQ(number(json, "/versions/1/invocations"), 1U);
  EXPECT_EQ(number(json, "/versions/1/instances/idle"), 1U);
  EXPECT_EQ(number(json, "/versions/1/instances/frozen"), 2U);
  EXPECT_EQ(number(json, "/minutes/invocations/59"), 2U);
  EXPECT_NEAR(json.at_pointer("/minutes/p50/59").as_double(), 8.0, 1.0);
  EXPECT_EQ(number(json, "/lastHour/invocations"), 2U);
  EXPECT_NEAR(json.at_pointer("/lastMinute/perSecond").as_double(), 2.0 / 60, 1e-9);
}

TEST_F(StatsJson, ShowsAFunctionThatWasNeverCalled) {
  const boost::json::value json = function_stats_json(scene(), "quiet");
  EXPECT_EQ(number(json, "/invocations"), 0U);
  EXPECT_EQ(json.at("versions").as_array().size(), 0U);
  EXPECT_EQ(json.at_pointer("/minutes/invocations").as_array().size(), 60U);
  EXPECT_EQ(json.at_pointer("/duration/mean").as_double(), 0.0);
}

}  // namespace
}  // namespace lambda::observe
