// What the tests of schedules say times and zones with.
#pragma once

#include "events/schedule/time_zone.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace lambda::events {

inline TimeZone zone(const std::string& name) {
  auto found = TimeZone::find(name);
  EXPECT_TRUE(found) << found.error().message();
  return found.value_or(TimeZone());
}

inline std::chrono::sys_seconds utc(int year, unsigned month, unsigned day, int hour = 0,
                                    int minute = 0, int second = 0) {
  const auto date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace lambda::events
