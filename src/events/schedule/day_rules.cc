#include "events/schedule/day_rules.h"

#include <bit>

namespace lambda::events {
namespace {

constexpr unsigned kSunday = 0;
constexpr unsigned kSaturday = 6;

constexpr Days day_bit(unsigned day) {
  return Days{1} << day;
}

constexpr Days all_days(unsigned length) {
  return static_cast<Days>((std::uint64_t{2} << length) - 2);
}

unsigned weekday_of(unsigned day, const MonthShape& month) {
  return (month.first_weekday + day - 1) % 7;
}

// Monday to Friday, in the same month: Saturday moves a day back and Sunday a day on, unless that
// is another month's day.
unsigned nearest_weekday(unsigned day, const MonthShape& month) {
  const auto weekday = weekday_of(day, month);
  if (weekday == kSaturday) return day > 1 ? day - 1 : day + 2;
  if (weekday == kSunday) return day < month.length ? day + 1 : day - 2;
  return day;
}

unsigned first_of(unsigned weekday, const MonthShape& month) {
  return 1 + (weekday + 7 - month.first_weekday) % 7;
}

template <class Visit>
void for_each_bit(std::uint32_t bits, Visit visit) {
  for (; bits != 0; bits &= bits - 1) visit(static_cast<unsigned>(std::countr_zero(bits)));
}

}  // namespace

MonthShape::MonthShape(std::chrono::year year, std::chrono::month month)
    : length(static_cast<unsigned>((year / month / std::chrono::last).day())),
      first_weekday(std::chrono::weekday(std::chrono::sys_days(year / month / 1)).c_encoding()) {}

Days MonthDays::in(const MonthShape& month) const {
  Days days = numbered;
  for_each_bit(before_last, [&](unsigned before) {
    if (before < month.length) days |= day_bit(month.length - before);
  });
  for_each_bit(nearest_weekday, [&](unsigned day) {
    if (day <= month.length) days |= day_bit(events::nearest_weekday(day, month));
  });
  if (last_weekday) days |= day_bit(events::nearest_weekday(month.length, month));
  return days & all_days(month.length);
}

Days WeekDays::in(const MonthShape& month) const {
  Days days = 0;
  for_each_bit(every, [&](unsigned weekday) {
    for (auto day = first_of(weekday, month); day <= month.length; day += 7) days |= day_bit(day);
  });
  for_each_bit(last, [&](unsigned weekday) {
    const auto first = first_of(weekday, month);
    days |= day_bit(first + (month.length - first) / 7 * 7);
  });
  for (unsigned week = 0; week < nth.size(); ++week) {
    for_each_bit(nth[week], [&](unsigned weekday) {
      const auto day = first_of(weekday, month) + 7 * week;
      if (day <= month.length) days |= day_bit(day);
    });
  }
  return days & all_days(month.length);
}

Days DayRules::in(const MonthShape& month) const {
  const auto by_number = month_days.in(month);
  const auto by_weekday = week_days.in(month);
  return month_days.open || week_days.open ? by_number & by_weekday : by_number | by_weekday;
}

}  // namespace lambda::events
