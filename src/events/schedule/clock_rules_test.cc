// The clock changes of real zones: a table that people can check, then every minute around each
// change against a simulation of a clock on the wall.
#include "events/schedule/clock_rules.h"

#include "events/schedule/schedule_expression.h"
#include "events/schedule/zone_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lambda::events {
namespace {

using namespace std::chrono;

// "2026-03-29T03:00:00+02:00"
std::string local_text(sys_seconds time, const TimeZone& zone) {
  const auto offset = zone.period(time).offset;
  const auto local = time + offset;
  const auto date = floor<days>(local);
  const year_month_day ymd(date);
  const hh_mm_ss clock(local - date);
  const hh_mm_ss distance(abs(offset));
  return fmt::format("{}-{:02}-{:02}T{:02}:{:02}{}{:02}:{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     clock.hours().count(), clock.minutes().count(),
                     offset < seconds(0) ? '-' : '+', distance.hours().count(),
                     distance.minutes().count());
}

struct Row {
  const char* zone;
  const char* expression;
  sys_seconds after;
  std::vector<std::string> firings;
};

void expect_rows(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    const auto there = zone(row.zone);
    const auto expression = ScheduleExpression::parse(row.expression);
    ASSERT_TRUE(expression) << row.expression;
    std::vector<std::string> found;
    auto next = expression->next(row.after, there, {});
    for (; next && found.size() < row.firings.size(); next = expression->next(*next, there, {}))
      found.push_back(local_text(floor<seconds>(*next), there));
    EXPECT_EQ(found, row.firings) << row.expression << " in " << row.zone;
  }
}

TEST(ClockRules, AFixedTimeInAGapFiresAtItsEnd) {
  expect_rows({
      {"Europe/Berlin",
       "30 2 * * *",
       utc(2026, 3, 28),
       {"2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"}},
      {"America/New_York",
       "0 2 * * *",
       utc(2026, 3, 8),
       {"2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"}},
      // Half an hour is skipped: 02:00 to 02:30.
      {"Australia/Lord_Howe",
       "15 2 * * *",
       utc(2026, 10, 3, 12),
       {"2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"}},
      // Midnight is skipped.
      {"America/Sao_Paulo",
       "0 0 * * *",
       utc(2018, 11, 3, 12),
       {"2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"}},
      {"Africa/Cairo",
       "0 0 * * FRI",
       utc(2026, 4, 20),
       {"2026-04-24T01:00+03:00", "2026-05-01T00:00+03:00"}},
      // A quarter of an hour, in 1986.
      {"Asia/Kathmandu",
       "5 0 * * *",
       utc(1985, 12, 30, 12),
       {"1985-12-31T00:05+05:30", "1986-01-01T00:15+05:45", "1986-01-02T00:05+05:45"}},
  });
}

TEST(ClockRules, SeveralTimesOfAGapFireTogether) {
  expect_rows({
      {"Europe/Berlin",
       "*/15 2,3 * * *",
       utc(2026, 3, 29),
       {"2026-03-29T03:00+02:00", "2026-03-29T03:15+02:00", "2026-03-29T03:30+02:00"}},
      {"Europe/Berlin",
       "0 1-4 29 3 *",
       utc(2026, 3, 28, 22),
       {"2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"}},
  });
}

TEST(ClockRules, AFixedTimeInARepeatedHourFiresInItsFirstPass) {
  expect_rows({
      {"Europe/Berlin",
       "30 2 * * *",
       utc(2026, 10, 24, 12),
       {"2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"}},
      {"America/New_York",
       "30 1 * * *",
       utc(2026, 10, 31, 12),
       {"2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"}},
      {"Australia/Lord_Howe",
       "45 1 * * *",
       utc(2026, 4, 4, 12),
       {"2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"}},
      // The clock goes back at midnight, into the day before.
      {"America/Sao_Paulo",
       "30 23 * * *",
       utc(2018, 2, 17, 12),
       {"2018-02-17T23:30-02:00", "2018-02-18T23:30-03:00"}},
      {"Africa/Cairo",
       "30 23 29 10 *",
       utc(2026, 10, 1),
       {"2026-10-29T23:30+03:00", "2027-10-29T23:30+02:00"}},
      // From inside the second pass: the first one is over.
      {"Europe/Berlin", "30 2 * * *", utc(2026, 10, 25, 1), {"2026-10-26T02:30+01:00"}},
      {"Europe/Berlin", "30 2 * * *", utc(2026, 10, 25, 0, 40), {"2026-10-26T02:30+01:00"}},
  });
}

