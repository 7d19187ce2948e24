// Random patterns against a walk over every minute (or second), with sets that the test draws
// itself; nothing of the code under test takes part in deciding what is named.
#include "events/schedule/calendar_pattern.h"

#include "events/schedule/crontab_form.h"

#include <gtest/gtest.h>

#include <bitset>
#include <random>
#include <string>

namespace lambda::events {
namespace {

using namespace std::chrono;

std::mt19937& random_numbers() {
  static std::mt19937 numbers(20260102);
  return numbers;
}

unsigned draw(unsigned first, unsigned last) {
  return std::uniform_int_distribution<unsigned>(first, last)(random_numbers());
}

// A field's text and what it names, made together.
struct Drawn {
  std::string text;
  std::bitset<64> named;
  bool open = false;
};

void add_item(Drawn& field, unsigned first, unsigned last) {
  auto from = draw(first, last);
  auto to = draw(first, last);
  if (to < from) std::swap(from, to);
  const auto step = draw(1, last - first);
  if (!field.text.empty()) field.text += ',';
  switch (draw(0, 3)) {
    case 0:
      field.text += std::to_string(from);
      field.named.set(from);
      return;
    case 1:
      field.text += fmt::format("{}-{}", from, to);
      for (auto value = from; value <= to; ++value) field.named.set(value);
      return;
    case 2:
      field.text += fmt::format("{}-{}/{}", from, to, step);
      for (auto value = from; value <= to; ++value)
        if ((value - from) % step == 0) field.named.set(value);
      return;
    default:
      field.text += fmt::format("{}/{}", from, step);
      for (auto value = from; value <= last; ++value)
        if ((value - from) % step == 0) field.named.set(value);
  }
}

Drawn draw_field(unsigned first, unsigned last) {
  Drawn field;
  if (draw(0, 2) == 0) {
    const auto step = draw(0, 2) == 0 ? draw(2, last - first) : 1u;
    field.open = true;
    field.text = step == 1 ? "*" : fmt::format("*/{}", step);
    for (auto value = first; value <= last; value += step) field.named.set(value);
    return field;
  }
  for (auto items = draw(1, 3); items > 0; --items) add_item(field, first, last);
  return field;
}

struct DrawnPattern {
  Drawn seconds, minutes, hours, days, months, weekdays;
  bool with_seconds = false;

  [[nodiscard]] std::string text() const {
    return fmt::format("{}{} {} {} {} {}", with_seconds ? seconds.text + " " : "", minutes.text,
                       hours.text, days.text, months.text, weekdays.text);
  }

  [[nodiscard]] bool names(LocalTime time) const {
    const auto day = floor<std::chrono::days>(time);
    const auto in_day = static_cast<unsigned>((time - day).count());
    const bool second = with_seconds ? seconds.named.test(in_day % 60) : in_day % 60 == 0;
    return second && minutes.named.test(in_day / 60 % 60) && hours.named.test(in_day / 3600) &&
           names_day(day);
  }

  [[nodiscard]] bool names_day(local_days day) const {
    const year_month_day date(day);
    if (!months.named.test(static_cast<unsigned>(date.month()))) return false;
    const bool by_number = days.named.test(static_cast<unsigned>(date.day()));
    const bool by_weekday = weekdays.named.test(weekday(day).c_encoding());
    return days.open || weekdays.open ? by_number && by_weekday : by_number || by_weekday;
  }
};

DrawnPattern draw_pattern() {
  DrawnPattern pattern;
  pattern.with_seconds = draw(0, 1) == 1;
  pattern.seconds = draw_field(0, 59);
  pattern.minutes = draw_field(0, 59);
  pattern.hours = draw_field(0, 23);
  pattern.days = draw_field(1, 31);
  pattern.months = draw_field(1, 12);
  pattern.weekdays = draw_field(0, 6);
  return pattern;
}

LocalTime draw_time() {
  return local_days(year(static_cast<int>(draw(1970, 2400))) / month(draw(1, 12)) / 1) +
         days(draw(0, 30)) + seconds(draw(0, 86399));
}

void expect_as_enumerated(const DrawnPattern& drawn, LocalTime from, seconds step, int steps) {
  const auto pattern = parse_crontab({drawn.text(), 0});
  if (!pattern) return;  // never fires: 31 of a short month
  const auto found = pattern->first_from(from);
  ASSERT_TRUE(found) << drawn.text();
  ASSERT_GE(*found, from) << drawn.text();
  auto time = ceil<minutes>(from) + seconds(0);
  if (step == seconds(1)) time = from;
  for (; steps > 0; --steps, time += step) {
    if (!drawn.names(time)) continue;
    EXPECT_EQ(*found, time) << drawn.text() << " from " << from.time_since_epoch().count();
    return;
  }
  EXPECT_GE(*found, time) << drawn.text() << " from " << from.time_since_epoch().count();
  EXPECT_TRUE(drawn.names(*found)) << drawn.text();
}

TEST(CalendarPattern, FindsWhatAWalkOverTheMinutesOfMonthsFinds) {
  for (int round = 0; round < 200; ++round) {
    auto drawn = draw_pattern();
    drawn.with_seconds = false;
    expect_as_enumerated(drawn, draw_time(), minutes(1), 65 * 1440);
  }
}

TEST(CalendarPattern, FindsWhatAWalkOverTheSecondsOfDaysFinds) {
  for (int round = 0; round < 100; ++round) {
    auto drawn = draw_pattern();
    drawn.with_seconds = true;
    expect_as_enumerated(drawn, draw_time(), seconds(1), 86400);
  }
}

TEST(CalendarPattern, FindsEveryTimeOfAMonthInTurn) {
  for (int round = 0; round < 40; ++round) {
    auto drawn = draw_pattern();
    drawn.with_seconds = false;
    const auto pattern = parse_crontab({drawn.text(), 0});
    if (!pattern) continue;
    const auto begin = floor<days>(draw_time()) + seconds(0);
    const auto end = begin + days(31);
    std::vector<LocalTime> named;
    for (auto time = begin; time < end; time += minutes(1))
      if (drawn.names(time)) named.push_back(time);
    std::vector<LocalTime> found;
    for (auto next = pattern->first_from(begin); next && *next < end;
         next = pattern->first_from(*next + seconds(1)))
      found.push_back(*next);
    EXPECT_EQ(found, named) << drawn.text();
  }
}

TEST(CalendarPattern, StaysWhereItIsNamed) {
  for (int round = 0; round < 1000; ++round) {
    const auto drawn = draw_pattern();
    const auto pattern = parse_crontab({drawn.text(), 0});
    if (!pattern) continue;
    const auto found = pattern->first_from(draw_time());
    ASSERT_TRUE(found);
    EXPECT_EQ(pattern->first_from(*found), found) << drawn.text();
  }
}

}  // namespace
}  // namespace lambda::events
