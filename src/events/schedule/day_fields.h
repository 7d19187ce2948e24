// The syntax of the two fields of days: what all fields have (field.h), and L, W, # and ?.
//
// Pure, any thread.
#pragma once

#include "events/schedule/day_rules.h"
#include "events/schedule/field.h"
#include "events/schedule/word.h"

namespace lambda::events {

// 15, L, L-3, 15W, LW, ?
[[nodiscard]] Parsed<MonthDays> parse_month_days(const Word& word);

// How a form numbers the days of the week, and what `L` alone means in it.
enum class WeekdayNumbers {
  crontab,  // 0 to 7; L alone is refused
  aws,      // 1 (SUN) to 7 (SAT); L alone is SAT, the last day of the week
};
// MON, FRI#3, FRIL, ?
[[nodiscard]] Parsed<WeekDays> parse_week_days(const Word& word, WeekdayNumbers numbers);

}  // namespace lambda::events
