#include "cli/event_settings.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(Age, IsSecondsMinutesOrHours) {
  EXPECT_EQ(*parse_age("3600"), 3'600);
  EXPECT_EQ(*parse_age("90s"), 90);
  EXPECT_EQ(*parse_age("30m"), 1'800);
  EXPECT_EQ(*parse_age("6h"), 21'600);
  for (const char* wrong :
       {"", "h", "1d", "-1", "1.5h", "1 h", "h1", "99999999999999999999", "1hh"})
    EXPECT_FALSE(parse_age(wrong)) << wrong;
}

TEST(Age, IsShownInTheLargestUnitThatFits) {
  EXPECT_EQ(age_text(21'600), "6 h");
  EXPECT_EQ(age_text(5'400), "90 min");
  EXPECT_EQ(age_text(61), "61 s");
}

}  // namespace
}  // namespace lambda::cli
