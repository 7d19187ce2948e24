#include "events/schedule/schedule_expression.h"

#include "events/schedule/zone_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lambda::events {
namespace {

using namespace std::chrono;
using ::testing::HasSubstr;

ScheduleExpression parsed(const std::string& text) {
  auto expression = ScheduleExpression::parse(text);
  EXPECT_TRUE(expression) << text << ": " << expression.error().message();
  return expression ? *expression : *ScheduleExpression::parse("* * * * *");
}

std::string complaint(const std::string& text) {
  const auto expression = ScheduleExpression::parse(text);
  if (expression) return "(accepted)";
  EXPECT_EQ(expression.error().code(), ErrorCode::invalid);
  return expression.error().message();
}

std::string text_of(WallTime time) {
  const auto date = floor<days>(time);
  const year_month_day ymd(date);
  const hh_mm_ss clock(floor<seconds>(time) - date);
  return fmt::format("{}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

// The first firings after the end of 2025, a Wednesday, in UTC.
std::vector<std::string> firings(const std::string& text, std::size_t count,
                                 WallTime after = utc(2025, 12, 31, 23, 59, 59)) {
  const auto expression = parsed(text);
  std::vector<std::string> times;
  for (auto next = expression.next(after, TimeZone(), after); next && times.size() < count;
       next = expression.next(*next, TimeZone(), after))
    times.push_back(text_of(*next));
  return times;
}

using Times = std::vector<std::string>;

TEST(ScheduleExpression, ReadsValuesListsRangesAndSteps) {
  EXPECT_EQ(firings("30 6 * * *", 2), (Times{"2026-01-01 06:30:00", "2026-01-02 06:30:00"}));
  EXPECT_EQ(firings("0,45 8-9 1 * *", 3),
            (Times{"2026-01-01 08:00:00", "2026-01-01 08:45:00", "2026-01-01 09:00:00"}));
  EXPECT_EQ(firings("10-40/15 0 * * *", 4), (Times{"2026-01-01 00:10:00", "2026-01-01 00:25:00",
                                                   "2026-01-01 00:40:00", "2026-01-02 00:10:00"}));
  EXPECT_EQ(firings("5/25 0 * * *", 4), (Times{"2026-01-01 00:05:00", "2026-01-01 00:30:00",
                                               "2026-01-01 00:55:00", "2026-01-02 00:05:00"}));
  EXPECT_EQ(firings("*/30 * * * *", 2), (Times{"2026-01-01 00:00:00", "2026-01-01 00:30:00"}));
  EXPECT_EQ(firings("0 */24 * * *", 2), (Times{"2026-01-01 00:00:00", "2026-01-02 00:00:00"}));
}

TEST(ScheduleExpression, ReadsSecondsAsTheFirstOfSixFields) {
  EXPECT_EQ(firings("*/20 0 0 * * *", 4), (Times{"2026-01-01 00:00:00", "2026-01-01 00:00:20",
                                                 "2026-01-01 00:00:40", "2026-01-02 00:00:00"}));
  EXPECT_EQ(firings("59 59 23 31 12 *", 1, utc(2026, 1, 1)), (Times{"2026-12-31 23:59:59"}));
}

TEST(ScheduleExpression, ReadsNamesInAnyCase) {
  EXPECT_EQ(firings("0 0 1 FEB,apr-May *", 3),
            (Times{"2026-02-01 00:00:00", "2026-04-01 00:00:00", "2026-05-01 00:00:00"}));
  EXPECT_EQ(firings("0 0 * * mon-WED", 3),
            (Times{"2026-01-05 00:00:00", "2026-01-06 00:00:00", "2026-01-07 00:00:00"}));
  EXPECT_EQ(firings("0 0 * * tue/2", 3),
            (Times{"2026-01-01 00:00:00", "2026-01-03 00:00:00", "2026-01-06 00:00:00"}));
}

TEST(ScheduleExpression, KnowsSundayAs0And7AndAtTheEndOfAWeek) {
  const Times sundays{"2026-01-04 00:00:00", "2026-01-11 00:00:00"};
  EXPECT_EQ(firings("0 0 * * 0", 2), sundays);
  EXPECT_EQ(firings("0 0 * * 7", 2), sundays);
  EXPECT_EQ(firings("0 0 * * SUN", 2), sundays);
  const Times weekend{"2026-01-03 00:00:00", "2026-01-04 00:00:00", "2026-01-10 00:00:00"};
  EXPECT_EQ(firings("0 0 * * 6-7", 3), weekend);
  EXPECT_EQ(firings("0 0 * * SAT-SUN", 3), weekend);
}

TEST(ScheduleExpression, FindsDaysFromTheEndOfTheMonth) {
  EXPECT_EQ(firings("0 0 L * *", 3),
            (Times{"2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-31 00:00:00"}));
  EXPECT_EQ(firings("0 0 L-3 2 *", 3),
            (Times{"2026-02-25 00:00:00", "2027-02-25 00:00:00", "2028-02-26 00:00:00"}));
  EXPECT_EQ(firings("0 0 l-30 * *", 3),
            (Times{"2026-01-01 00:00:00", "2026-03-01 00:00:00", "2026-05-01 00:00:00"}));
  EXPECT_EQ(firings("0 0 LW * *", 3),
            (Times{"2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-31 00:00:00"}));
  EXPECT_EQ(firings("0 0 1,L 1 *", 2), (Times{"2026-01-01 00:00:00", "2026-01-31 00:00:00"}));
}

TEST(ScheduleExpression, FindsTheNearestWeekdayWithinTheMonth) {
  EXPECT_EQ(firings("0 0 15W * *", 3),
            (Times{"2026-01-15 00:00:00", "2026-02-16 00:00:00", "2026-03-16 00:00:00"}));
  // 1 February and 1 March 2026 are Sundays, 1 August is a Saturday.
  EXPECT_EQ(firings("0 0 1w 2,3,8 *", 3),
            (Times{"2026-02-02 00:00:00", "2026-03-02 00:00:00", "2026-08-03 00:00:00"}));
  // 31 May 2026 is a Sunday; June has no 31st.
  EXPECT_EQ(firings("0 0 31W 5-7 *", 2), (Times{"2026-05-29 00:00:00", "2026-07-31 00:00:00"}));
}

TEST(ScheduleExpression, FindsTheNthAndTheLastWeekday) {
  const Times third_fridays{"2026-01-16 00:00:00", "2026-02-20 00:00:00"};
  EXPECT_EQ(firings("0 0 * * 5#3", 2), third_fridays);
  EXPECT_EQ(firings("0 0 * * fri#3", 2), third_fridays);
  const Times last_fridays{"2026-01-30 00:00:00", "2026-02-27 00:00:00"};
  EXPECT_EQ(firings("0 0 * * 5L", 2), last_fridays);
  EXPECT_EQ(firings("0 0 * * friL", 2), last_fridays);
  EXPECT_EQ(firings("0 0 * * THU#5,SUNL", 3),
            (Times{"2026-01-25 00:00:00", "2026-01-29 00:00:00", "2026-02-22 00:00:00"}));
}

TEST(ScheduleExpression, TakesEitherOfTwoRestrictedDays) {
  EXPECT_EQ(firings("0 0 3 * FRI", 3),
            (Times{"2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-09 00:00:00"}));
}

TEST(ScheduleExpression, TakesBothDaysWhereOneBeginsWithAStar) {
  // The odd days that are Fridays.
  EXPECT_EQ(firings("0 0 */2 * FRI", 2), (Times{"2026-01-09 00:00:00", "2026-01-23 00:00:00"}));
  EXPECT_EQ(firings("0 0 ? * FRI", 2), (Times{"2026-01-02 00:00:00", "2026-01-09 00:00:00"}));
  EXPECT_EQ(firings("0 0 3 * ?", 2), (Times{"2026-01-03 00:00:00", "2026-02-03 00:00:00"}));
  EXPECT_EQ(firings("0 0 3 * *", 2), (Times{"2026-01-03 00:00:00", "2026-02-03 00:00:00"}));
}

TEST(ScheduleExpression, KnowsTheShorthands) {
  const std::vector<std::pair<std::string, std::string>> meanings = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
      {"@Weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
      {"@ANNUALLY", "0 0 1 1 *"}};
  for (const auto& [shorthand, fields] : meanings)
    EXPECT_EQ(firings(shorthand, 3), firings(fields, 3)) << shorthand;
}

TEST(ScheduleExpression, CountsIntervalsFromTheirAnchor) {
  const auto anchor = utc(2026, 1, 1) + milliseconds(250);
  const auto every = parsed("@every 1m30s");
  EXPECT_EQ(every.next(anchor, TimeZone(), anchor), anchor + seconds(90));
  EXPECT_EQ(every.next(anchor + seconds(90), TimeZone(), anchor), anchor + seconds(180));
  EXPECT_EQ(every.next(anchor + seconds(90) - milliseconds(1), TimeZone(), anchor),
            anchor + seconds(90));
  EXPECT_EQ(every.next(anchor - days(400), TimeZone(), anchor), anchor - days(400) + seconds(90));
  EXPECT_EQ(every.next(anchor - seconds(91), TimeZone(), anchor), anchor - seconds(90));
  EXPECT_EQ(every.next(anchor - milliseconds(1), TimeZone(), anchor), anchor);
  const auto rate = parsed("rate(5 minutes)");
  EXPECT_EQ(rate.next(anchor + minutes(7), TimeZone(), anchor), anchor + minutes(10));
}

TEST(ScheduleExpression, ReadsGosDurations) {
  const auto anchor = utc(2026, 1, 1);
  const auto length = [&](const std::string& text) {
    return *parsed(text).next(anchor, TimeZone(), anchor) - anchor;
  };
  EXPECT_EQ(length("@every 90s"), seconds(90));
  EXPECT_EQ(length("@EVERY  1h30m"), minutes(90));
  EXPECT_EQ(length("@every 1.5h"), minutes(90));
  EXPECT_EQ(length("@every 2s500ms"), milliseconds(2500));
  EXPECT_EQ(length("@every 876600h"), days(36525));
  EXPECT_EQ(length("rate(1 minute)"), minutes(1));
  EXPECT_EQ(length("rate(2 hours)"), hours(2));
  EXPECT_EQ(length("rate(7 days)"), days(7));
}

TEST(ScheduleExpression, ReadsAwsCron) {
  EXPECT_EQ(firings("cron(0 10 * * ? *)", 2),
            (Times{"2026-01-01 10:00:00", "2026-01-02 10:00:00"}));
  // AWS counts the days of the week from 1, Sunday.
  EXPECT_EQ(firings("cron(15 12 ? * 6#3 *)", 1), (Times{"2026-01-16 12:15:00"}));
  EXPECT_EQ(firings("cron(15 12 ? * 6L *)", 1), (Times{"2026-01-30 12:15:00"}));
  EXPECT_EQ(firings("cron(0 0 ? * 1 *)", 1), (Times{"2026-01-04 00:00:00"}));
  EXPECT_EQ(firings("cron(0 0 ? * L *)", 1), (Times{"2026-01-03 00:00:00"}));
  EXPECT_EQ(firings("cron(0 18 ? * MON-FRI *)", 2),
            (Times{"2026-01-01 18:00:00", "2026-01-02 18:00:00"}));
  EXPECT_EQ(firings("cron(0 0 1 1 ? 2028,2030-2034/2)", 9),
            (Times{"2028-01-01 00:00:00", "2030-01-01 00:00:00", "2032-01-01 00:00:00",
                   "2034-01-01 00:00:00"}));
  EXPECT_EQ(firings("cron(0 0 3W * ? 2026)", 2),
            (Times{"2026-01-02 00:00:00", "2026-02-03 00:00:00"}));
}

TEST(ScheduleExpression, EndsWithItsYears) {
  EXPECT_EQ(parsed("cron(0 0 1 1 ? 2199)").next(utc(2199, 1, 1), TimeZone(), {}), std::nullopt);
  EXPECT_EQ(parsed("cron(0 0 1 1 ? 1999)").next(utc(2026, 1, 1), TimeZone(), {}), std::nullopt);
  EXPECT_EQ(parsed("cron(* * * * ? *)").next(utc(2200, 1, 1), TimeZone(), {}), std::nullopt);
}

TEST(ScheduleExpression, FiresOnceAtItsMoment) {
  const auto at = parsed("at(2026-03-01T09:30:15)");
  EXPECT_EQ(at.next(utc(2026, 1, 1), TimeZone(), {}), utc(2026, 3, 1, 9, 30, 15));
  EXPECT_EQ(at.next(utc(2026, 3, 1, 9, 30, 15), TimeZone(), {}), std::nullopt);
  EXPECT_EQ(at.next(utc(2026, 3, 1, 9, 30, 15) - milliseconds(1), TimeZone(), {}),
            utc(2026, 3, 1, 9, 30, 15));
}

TEST(ScheduleExpression, FindsRareDates) {
  EXPECT_EQ(firings("0 0 29 2 *", 2, utc(2096, 3, 1)),
            (Times{"2104-02-29 00:00:00", "2108-02-29 00:00:00"}));
  // Five Fridays in a February.
  EXPECT_EQ(firings("0 0 * 2 FRI#5", 5),
            (Times{"2036-02-29 00:00:00", "2064-02-29 00:00:00", "2092-02-29 00:00:00",
                   "2104-02-29 00:00:00", "2132-02-29 00:00:00"}));
}

TEST(ScheduleExpression, KeepsItsTextWithoutBlanksAroundIt) {
  EXPECT_EQ(parsed(" \t0  0 * * *  ").text(), "0  0 * * *");
  EXPECT_EQ(firings("0\t0   1 1 *", 1), (Times{"2026-01-01 00:00:00"}));
}

struct WrongExpression {
  const char* text;
  const char* where;   // the column and what stands there
  const char* remedy;  // a part of what is said about it
};

TEST(ScheduleExpression, NamesTheColumnAndTheRemedy) {
  const std::vector<WrongExpression> table = {
      {"60 * * * *", "column 1, \"60\"", "0 to 59"},
      {"* 24 * * *", "column 3, \"24\"", "midnight is 0"},
      {"* * 32 * *", "column 5, \"32\"", "1 to 31"},
      {"* * 0 * *", "column 5, \"0\"", "1 to 31"},
      {"* * * 13 *", "column 7, \"13\"", "1 to 12"},
      {"* * * * 8", "column 9, \"8\"", "0 to 7"},
      {"5,61 * * * *", "column 3, \"61\"", "0 to 59"},
      {"60 * * * * *", "column 1, \"60\"", "seconds go from 0 to 59"},
      {"99999999999999999999 * * * *", "column 1", "0 to 59"},
      {"*/0 * * * *", "column 3, \"0\"", "at least 1"},
      {"*/90 * * * *", "column 3, \"90\"", "@every 90m"},
      {"0 */36 * * *", "column 5, \"36\"", "@every 36h"},
      {"0 0 */40 * *", "column 7, \"40\"", "at most 31"},
      {"*/x * * * *", "column 3, \"x\"", "a number"},
      {"0 22-2 * * *", "column 3, \"22-2\"", "write 22-23,0-2"},
      {"0 22-4/2 * * *", "column 3, \"22-4/2\"", "write 22,0,2,4"},
      {"0 0 * * FRI-MON", "column 9, \"FRI-MON\"", "write FRI-SAT,SUN-MON"},
      {"0 0 * * 7-3", "column 9, \"7-3\"", "write 0-3"},
      {"0 0 * NOV-FEB *", "column 7, \"NOV-FEB\"", "write NOV-DEC,JAN-FEB"},
      {"0 0 * AUG-MAY *", "column 7, \"AUG-MAY\"", "write AUG-DEC,JAN-MAY"},
      {"0 0 * * MNO", "column 9, \"MNO\"", "did you mean MON?"},
      {"0 0 * * Friday", "column 9, \"Friday\"", "write FRI"},
      {"0 0 * SPE *", "column 7, \"SPE\"", "did you mean SEP?"},
      {"0 0 * xyz *", "column 7, \"xyz\"", "JAN to DEC"},
      {"0 x * * *", "column 3, \"x\"", "numbers from 0 to 23"},
      {"H * * * *", "column 1, \"H\"", "choose a number"},
      {"0 H/2 * * *", "column 3, \"H\"", "choose a number"},
      {"H(0-9) * * * *", "column 1", "choose a number"},
      {"0 H(0-9) * * *", "column 3", "choose a number"},
      {"0 ? * * *", "column 3, \"?\"", "write *"},
      {"0 0 ?,5 * *", "column 5, \"?\"", "stands alone"},
      {"5,,6 * * * *", "column 3, \"\"", "missing"},
      {"5- * * * *", "column 3, \"\"", "missing"},
      {"L * * * *", "column 1, \"L\"", "last day of the month"},
      {"0 0 * LW *", "column 7, \"LW\"", "W is for days"},
      {"0 0 * 5#2 *", "column 7, \"5#2\"", "third Friday"},
      {"0 0 L-31 * *", "column 5, \"L-31\"", "L-1 to L-30"},
      {"0 0 L5 * *", "column 5, \"L5\"", "L-3"},
      {"0 0 32W * *", "column 5, \"32\"", "1 to 31"},
      {"0 0 1-5W * *", "column 5, \"1-5W\"", "1W,15W"},
      {"0 0 * * L", "column 9, \"L\"", "FRIL"},
      {"0 0 * * L-3", "column 9, \"L-3\"", "days of the month"},
      {"0 0 * * FRI#6", "column 9, \"FRI#6\"", "FRIL"},
      {"0 0 * * FRI#0", "column 9, \"FRI#0\"", "1 to 5"},
      {"0 0 * * 8#1", "column 9, \"8\"", "0 to 7"},
      {"0 0 30 2 *", "column 5, \"30\"", "never fire"},
      {"0 0 31 4,6,9,11 *", "column 5, \"31\"", "never fire"},
      {"0 0 31W FEB *", "column 5, \"31W\"", "never fire"},
      {"* * * *", "column 1, \"* * * *\"", "4 fields of five: minute hour"},
      {"*", "column 1, \"*\"", "1 field of five"},
      {"* * * * * * *", "column 13, \"*\"", "seconds first"},
      {"0 12 * * ? 2026", "column 12, \"2026\"", "write cron(0 12 * * ? 2026)"},
      {"TZ=UTC 0 0 * * *", "column 1, \"TZ=UTC\"", "apart"},
      {"every 5 minutes", "column 1, \"every 5 minutes\"", "did you mean rate(5 minutes)?"},
      {"30 seconds", "column 1", "did you mean @every 30s?"},
      {"daily", "column 1", "did you mean @daily?"},
      {"@every 5 minutes", "column 1", "did you mean rate(5 minutes)?"},
      {"@reboot", "column 1, \"@reboot\"", "@every 5m"},
      {"@hurly", "column 1, \"@hurly\"", "did you mean @hourly?"},
      {"@fortnightly", "column 1", "@monthly"},
      {"@every", "column 7, \"\"", "90s"},
      {"@every 5", "column 8, \"5\"", "5s, 5m or 5h"},
      {"@every 1d", "column 9, \"d\"", "24h"},
      {"@every 5x", "column 9, \"x\"", "h, m, s and ms"},
      {"@every h", "column 8, \"h\"", "a number and a unit"},
      {"@every -5s", "column 8, \"-5s\"", "a number and a unit"},
      {"@every 0.5s", "column 8, \"0.5s\"", "1s"},
      {"@every 1.2.3s", "column 8, \"1.2.3\"", "more than one point"},
      {"@every 1.0001s", "column 8, \"1.0001\"", "digits"},
      {"@every 876601h", "column 8", "100 years"},
      {"rate(5 minute)", "column 8, \"minute\"", "rate(5 minutes)"},
      {"rate(1 Hours)", "column 8, \"Hours\"", "rate(1 Hour)"},
      {"rate(0 days)", "column 6, \"0\"", "at least 1"},
      {"rate(5 seconds)", "column 8, \"seconds\"", "@every 5s"},
      {"rate(5 weeks)", "column 8, \"weeks\"", "minutes, hours and days"},
      {"rate(1.5 hours)", "column 6, \"1.5\"", "whole number"},
      {"rate(5)", "column 6, \"5\"", "rate(5 minutes)"},
      {"rate (5 minute)", "column 9, \"minute\"", "rate(5 minutes)"},
      {"rate(5 minutes", "column 6", "missing at the end"},
      {"cron(0 12 * * *)", "column 6", "six fields, not 5"},
      {"cron(0 12 * * * *)", "column 15, \"*\"", "write ? here"},
      {"cron(0 12 * * FRI *)", "column 11, \"*\"", "write ? here"},
      {"cron(0 12 1 * FRI *)", "column 15, \"FRI\"", "write ? here"},
      {"cron(0 12 ? * ? *)", "column 15, \"?\"", "only one"},
      {"cron(0 12 ? * 0 *)", "column 15, \"0\"", "1 is SUN"},
      {"cron(0 12 ? * FRI-SUN *)", "column 15, \"FRI-SUN\"", "write FRI-SAT,SUN"},
      {"cron(0 12 1 * ? 1969)", "column 17, \"1969\"", "1970 to 2199"},
      {"cron(0 0 29 2 ? 2023)", "column 10, \"29\"", "never fire"},
      {"at(2026-01-31 09:30:00)", "column 4", "yyyy-mm-ddThh:mm:ss"},
      {"at(2026-01-31T09:30)", "column 4", "yyyy-mm-ddThh:mm:ss"},
      {"at(2026-01-31T09:30:00Z)", "column 23, \"Z\"", "given apart"},
      {"at(2026-02-29T00:00:00)", "column 12, \"29\"", "01 to 28"},
      {"at(2026-13-01T00:00:00)", "column 9, \"13\"", "01 to 12"},
      {"at(1969-01-01T00:00:00)", "column 4, \"1969\"", "1970"},
      {"at(2026-01-01T24:00:00)", "column 15, \"24\"", "00 to 23"},
      {"at(2026-01-01T23:60:00)", "column 18, \"60\"", "00 to 59"},
      {"at(2026-01-01T23:59:60)", "column 21, \"60\"", "00 to 59"},
      {"each(5 minutes)", "column 1, \"each\"", "rate(5 minutes)"},
      {"é 60 * * *", "column 1, \"é\"", "numbers"},
      {"0 0 é,ß * *", "column 5, \"é\"", "numbers"},
  };
  for (const auto& [text, where, remedy] : table) {
    const auto said = complaint(text);
    EXPECT_THAT(said, HasSubstr(where));
    EXPECT_THAT(said, HasSubstr(remedy));
    EXPECT_THAT(said, HasSubstr("is not a schedule")) << text;
  }
}

TEST(ScheduleExpression, CountsColumnsInCharacters) {
  EXPECT_THAT(complaint("é,ü"), HasSubstr("column 1"));
  EXPECT_THAT(complaint("at(äöü-01-01T00:00:00)"), HasSubstr("column 4"));
  EXPECT_THAT(complaint("foo(é) 61"), HasSubstr("column 1"));
  EXPECT_THAT(complaint("@every 1é5s"), HasSubstr("column 9, \"é\""));
}

TEST(ScheduleExpression, RefusesWhatIsNoLineOfText) {
  EXPECT_THAT(complaint(""), HasSubstr("empty"));
  EXPECT_THAT(complaint("  "), HasSubstr("empty"));
  EXPECT_THAT(complaint("* * * * *\n* * * * *"), HasSubstr("one line"));
  EXPECT_THAT(complaint(std::string("* * * * *\0", 10)), HasSubstr("one line"));
  EXPECT_THAT(complaint(std::string(513, '1')), HasSubstr("at most 512"));
}

TEST(ScheduleExpression, WorksForAnyTimeThereIs) {
  for (const auto* text : {"* * * * *", "0 0 29 2 *", "0 3 * * *", "@every 1s", "@yearly",
                           "cron(0 0 1 1 ? *)", "at(2026-01-01T00:00:00)"}) {
    const auto expression = parsed(text);
    for (const auto after :
         {WallTime::min(), WallTime(milliseconds(-1)), WallTime(), WallTime(utc(1, 1, 1)),
          WallTime(utc(9999, 12, 31, 23, 59, 59)), WallTime::max()}) {
      for (const auto anchor : {WallTime::min(), WallTime(), WallTime::max()}) {
        const auto next = expression.next(after, TimeZone(), anchor);
        if (next) {
          EXPECT_GT(*next, after) << text;
        }
      }
    }
    EXPECT_EQ(expression.next(WallTime::max(), TimeZone(), {}), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace lambda::events
