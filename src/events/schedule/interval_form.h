// Schedules that count time instead of reading a clock: "@every 1h30m" and "rate(5 minutes)".
//
// Pure, any thread.
#pragma once

#include "base/clock.h"
#include "events/schedule/word.h"

#include <chrono>

namespace lambda::events {

// What follows @every: a duration as Go has it, of h, m, s and ms; 1 s to 100 years.
[[nodiscard]] Parsed<std::chrono::milliseconds> parse_every(const Word& duration);
// What stands between the parentheses of rate(...): "5 minutes"; the singular for 1 alone.
[[nodiscard]] Parsed<std::chrono::milliseconds> parse_rate(const Word& inside);

// The first that is after `after` of the times that lie a number of intervals from the anchor, on
// either side of it.
[[nodiscard]] WallTime next_tick(WallTime anchor, std::chrono::milliseconds interval,
                                 WallTime after);

}  // namespace lambda::events
