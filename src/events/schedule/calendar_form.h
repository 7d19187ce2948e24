// From the fields of a cron expression to the pattern they mean; what crontab's form and AWS's
// share once each has sorted out which word is which field.
//
// Pure, any thread.
#pragma once

#include "events/schedule/calendar_pattern.h"
#include "events/schedule/day_fields.h"
#include "events/schedule/word.h"

#include <optional>

namespace lambda::events {

struct CalendarWords {
  std::optional<Word> seconds;  // nullopt: at second 0
  Word minutes;
  Word hours;
  Word month_days;
  Word months;
  Word week_days;
  std::optional<Word> years;  // nullopt: every year
  WeekdayNumbers weekday_numbers = WeekdayNumbers::crontab;
};

// Refuses, besides what is wrong in a field, what can never fire (30 February).
[[nodiscard]] Parsed<CalendarPattern> parse_calendar(const CalendarWords& words);

}  // namespace lambda::events
