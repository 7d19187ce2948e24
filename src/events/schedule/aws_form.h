// AWS's forms, what stands between the parentheses of each: cron(0 12 * * ? *) and
// at(2026-01-31T09:30:00). rate(...) is interval_form.h's.
//
// Pure, any thread.
#pragma once

#include "events/schedule/calendar_pattern.h"
#include "events/schedule/word.h"

namespace lambda::events {

// "minute hour day-of-month month day-of-week year", one of the two days `?`.
[[nodiscard]] Parsed<CalendarPattern> parse_aws_cron(const Word& inside);
// A local time, "yyyy-mm-ddThh:mm:ss".
[[nodiscard]] Parsed<LocalTime> parse_at(const Word& inside);

}  // namespace lambda::events