TEST(ClockRules, OpenHoursFireInBothPassesAndNotInAGap) {
  expect_rows({
      {"Europe/Berlin",
       "30 * * * *",
       utc(2026, 10, 24, 23, 45),
       {"2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"}},
      {"Europe/Berlin",
       "30 * * * *",
       utc(2026, 3, 29, 0),
       {"2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"}},
      // 02:00 does not exist: the next even hour is four.
      {"Europe/Berlin",
       "0 */2 * * *",
       utc(2026, 3, 28, 22),
       {"2026-03-29T00:00+01:00", "2026-03-29T04:00+02:00"}},
      {"America/New_York",
       "@hourly",
       utc(2026, 11, 1, 4, 30),
       {"2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"}},
      {"Australia/Lord_Howe",
       "45 * * * *",
       utc(2026, 4, 4, 14),
       {"2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30", "2026-04-05T02:45+10:30"}},
      {"Australia/Lord_Howe",
       "0 * * * *",
       utc(2026, 10, 3, 14),
       {"2026-10-04T01:00+10:30", "2026-10-04T03:00+11:00"}},
      {"America/Sao_Paulo",
       "30 * * * *",
       utc(2018, 2, 18, 1),
       {"2018-02-17T23:30-02:00", "2018-02-17T23:30-03:00", "2018-02-18T00:30-03:00"}},
      // In its second pass alone, with nothing else named for a year.
      {"America/Sao_Paulo", "30 * 17 2 *", utc(2018, 2, 18, 1, 45), {"2018-02-17T23:30-03:00"}},
      {"America/St_Johns",
       "0 * * * *",
       utc(2006, 10, 29, 1),  // back at 00:01, to 23:01
       {"2006-10-28T23:00-02:30", "2006-10-29T00:00-02:30", "2006-10-29T00:00-03:30"}},
  });
}

TEST(ClockRules, ASkippedDayFiresAtItsEnd) {
  // Samoa went over the date line: there was no 30 December 2011.
  expect_rows({
      {"Pacific/Apia",
       "0 12 * * *",
       utc(2011, 12, 29, 12),
       {"2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"}},
      {"Pacific/Apia",
       "0 0 * * *",
       utc(2011, 12, 29),
       {"2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00", "2012-01-01T00:00+14:00"}},
      {"Pacific/Apia",
       "0 * * * *",
       utc(2011, 12, 30, 8, 30),
       {"2011-12-29T23:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T01:00+14:00"}},
      {"Pacific/Apia", "0 * 30 12 *", utc(2011, 12, 1), {"2012-12-30T00:00+14:00"}},
  });
}

TEST(ClockRules, GoOnAfterTheListedChangesEnd) {
  expect_rows({
      {"Europe/Berlin",
       "30 2 * * *",
       utc(2050, 3, 26, 12),
       {"2050-03-27T03:00+02:00", "2050-03-28T02:30+02:00"}},
      {"Europe/Berlin",
       "30 * * * *",
       utc(2050, 10, 30, 0),
       {"2050-10-30T02:30+02:00", "2050-10-30T02:30+01:00"}},
  });
}

TEST(ClockRules, AMomentThatDoesNotExistOrComesTwice) {
  expect_rows({
      {"Europe/Berlin", "at(2026-03-29T02:30:00)", utc(2026, 1, 1), {"2026-03-29T03:00+02:00"}},
      {"Europe/Berlin", "at(2026-10-25T02:30:00)", utc(2026, 1, 1), {"2026-10-25T02:30+02:00"}},
      {"Pacific/Apia", "at(2011-12-30T15:00:00)", utc(2011, 1, 1), {"2011-12-31T00:00+14:00"}},
  });
}

// Real time goes by in minutes; the clock on the wall is looked at each time.
class WallClock {
 public:
  WallClock(const TimeZone& zone, sys_seconds first, sys_seconds last) : begin(first), end(last) {
    for (auto time = begin - minutes(1); time < end; time += minutes(1)) {
      const auto local = LocalTime((time + zone.period(time).offset).time_since_epoch());
      shown_.push_back(local);
    }
  }

