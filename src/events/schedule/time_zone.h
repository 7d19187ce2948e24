// TimeZone: a zone of the IANA database, as the stretches of time in which its clocks keep one
// distance to UTC. What a schedule makes of the changes is in clock_rules.h.
//
// find() reads the database (the first time that a zone is asked for, some milliseconds of disk)
// and may be called from any thread; everything else reads memory only. A small value; the database
// lives as long as the program.
#pragma once

#include "base/result.h"
#include "events/schedule/posix_rule.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace date {
class time_zone;  // NOLINT(readability-identifier-naming): the library's name for it
}

namespace lambda::events {

class TimeZone {
 public:
  // "Europe/Berlin", exactly. invalid: there is none; the message has the nearest name.
  // unavailable: there is no database.
  static Result<TimeZone> find(std::string_view name);

  TimeZone() = default;  // UTC; needs no database

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] OffsetPeriod period(std::chrono::sys_seconds time) const;

 private:
  static Result<TimeZone> read_zone(std::string_view name);

  std::string name_ = "UTC";
  const date::time_zone* listed_ = nullptr;
  std::optional<PosixRule> rule_;  // for what comes after the listed changes
  std::chrono::sys_seconds rule_from_{};
};

}  // namespace lambda::events
