// A moment as people write it: a time, or how long ago or from now. Pure.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace lambda {

// "90s", "15m", "1h30m", "2d", "1w". Nothing where the text is no such length, or an empty one.
[[nodiscard]] std::optional<std::chrono::seconds> parse_length(std::string_view text);

// A length (so long before `now`), "2026-01-31", "2026-01-31T09:30", "2026-01-31 09:30:00.5Z",
// "2026-01-31T09:30:00+01:00" (without a zone: UTC), or seconds or milliseconds since 1970.
// Errors: invalid.
Result<WallTime> parse_moment(std::string_view text, WallTime now);
// The same of what is to come: a length counts from `now` on, and a date alone is the day's end.
Result<WallTime> parse_until(std::string_view text, WallTime now);

}  // namespace lambda
