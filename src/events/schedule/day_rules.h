// DayRules: which days of a month an expression names: by number, from the end, nearest weekday,
// day of the week, its n-th or last one, and how the two fields go together.
//
// Plain values. Pure, any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace lambda::events {

// The length of a month and the day of the week of its first day (0 is Sunday).
struct MonthShape {
  MonthShape(std::chrono::year year, std::chrono::month month);

  unsigned length;
  unsigned first_weekday;
};

// Sets of days: bit n is the n-th of the month.
using Days = std::uint32_t;

struct MonthDays {
  bool open = false;          // the field begins with * or ?
  Days numbered = 0;          // 15
  Days before_last = 0;       // L is bit 0, L-3 is bit 3
  Days nearest_weekday = 0;   // 15W
  bool last_weekday = false;  // LW

  [[nodiscard]] Days in(const MonthShape& month) const;
};

struct WeekDays {
  bool open = false;
  std::uint8_t every = 0;                // bit 0 is Sunday
  std::uint8_t last = 0;                 // FRIL
  std::array<std::uint8_t, 5> nth = {};  // FRI#3 is bit 5 of nth[2]

  [[nodiscard]] Days in(const MonthShape& month) const;
};

struct DayRules {
  MonthDays month_days;
  WeekDays week_days;

  // As Vixie's cron has it: where both fields are restricted, a day that either names; else a day
  // that both name. A field that begins with * or ? is not restricted, so */2 is not.
  [[nodiscard]] Days in(const MonthShape& month) const;
};

}  // namespace lambda::events
