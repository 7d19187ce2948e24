#include "events/schedule/posix_rule.h"

#include "events/schedule/zone_fixture.h"

#include <gtest/gtest.h>

namespace lambda::events {
namespace {

using namespace std::chrono;

void expect_period(const char* rule, sys_seconds time, sys_seconds begin, sys_seconds end,
                   seconds offset) {
  const auto parsed = PosixRule::parse(rule);
  ASSERT_TRUE(parsed) << rule;
  const auto period = parsed->period(time);
  EXPECT_EQ(period.begin, begin) << rule;
  EXPECT_EQ(period.end, end) << rule;
  EXPECT_EQ(period.offset, offset) << rule;
}

TEST(PosixRule, HasTheChangesOfAYear) {
  const auto* berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  expect_period(berlin, utc(2050, 7, 1), utc(2050, 3, 27, 1), utc(2050, 10, 30, 1), hours(2));
  expect_period(berlin, utc(2050, 1, 1), utc(2049, 10, 31, 1), utc(2050, 3, 27, 1), hours(1));
  expect_period(berlin, utc(2050, 12, 31, 23), utc(2050, 10, 30, 1), utc(2051, 3, 26, 1), hours(1));
}

TEST(PosixRule, BeginsAPeriodAtItsVeryMoment) {
  const auto* berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  expect_period(berlin, utc(2050, 3, 27, 1), utc(2050, 3, 27, 1), utc(2050, 10, 30, 1), hours(2));
  expect_period(berlin, utc(2050, 10, 30, 1), utc(2050, 10, 30, 1), utc(2051, 3, 26, 1), hours(1));
}

TEST(PosixRule, CrossesTheYearInTheSouth) {
  const auto* sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
  expect_period(sydney, utc(2050, 12, 31, 23, 30), utc(2050, 10, 1, 16), utc(2051, 4, 1, 16),
                hours(11));
}

TEST(PosixRule, TakesHalfHoursNegativeTimesAndDaysOfTheYear) {
  expect_period("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", utc(2050, 12, 1), utc(2050, 10, 1, 15, 30),
                utc(2051, 4, 1, 15), hours(11));
  expect_period("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", utc(2050, 7, 1), utc(2050, 3, 27, 1),
                utc(2050, 10, 30, 1), hours(-1));
  expect_period("IST-1GMT0,M10.5.0,M3.5.0/1", utc(2050, 1, 1), utc(2049, 10, 31, 1),
                utc(2050, 3, 27, 1), hours(0));
  // 1 March either way, in a leap year; J60 does not count 29 February, 60 does.
  expect_period("AAA0BBB,J60/0,J300/0", utc(2052, 6, 1), utc(2052, 3, 1), utc(2052, 10, 26, 23),
                hours(1));
  expect_period("AAA0BBB,J60/0,J300/0", utc(2051, 6, 1), utc(2051, 3, 1), utc(2051, 10, 26, 23),
                hours(1));
  expect_period("AAA0BBB,60/0,300/0", utc(2052, 6, 1), utc(2052, 3, 1), utc(2052, 10, 26, 23),
                hours(1));
}

TEST(PosixRule, IsNoneWithoutClockChangesOrWithAnUnknownShape) {
  for (const auto* text : {"", "UTC0", "<+0545>-5:45", "CET-1CEST", "CET-1CEST,M3.5.0",
                           "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET",
                           "CET-1CEST,M3.0.0,M10.5.0", "<CET-1", "CET-1CEST,J0,J1", "TZif2"}) {
    EXPECT_FALSE(PosixRule::parse(text)) << text;
  }
}

}  // namespace
}  // namespace lambda::events