  template <class Named>
  [[nodiscard]] std::vector<sys_seconds> by_real_time(Named named) const {
    std::vector<sys_seconds> firings;
    for (std::size_t at = 1; at < shown_.size(); ++at)
      if (named(shown_[at])) firings.push_back(time_of(at));
    return firings;
  }

  // Each minute that the clock reaches or jumps over for the first time.
  template <class Named>
  [[nodiscard]] std::vector<sys_seconds> by_local_time(Named named) const {
    std::vector<sys_seconds> firings;
    auto reached = shown_.front();
    for (std::size_t at = 1; at < shown_.size(); ++at) {
      bool fires = false;
      for (; reached < shown_[at]; reached += minutes(1)) fires |= named(reached + minutes(1));
      if (fires) firings.push_back(time_of(at));
    }
    return firings;
  }

  const sys_seconds begin, end;

 private:
  [[nodiscard]] sys_seconds time_of(std::size_t at) const {
    return begin + minutes(static_cast<std::int64_t>(at) - 1);
  }

  std::vector<LocalTime> shown_;  // from the minute before begin
};

std::vector<sys_seconds> firings_between(const std::string& text, const TimeZone& zone,
                                         sys_seconds begin, sys_seconds end) {
  const auto expression = ScheduleExpression::parse(text);
  EXPECT_TRUE(expression) << text;
  std::vector<sys_seconds> firings;
  WallTime after = begin - seconds(1);
  for (auto next = expression->next(after, zone, {}); next && *next < end;
       next = expression->next(after, zone, {})) {
    EXPECT_GT(*next, after) << text;
    // Whatever the moment before it: the answer is the same.
    EXPECT_EQ(expression->next(*next - milliseconds(1), zone, {}), next) << text;
    EXPECT_EQ(expression->next(after + (*next - after) / 2, zone, {}), next) << text;
    firings.push_back(floor<seconds>(*next));
    after = *next;
  }
  return firings;
}

void expect_as_on_the_wall(const WallClock& wall, const TimeZone& zone, unsigned minute,
                           unsigned hour) {
  const auto minute_of = [](LocalTime time) {
    return static_cast<unsigned>((time - floor<days>(time)) / minutes(1)) % 60;
  };
  const auto hour_of = [](LocalTime time) {
    return static_cast<unsigned>((time - floor<days>(time)) / hours(1));
  };
  const auto open = fmt::format("{} */{} * * *", minute, hour + 1);
  EXPECT_EQ(firings_between(open, zone, wall.begin, wall.end),
            wall.by_real_time([&](LocalTime time) {
              return minute_of(time) == minute && hour_of(time) % (hour + 1) == 0;
            }))
      << open << " in " << zone.name() << " from " << local_text(wall.begin, zone);
  const auto named = fmt::format("{}/20 {},3-4 * * *", minute, hour);
  EXPECT_EQ(firings_between(named, zone, wall.begin, wall.end),
            wall.by_local_time([&](LocalTime time) {
              const auto at = minute_of(time);
              return at >= minute && (at - minute) % 20 == 0 &&
                     (hour_of(time) == hour || hour_of(time) == 3 || hour_of(time) == 4);
            }))
      << named << " in " << zone.name() << " from " << local_text(wall.begin, zone);
}

TEST(ClockRules, DoWhatAClockOnTheWallDoesAroundEveryChange) {
  unsigned changes = 0;
  for (const auto* name :
       {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
        "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo", "America/St_Johns", "Antarctica/Troll",
        "Africa/Casablanca", "Asia/Gaza", "Pacific/Kwajalein"}) {
    const auto there = zone(name);
    auto period = there.period(utc(1985, 1, 1));
    while (period.end < utc(2040, 1, 1)) {
      const WallClock wall(there, period.end - hours(30), period.end + hours(30));
      expect_as_on_the_wall(wall, there, changes * 7 % 60, changes % 24);
      expect_as_on_the_wall(wall, there, changes % 2 * 30, changes % 4);
      period = there.period(period.end);
      ++changes;
    }
  }
  EXPECT_GT(changes, 500u);
}

}  // namespace
}  // namespace lambda::events
