// "Local time at t" is t + offset(t); it jumps forward over gaps and back over repeated hours. By
// local time, what counts is the latest time that the clock has ever shown: that never goes back,
// so neither do the firings.
#include "events/schedule/clock_rules.h"

#include <algorithm>

namespace lambda::events {
namespace {

using namespace std::chrono;

// No clock is further from UTC than this (RFC 9636).
constexpr seconds kGreatestOffset = hours(26);
// So no clock change puts a local time back by more, and none reaches further than this.
constexpr seconds kReach = 2 * kGreatestOffset;

LocalTime local_at(sys_seconds time, seconds offset) {
  return LocalTime((time + offset).time_since_epoch());
}

sys_seconds real_at(LocalTime time, seconds offset) {
  return sys_seconds(time.time_since_epoch() - offset);
}

// The first local time that no clock of the zone has shown up to `time`, that moment included.
LocalTime first_not_shown(sys_seconds time, const TimeZone& zone) {
  const auto period = zone.period(time);
  auto shown = local_at(time, period.offset) + seconds(1);
  for (auto begin = period.begin; begin > time - kReach;) {
    const auto before = zone.period(begin - seconds(1));
    shown = std::max(shown, local_at(begin, before.offset));
    begin = before.begin;
  }
  return shown;
}

std::optional<sys_seconds> next_by_local_time(const CalendarPattern& pattern, sys_seconds after,
                                              const TimeZone& zone) {
  const auto named = pattern.first_from(first_not_shown(after, zone));
  if (!named) return std::nullopt;
  return first_moment(*named, zone);
}

std::optional<sys_seconds> next_by_real_time(const CalendarPattern& pattern, sys_seconds after,
                                             const TimeZone& zone) {
  auto from = after + seconds(1);
  for (;;) {
    const auto period = zone.period(from);
    const auto named = pattern.first_from(local_at(from, period.offset));
    if (named) {
      const auto candidate = real_at(*named, period.offset);
      if (candidate < period.end) return candidate;
    }
    // Not in this period. Later, the clock shows `named` or a later time; or, soon after its end,
    // an earlier one once more.
    const bool no_repetition = period.end - from >= kReach;
    if (!named && no_repetition) return std::nullopt;
    from = period.end;
    if (named && no_repetition) from = std::max(from, real_at(*named, kGreatestOffset));
  }
}

}  // namespace

sys_seconds first_moment(LocalTime time, const TimeZone& zone) {
  auto period = zone.period(real_at(time, kGreatestOffset));
  while (local_at(period.end, period.offset) <= time) period = zone.period(period.end);
  return std::max(period.begin, real_at(time, period.offset));
}

std::optional<sys_seconds> next_firing(const CalendarPattern& pattern, sys_seconds after,
                                       const TimeZone& zone) {
  return pattern.open_hours ? next_by_real_time(pattern, after, zone)
                            : next_by_local_time(pattern, after, zone);
}

}  // namespace lambda::events
