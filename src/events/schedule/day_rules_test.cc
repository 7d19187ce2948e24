// The days of months, against definitions that are as plain as possible: a look at every day.
#include "events/schedule/day_rules.h"

#include "events/schedule/day_fields.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace lambda::events {
namespace {

using namespace std::chrono;

struct Day {
  unsigned number;
  unsigned length;   // of its month
  unsigned weekday;  // 0 is Sunday

  [[nodiscard]] bool on_weekend() const { return weekday == 0 || weekday == 6; }
};

Day day_of(year_month_day date) {
  const auto last_day = (date.year() / date.month() / last).day();
  return {static_cast<unsigned>(date.day()), static_cast<unsigned>(last_day),
          weekday(sys_days(date)).c_encoding()};
}

// Calls for every day of a whole cycle of the calendar's leap years and weekdays, 1 in 1900 on.
void for_each_day(const std::function<void(year_month_day, const Day&)>& visit) {
  for (auto day = sys_days(year(1999) / 1 / 1); day < sys_days(year(2028) / 1 / 1);
       day += days(1)) {
    const year_month_day date(day);
    visit(date, day_of(date));
  }
  // 2100 is no leap year.
  for (auto day = sys_days(year(2099) / 1 / 1); day < sys_days(year(2102) / 1 / 1);
       day += days(1)) {
    const year_month_day date(day);
    visit(date, day_of(date));
  }
}

bool has(const Days& days, const Day& day) {
  return (days >> day.number & 1) != 0;
}

MonthDays month_days(const std::string& text) {
  return parse_month_days({text, 0}).value();
}

WeekDays week_days(const std::string& text) {
  return parse_week_days({text, 0}, WeekdayNumbers::crontab).value();
}

void expect_month_days(const std::string& text, const std::function<bool(const Day&)>& named) {
  const auto rule = month_days(text);
  for_each_day([&](year_month_day date, const Day& day) {
    ASSERT_EQ(has(rule.in({date.year(), date.month()}), day), named(day))
        << text << " in " << static_cast<int>(date.year()) << "-"
        << static_cast<unsigned>(date.month()) << "-" << day.number;
  });
}

void expect_week_days(const std::string& text, const std::function<bool(const Day&)>& named) {
  const auto rule = week_days(text);
  for_each_day([&](year_month_day date, const Day& day) {
    ASSERT_EQ(has(rule.in({date.year(), date.month()}), day), named(day))
        << text << " in " << static_cast<int>(date.year()) << "-"
        << static_cast<unsigned>(date.month()) << "-" << day.number;
  });
}

TEST(DayRules, LastDayAndDaysBeforeIt) {
  expect_month_days("L", [](const Day& day) { return day.number == day.length; });
  for (unsigned before = 1; before <= 30; ++before) {
    expect_month_days("L-" + std::to_string(before),
                      [&](const Day& day) { return day.number + before == day.length; });
  }
}

// A weekday is the nearest to `wanted` when no weekday of the month is nearer; of two as near
// (there is none: a weekend has one end on either side) the first would do.
bool is_nearest_weekday(const Day& day, unsigned wanted) {
  if (day.on_weekend() || wanted > day.length) return false;
  const auto distance_to = [&](unsigned number) {
    return number > wanted ? number - wanted : wanted - number;
  };
  for (unsigned other = 1; other <= day.length; ++other) {
    const Day there{other, day.length, (day.weekday + 35 + other - day.number) % 7};
    if (!there.on_weekend() && distance_to(other) < distance_to(day.number)) return false;
  }
  return true;
}

TEST(DayRules, NearestWeekdayOfTheSameMonth) {
  for (unsigned wanted = 1; wanted <= 31; ++wanted) {
    expect_month_days(std::to_string(wanted) + "W",
                      [&](const Day& day) { return is_nearest_weekday(day, wanted); });
  }
}

TEST(DayRules, LastWeekdayOfTheMonth) {
  expect_month_days("LW", [](const Day& day) {
    if (day.on_weekend()) return false;
    for (auto later = day.number + 1; later <= day.length; ++later) {
      const auto weekday = (day.weekday + later - day.number) % 7;
      if (weekday != 0 && weekday != 6) return false;
    }
    return true;
  });
}

TEST(DayRules, NthWeekdayOfTheMonth) {
  for (unsigned weekday = 0; weekday <= 7; ++weekday) {
    for (unsigned nth = 1; nth <= 5; ++nth) {
      expect_week_days(std::to_string(weekday) + "#" + std::to_string(nth), [&](const Day& day) {
        return day.weekday == weekday % 7 && (day.number - 1) / 7 + 1 == nth;
      });
    }
  }
}

TEST(DayRules, LastGivenWeekdayOfTheMonth) {
  for (unsigned weekday = 0; weekday <= 7; ++weekday) {
    expect_week_days(std::to_string(weekday) + "L", [&](const Day& day) {
      return day.weekday == weekday % 7 && day.number + 7 > day.length;
    });
  }
}

TEST(DayRules, PlainNumbersStayWithinTheMonth) {
  expect_month_days("30,31", [](const Day& day) { return day.number >= 30; });
  expect_month_days("*/10", [](const Day& day) { return day.number % 10 == 1; });
  expect_week_days("MON-FRI", [](const Day& day) { return !day.on_weekend(); });
  expect_week_days("5/1", [](const Day& day) { return day.weekday >= 5; });
}

TEST(DayRules, GoTogetherAsInVixiesCron) {
  const auto both = [](const std::string& by_number, const std::string& by_weekday, Day day,
                       year_month_day date) {
    return has(
        DayRules{month_days(by_number), week_days(by_weekday)}.in({date.year(), date.month()}),
        day);
  };
  for_each_day([&](year_month_day date, const Day& day) {
    if (date.year() != year(2026)) return;
    const bool thirteenth = day.number == 13;
    const bool odd = day.number % 2 == 1;
    const bool friday = day.weekday == 5;
    ASSERT_EQ(both("13", "5", day, date), thirteenth || friday);
    ASSERT_EQ(both("13", "*", day, date), thirteenth);
    ASSERT_EQ(both("13", "?", day, date), thirteenth);
    ASSERT_EQ(both("*", "5", day, date), friday);
    ASSERT_EQ(both("*/2", "5", day, date), odd && friday);
    ASSERT_EQ(both("13", "*/5", day, date), thirteenth && (friday || day.weekday == 0));
    ASSERT_EQ(both("1-31", "5", day, date), true);
    ASSERT_EQ(both("*", "*", day, date), true);
    ASSERT_EQ(both("L", "5", day, date), friday || day.number == day.length);
  });
}

}  // namespace
}  // namespace lambda::events
