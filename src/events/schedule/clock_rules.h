// What a schedule does where a zone's clocks change: two rules, one for expressions that go by real
// time and one for those that name hours. docs/schedules.md tells people the same.
//
// Pure, any thread.
#pragma once

#include "events/schedule/calendar_pattern.h"
#include "events/schedule/time_zone.h"

#include <chrono>
#include <optional>

namespace lambda::events {

// The first firing after `after`.
//  * Hours that are open (`*`) go by real time: every moment at which the local clock shows a named
//    time. That is both passes of a repeated hour, and none of a skipped one.
//  * Hours that are named go by local time: each named time fires once, at the first moment at
//  which
//    the local clock shows it or a later one. That is the first pass of a repeated hour, and the
//    end of the gap for a time that is skipped; several such times fire together.
[[nodiscard]] std::optional<std::chrono::sys_seconds> next_firing(const CalendarPattern& pattern,
                                                                  std::chrono::sys_seconds after,
                                                                  const TimeZone& zone);

// The first moment at which the local clock shows `time` or a later one.
[[nodiscard]] std::chrono::sys_seconds first_moment(LocalTime time, const TimeZone& zone);

}  // namespace lambda::events
