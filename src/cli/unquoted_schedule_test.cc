#include "cli/unquoted_schedule.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(UnquotedSchedule, IsPutTogetherWhereItsWordsAreThere) {
  EXPECT_EQ(quoted_schedule({"0", "9", "*", "*", "*"}), "0 9 * * *");
  EXPECT_EQ(quoted_schedule({"*/5", "*", "*", "*", "*", "greet"}), "*/5 * * * *");
  EXPECT_EQ(quoted_schedule({"30", "2", "*", "*", "MON-FRI"}), "30 2 * * MON-FRI");
  EXPECT_EQ(quoted_schedule({"0", "0", "9", "*", "*", "*"}), "0 0 9 * * *");
  EXPECT_EQ(quoted_schedule({"every", "5", "minutes"}), "rate(5 minutes)");
  EXPECT_EQ(quoted_schedule({"@every", "90s", "greet"}), "@every 90s");
}

TEST(UnquotedSchedule, IsAnExampleWhereTheShellPutFilesInTheirPlace) {
  EXPECT_EQ(quoted_schedule({"30", "2", "app.py", "app.py", "app.py"}), "0 9 * * *");
  EXPECT_EQ(quoted_schedule({"0", "9", "a", "b", "a", "b", "MON"}), "0 9 * * *");
}

TEST(UnquotedSchedule, MayStandWithoutItsOption) {
  EXPECT_EQ(schedule_without_option({"0", "9", "*", "*", "*"}), "0 9 * * *");
  EXPECT_EQ(schedule_without_option({"0 9 * * MON"}), "0 9 * * MON");
  EXPECT_EQ(schedule_without_option({"@hourly"}), "@hourly");
  EXPECT_EQ(schedule_without_option({"every", "5", "minutes"}), "rate(5 minutes)");
  EXPECT_EQ(schedule_without_option({"rate(5 minutes)"}), "rate(5 minutes)");
  EXPECT_EQ(schedule_without_option({"nightly"}), "");
  EXPECT_EQ(schedule_without_option({"0", "9"}), "");
}

TEST(UnquotedSchedule, IsThePartOfOne) {
  for (const char* part : {"0", "*/5", "@every", "every", "rate(5"})
    EXPECT_TRUE(is_part_of_schedule(part)) << part;
  for (const char* whole : {"0 9 * * *", "@hourly", "rate(5 minutes)", "at(2026-01-31T09:30:00)"})
    EXPECT_FALSE(is_part_of_schedule(whole)) << whole;
}

}  // namespace
}  // namespace lambda::cli
