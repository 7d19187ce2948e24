#include "cli/log_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

using ::testing::HasSubstr;

TEST(LogSettings, SizesAreMegabytesInTheSpellingsOfPeople) {
  EXPECT_EQ(*parse_log_size("64MB"), 64);
  EXPECT_EQ(*parse_log_size("64"), 64);
  EXPECT_EQ(*parse_log_size("2GB"), 2048);
  EXPECT_EQ(*parse_log_size("default"), std::nullopt);
  for (const char* text :
       {"", "MB", "64 MB", "64KB", "64mb", "-1", "1.5GB", "99999999999999999999"})
    EXPECT_THAT(parse_log_size(text).error().message(), HasSubstr("64MB or 2GB")) << text;
  for (const char* text : {"0", "0MB", "11GB", "10241"})
    EXPECT_THAT(parse_log_size(text).error().message(), HasSubstr("1 to 10240 MB, not")) << text;
}

TEST(LogSettings, AgesAreLengthsOrSeconds) {
  EXPECT_EQ(*parse_log_age("30d"), 2'592'000);
  EXPECT_EQ(*parse_log_age("1h30m"), 5400);
  EXPECT_EQ(*parse_log_age("3600"), 3600);
  EXPECT_EQ(*parse_log_age("none"), 0);
  EXPECT_EQ(*parse_log_age("0"), 0);
  EXPECT_EQ(*parse_log_age("default"), std::nullopt);
  for (const char* text : {"", "d", "a week", "-5", "1y"})
    EXPECT_THAT(parse_log_age(text).error().message(), HasSubstr("30d, 12h or 3600")) << text;
  for (const char* text : {"59", "59s", "4000d"})
    EXPECT_THAT(parse_log_age(text).error().message(), HasSubstr("60 seconds to 315360000"))
        << text;
}

TEST(LogSettings, AreWhatADeployTakes) {
  EXPECT_EQ(boost::json::serialize(*log_settings("8MB", "default")), R"({"size":8,"age":null})");
  EXPECT_TRUE(log_settings(std::nullopt, std::nullopt)->empty());
  EXPECT_FALSE(log_settings("much", std::nullopt));
  EXPECT_FALSE(log_settings(std::nullopt, "long"));
}

TEST(LogSettings, AreShownWhereTheyAreTheFunctionsOwn) {
  const auto shown = [](const char* text) {
    return own_log_text(boost::json::parse(text).get_object());
  };
  EXPECT_EQ(shown(R"({"size":64,"age":2592000,"own":[]})"), "");
  EXPECT_EQ(shown(R"({"size":8,"age":604800,"own":["size"]})"),
            "Its log is kept to 8 MB and 7 days.");
  EXPECT_EQ(shown(R"({"size":8,"age":0,"own":["age"]})"), "Its log is kept to 8 MB and any age.");
  EXPECT_EQ(shown(R"({"size":8,"age":86400,"own":["age"]})"), "Its log is kept to 8 MB and 1 day.");
  EXPECT_EQ(shown(R"({"size":8,"age":61,"own":["age"]})"),
            "Its log is kept to 8 MB and 61 seconds.");
}

}  // namespace
}  // namespace lambda::cli
