// CalendarPattern: the local times that a cron expression names, and the search for the next one.
// It knows calendars and no time zones: clock_rules.h places local times in real time.
//
// A plain value. Pure, any thread; a search costs a step for each month that it passes.
#pragma once

#include "events/schedule/day_rules.h"
#include "events/schedule/field.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace lambda::events {

using LocalTime = std::chrono::local_seconds;

struct CalendarPattern {
  std::uint64_t seconds = 1;  // sets of numbers, as parse_numbers() makes them; never empty
  std::uint64_t minutes = 0;
  std::uint64_t hours = 0;
  std::uint64_t months = 0;
  DayRules days;
  std::optional<Years> years;  // nullopt: every year
  // The hour field begins with *: hours go by, they are not named (clock_rules.h).
  bool open_hours = false;

  // The first named time that is not before `from`. Gives up 400 years on, when the calendar has
  // repeated itself, and after the year 9999.
  [[nodiscard]] std::optional<LocalTime> first_from(LocalTime from) const;
};

}  // namespace lambda::events
