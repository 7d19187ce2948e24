// ScheduleExpression: when something is to happen, as a person writes it: crontab's five fields
// (six with seconds), @hourly and friends, @every 90s, and AWS's rate(...), cron(...) and at(...).
// docs/schedules.md is the reference.
//
// An immutable value; any thread. Nothing here reads a clock: the time is always a parameter.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "events/schedule/calendar_pattern.h"
#include "events/schedule/time_zone.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace lambda::events {

class ScheduleExpression {
 public:
  // invalid: the message names the column, what stands there, why it is wrong, what to write.
  static Result<ScheduleExpression> parse(std::string_view text);

  // As it was written, without blanks around it.
  [[nodiscard]] const std::string& text() const { return text_; }
  // @every and rate(...).
  [[nodiscard]] bool is_interval() const {
    return std::holds_alternative<std::chrono::milliseconds>(kind_);
  }

  // The first firing strictly after `after`; nullopt: there is none any more (at() has passed, the
  // year field is over, or it is the year 9999). `anchor` is where @every and rate(...) count from,
  // to both sides. Costs at most a walk over the months of 400 years, and that for rare dates
  // alone.
  [[nodiscard]] std::optional<WallTime> next(WallTime after, const TimeZone& zone,
                                             WallTime anchor) const;

 private:
  using Kind = std::variant<CalendarPattern, std::chrono::milliseconds, LocalTime>;

  ScheduleExpression(std::string text, const Kind& kind) : text_(std::move(text)), kind_(kind) {}

  std::string text_;
  Kind kind_;
};

}  // namespace lambda::events
