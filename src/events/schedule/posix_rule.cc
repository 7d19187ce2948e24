// A reader of "std offset dst [offset] , change , change"; then the changes of a year, and the two
// that a moment lies between.
#include "events/schedule/posix_rule.h"

#include <algorithm>
#include <array>
#include <string>

namespace lambda::events {

using namespace std::chrono;

class PosixRuleReader {
 public:
  explicit PosixRuleReader(std::string_view text) : left_(text) {}

  std::optional<PosixRule> read() {
    PosixRule rule;
    name();
    rule.standard_ = -time();
    if (left_.empty()) return std::nullopt;
    name();
    const bool given = !left_.starts_with(',');
    rule.summer_ = given ? -time() : rule.standard_ + hours(1);
    rule.to_summer_ = change();
    rule.to_standard_ = change();
    if (wrong_ || !left_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool take(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  // CEST, or <+0330>
  void name() {
    const bool quoted = take('<');
    const auto end = quoted ? left_.find('>') : left_.find_first_of("+-0123456789,");
    if (end == 0 || end == std::string_view::npos) {
      wrong_ = true;
      return;
    }
    left_.remove_prefix(quoted ? end + 1 : end);
  }

  unsigned number(unsigned most) {
    unsigned value = 0;
    const auto digits = std::min(left_.find_first_not_of("0123456789"), left_.size());
    if (digits == 0 || digits > 3) wrong_ = true;
    for (const char digit : left_.substr(0, std::min<std::size_t>(digits, 3)))
      value = value * 10 + static_cast<unsigned>(digit - '0');
    left_.remove_prefix(digits);
    if (value > most) wrong_ = true;
    return value;
  }

  // [+-]hh[:mm[:ss]]
  seconds time() {
    const bool negative = take('-');
    if (!negative) take('+');
    seconds sum = hours(number(167));
    if (take(':')) sum += minutes(number(59));
    if (take(':')) sum += seconds(number(59));
    return negative ? -sum : sum;
  }

  PosixRule::Change change() {
    using Kind = PosixRule::Change::Kind;
    PosixRule::Change found{};
    if (!take(',')) wrong_ = true;
    if (take('M')) {
      found.kind = Kind::month_week_day;
      found.month = number(12);
      if (!take('.')) wrong_ = true;
      found.week = number(5);
      if (!take('.')) wrong_ = true;
      found.weekday = number(6);
      if (found.month < 1 || found.week < 1) wrong_ = true;
    } else if (take('J')) {
      found.kind = Kind::day_of_365;
      found.day = number(365);
      if (found.day < 1) wrong_ = true;
    } else {
      found.kind = Kind::day_of_year;
      found.day = number(365);
    }
    found.time = take('/') ? time() : hours(2);
    return found;
  }

  std::string_view left_;
  bool wrong_ = false;
};

std::optional<PosixRule> PosixRule::parse(std::string_view text) {
  return PosixRuleReader(text).read();
}

local_seconds PosixRule::Change::in(year year) const {
  switch (kind) {
    case Kind::month_week_day: {
      const std::chrono::weekday which(weekday);
      const auto date = week == 5 ? local_days(year / std::chrono::month(month) / which[last])
                                  : local_days(year / std::chrono::month(month) / which[week]);
      return date + time;
    }
    case Kind::day_of_365: {
      const bool after_february = year.is_leap() && day > 59;
      return local_days(year / 1 / 1) + days(day - 1 + (after_february ? 1 : 0)) + time;
    }
    case Kind::day_of_year:
      break;
  }
  return local_days(year / 1 / 1) + days(day) + time;
}

OffsetPeriod PosixRule::period(sys_seconds time) const {
  struct Begin {
    sys_seconds when;
    seconds offset;
  };
  const auto now = year_month_day(floor<days>(time)).year();
  std::array<Begin, 6> begins{};
  auto* next = begins.data();
  for (const auto year : {now - years(1), now, now + years(1)}) {
    *next++ = {sys_seconds(to_summer_.in(year).time_since_epoch() - standard_), summer_};
    *next++ = {sys_seconds(to_standard_.in(year).time_since_epoch() - summer_), standard_};
  }
  std::sort(begins.begin(), begins.end(),
            [](const Begin& a, const Begin& b) { return a.when < b.when; });
  const auto after =
      std::upper_bound(begins.begin() + 1, begins.end() - 1, time,
                       [](sys_seconds moment, const Begin& begin) { return moment < begin.when; });
  return {(after - 1)->when, after->when, (after - 1)->offset};
}

}  // namespace lambda::events
