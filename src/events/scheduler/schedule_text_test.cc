#include "events/scheduler/schedule_text.h"

#include <gmock/gmock.h>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TimeZone berlin() {
  return *TimeZone::find("Europe/Berlin");
}

std::string moment(std::string_view text, const TimeZone& zone, DayEdge edge = DayEdge::begin) {
  const auto time = parse_moment(text, zone, edge);
  return time ? local_text(*time, zone) : time.error().message();
}

TEST(ScheduleText, MomentsGoByTheZonesClock) {
  EXPECT_EQ(moment("2026-01-31", berlin()), "2026-01-31T00:00:00+01:00");
  EXPECT_EQ(moment("2026-01-31", berlin(), DayEdge::end), "2026-01-31T23:59:59.999+01:00");
  EXPECT_EQ(moment("2026-07-31T09:30", berlin()), "2026-07-31T09:30:00+02:00");
  EXPECT_EQ(moment("2026-07-31T09:30:15", TimeZone()), "2026-07-31T09:30:15+00:00");
  EXPECT_EQ(moment("2026-07-31T09:30:00Z", berlin()), "2026-07-31T11:30:00+02:00");
  EXPECT_EQ(moment("2026-03-29T02:30", berlin()), "2026-03-29T03:00:00+02:00");
}

// The last hour of a day may come twice, and the first not at all.
TEST(ScheduleText, ADayEndsWhereTheNextOneBegins) {
  const auto end = [](std::string_view day, std::string_view zone) {
    return moment(day, *TimeZone::find(zone), DayEdge::end);
  };
  EXPECT_EQ(end("2024-11-02", "America/Havana"), "2024-11-02T23:59:59.999-04:00");
  EXPECT_EQ(end("2024-03-09", "America/Havana"), "2024-03-09T23:59:59.999-05:00");
  EXPECT_EQ(end("2024-10-26", "Asia/Beirut"), "2024-10-26T23:59:59.999+02:00");
  EXPECT_EQ(end("2018-02-17", "America/Sao_Paulo"), "2018-02-17T23:59:59.999-03:00");
  EXPECT_EQ(end("2026-12-31", "UTC"), "2026-12-31T23:59:59.999+00:00");
  EXPECT_EQ(end("2028-02-28", "UTC"), "2028-02-28T23:59:59.999+00:00");
}

TEST(ScheduleText, WhatIsNoMomentIsToldWhatIs) {
  for (const char* text : {"", "tomorrow", "2026-02-30", "2026-01-31T25:00", "31.1.2026"})
    EXPECT_THAT(moment(text, TimeZone()), HasSubstr("write 2026-01-31")) << text;
}

TEST(ScheduleText, Durations) {
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("30s"), 30s);
  EXPECT_EQ(*parse_duration("5m"), 5min);
  EXPECT_EQ(*parse_duration("1h"), 1h);
  EXPECT_EQ(*parse_duration("90"), 90s);
  for (const char* text : {"", "m", "-1s", "1d", "1.5h", "99999999999999999999s"})
    EXPECT_FALSE(parse_duration(text)) << text;
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(2h), "2h");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(0ms), "0s");
}

}  // namespace
}  // namespace lambda::events
