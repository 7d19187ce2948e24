// What people write of a schedule beside its expression, and how its times are shown to them. Pure
// but for the database of zones.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "events/schedule/time_zone.h"

#include <chrono>
#include <string>
#include <string_view>

namespace lambda::events {

enum class DayEdge { begin, end };  // what a date without a time means

// "2026-01-31", "2026-01-31T09:30", "2026-01-31T09:30:00": by the zone's clock; with a Z at the end
// by UTC's. Errors: invalid.
Result<WallTime> parse_moment(std::string_view text, const TimeZone& zone, DayEdge edge);

// "250ms", "30s", "5m", "1h", or seconds. Errors: invalid.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

// "2026-01-31T09:30:00+01:00" (with ".250" where there is a fraction).
[[nodiscard]] std::string local_text(WallTime time, const TimeZone& zone);

}  // namespace lambda::events
