// PosixRule: the rule by which a zone changes its clocks for ever, as the last line of its file in
// the time zone database has it (RFC 9636, "CET-1CEST,M3.5.0,M10.5.0/3"). The database lists
// changes one by one only as far as 2037.
//
// A plain value. Pure, any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace lambda::events {

// A stretch of time, [begin, end), in which a zone's clocks are `offset` ahead of UTC.
struct OffsetPeriod {
  std::chrono::sys_seconds begin;
  std::chrono::sys_seconds end;
  std::chrono::seconds offset;
};

class PosixRule {
 public:
  // nullopt: the text has no clock changes, or is none that this understands.
  static std::optional<PosixRule> parse(std::string_view text);

  [[nodiscard]] OffsetPeriod period(std::chrono::sys_seconds time) const;

 private:
  friend class PosixRuleReader;

  struct Change {
    enum class Kind { month_week_day, day_of_365, day_of_year } kind;
    unsigned month, week, weekday;  // month_week_day: week 5 is the last
    unsigned day;                   // day_of_365: 1 to 365, no 29 February; day_of_year: from 0
    std::chrono::seconds time;      // local time before the change; may be negative, or days

    [[nodiscard]] std::chrono::local_seconds in(std::chrono::year year) const;
  };

  std::chrono::seconds standard_{};
  std::chrono::seconds summer_{};
  Change to_summer_{};
  Change to_standard_{};
};

}  // namespace lambda::events
