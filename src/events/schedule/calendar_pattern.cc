// The day first (first_day), month by month; then the time within it (first_time).
#include "events/schedule/calendar_pattern.h"

#include <bit>

namespace lambda::events {
namespace {

using namespace std::chrono;

constexpr int kCalendarRepeats = 400;  // years
constexpr int kLatestYear = 9999;

// The smallest member that is not below `least`.
std::optional<unsigned> member_from(std::uint64_t set, unsigned least) {
  if (least >= 64) return std::nullopt;
  const auto left = set >> least;
  if (left == 0) return std::nullopt;
  return least + static_cast<unsigned>(std::countr_zero(left));
}

unsigned smallest(std::uint64_t set) {
  return static_cast<unsigned>(std::countr_zero(set));
}

// The first time of day at or after `from`; nullopt: tomorrow.
std::optional<std::chrono::seconds> first_time(const CalendarPattern& pattern,
                                               std::chrono::seconds from) {
  const hh_mm_ss clock(from);
  const auto at = [](unsigned hour, unsigned minute, unsigned second) {
    return hours(hour) + minutes(minute) + seconds(second);
  };
  const auto now_hour = static_cast<unsigned>(clock.hours().count());
  auto now_minute = static_cast<unsigned>(clock.minutes().count());
  if (pattern.hours >> now_hour & 1) {
    if (pattern.minutes >> now_minute & 1) {
      const auto second =
          member_from(pattern.seconds, static_cast<unsigned>(clock.seconds().count()));
      if (second) return at(now_hour, now_minute, *second);
    }
    const auto minute = member_from(pattern.minutes, now_minute + 1);
    if (minute) return at(now_hour, *minute, smallest(pattern.seconds));
  }
  const auto hour = member_from(pattern.hours, now_hour + 1);
  if (!hour) return std::nullopt;
  return at(*hour, smallest(pattern.minutes), smallest(pattern.seconds));
}

bool has_year(const CalendarPattern& pattern, int year) {
  if (!pattern.years) return true;
  const int index = year - static_cast<int>(kFirstYear);
  return index >= 0 && index < static_cast<int>(pattern.years->size()) &&
         pattern.years->test(static_cast<std::size_t>(index));
}

std::optional<local_days> first_day(const CalendarPattern& pattern, local_days from) {
  const year_month_day date(from);
  const int first_year = static_cast<int>(date.year());
  auto month_number = static_cast<unsigned>(date.month());
  auto day_number = static_cast<unsigned>(date.day());
  for (int year_number = first_year;
       year_number <= kLatestYear && year_number <= first_year + kCalendarRepeats;
       ++year_number, month_number = 1, day_number = 1) {
    if (!has_year(pattern, year_number)) continue;
    for (auto next = member_from(pattern.months, month_number); next;
         next = member_from(pattern.months, *next + 1)) {
      if (*next != month_number) day_number = 1;
      const MonthShape shape{year(year_number), month(*next)};
      if (const auto day = member_from(pattern.days.in(shape), day_number))
        return local_days(year(year_number) / month(*next) / std::chrono::day(*day));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<LocalTime> CalendarPattern::first_from(LocalTime from) const {
  const auto today = floor<std::chrono::days>(from);
  auto day = first_day(*this, today);
  if (day == today) {
    if (const auto time = first_time(*this, from - today)) return today + *time;
    day = first_day(*this, today + std::chrono::days(1));
  }
  if (!day) return std::nullopt;
  const auto midnight = std::chrono::seconds(0);
  return *day + first_time(*this, midnight).value_or(midnight);
}

}  // namespace lambda::events
