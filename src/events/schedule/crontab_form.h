// Crontab's form: "minute hour day-of-month month day-of-week", six fields with seconds first, and
// the names for common ones, @hourly and friends.
//
// Pure, any thread.
#pragma once

#include "events/schedule/calendar_pattern.h"
#include "events/schedule/word.h"

namespace lambda::events {

[[nodiscard]] Parsed<CalendarPattern> parse_crontab(const Word& text);
// "@hourly"; not @every, which is interval_form.h's.
[[nodiscard]] Parsed<CalendarPattern> parse_shorthand(const Word& text);

}  // namespace lambda::events
