#include "base/spoken_interval.h"

#include <gtest/gtest.h>

namespace lambda {
namespace {

TEST(ScheduleOfWords, IsTheIntervalThatWasMeant) {
  EXPECT_EQ(schedule_of_words("every 5 minutes"), "rate(5 minutes)");
  EXPECT_EQ(schedule_of_words("5 minutes"), "rate(5 minutes)");
  EXPECT_EQ(schedule_of_words(" Every  1 Minutes "), "rate(1 minute)");
  EXPECT_EQ(schedule_of_words("each hour"), "rate(1 hour)");
  EXPECT_EQ(schedule_of_words("@every 2 days"), "rate(2 days)");
  EXPECT_EQ(schedule_of_words("5min"), "rate(5 minutes)");
  EXPECT_EQ(schedule_of_words("12h"), "rate(12 hours)");
  EXPECT_EQ(schedule_of_words("every week"), "rate(7 days)");
  EXPECT_EQ(schedule_of_words("every 30 seconds"), "@every 30s");
  EXPECT_EQ(schedule_of_words("daily"), "@daily");
}

TEST(ScheduleOfWords, IsNoneWhereTheTextIsSomethingElse) {
  for (const char* other :
       {"", "every", "5", "minutes", "every 5 moons", "every 0 minutes", "5 * * * *",
        "every day at 9", "every 1.5 hours", "99999999999999999999 days", "s"})
    EXPECT_EQ(schedule_of_words(other), "") << other;
}

}  // namespace
}  // namespace lambda
