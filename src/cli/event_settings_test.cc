#include "cli/event_settings.h"

#include <gtest/gtest.h>

#include <tuple>

namespace lambda::cli {
namespace {

TEST(Age, IsSecondsMinutesOrHours) {
  EXPECT_EQ(*parse_age("3600"), 3'600);
  EXPECT_EQ(*parse_age("90s"), 90);
  EXPECT_EQ(*parse_age("30m"), 1'800);
  EXPECT_EQ(*parse_age("6h"), 21'600);
  for (const char* wrong :
       {"", "h", "1d", "-1", "1.5h", "1 h", "h1", "99999999999999999999", "1hh", "59s", "7h", "0"})
    EXPECT_FALSE(parse_age(wrong)) << wrong;
}

TEST(Age, SaysWhatFits) {
  EXPECT_EQ(*parse_age("60"), 60);
  EXPECT_EQ(parse_age("5s").error().message(), "an event may grow 60s to 6h old, not 5s");
}

TEST(Retries, AreTwoAtMost) {
  EXPECT_TRUE(check_retries(0));
  EXPECT_TRUE(check_retries(2));
  EXPECT_FALSE(check_retries(3));
  EXPECT_FALSE(check_retries(-1));
}

TEST(Age, IsShownInTheLargestUnitThatFits) {
  EXPECT_EQ(age_text(21'600), "6 h");
  EXPECT_EQ(age_text(5'400), "90 min");
  EXPECT_EQ(age_text(61), "61 s");
}

TEST(Destination, IsAFunctionByNameOrArn) {
  for (const auto& [text, name, qualifier] :
       {std::tuple{"greet", "greet", ""}, std::tuple{"greet:live", "greet", "live"},
        std::tuple{"https", "https", ""}, std::tuple{"https:live", "https", "live"},
        std::tuple{"arn:aws:lambda:us-east-1:000000000000:function:greet", "greet", ""},
        std::tuple{"arn:aws:lambda:us-east-1:000000000000:function:greet:2", "greet", "2"}}) {
    const auto function = function_destination(text);
    ASSERT_TRUE(function) << text;
    EXPECT_EQ(function->name, name);
    EXPECT_EQ(function->qualifier, qualifier);
  }
}

TEST(Destination, IsNoFunctionWhereItIsAnAddress) {
  for (const char* address : {"https://greet/", "http://greet/", "arn:aws:sns:us-east-1:1:topic"})
    EXPECT_FALSE(function_destination(address)) << address;
}

}  // namespace
}  // namespace lambda::cli
