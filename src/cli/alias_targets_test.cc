#include "cli/alias_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(AliasTargets, AreOneVersion) {
  EXPECT_EQ(parse_alias_targets({"7"}, "")->version, "7");
  EXPECT_EQ(parse_alias_targets({"7=100"}, "")->version, "7");
  EXPECT_EQ(parse_alias_targets({"$LATEST"}, "")->version, "$LATEST");
  EXPECT_FALSE(parse_alias_targets({"7"}, "6")->second);
}

TEST(AliasTargets, AreTwoThatShareTheCalls) {
  const auto targets = parse_alias_targets({"7=90", "8=10"}, "");
  ASSERT_TRUE(targets);
  EXPECT_EQ(targets->version, "7");
  EXPECT_EQ(targets->second, "8");
  EXPECT_DOUBLE_EQ(targets->weight, 0.1);
  EXPECT_DOUBLE_EQ(parse_alias_targets({"7=99.5%", "8=.5"}, "")->weight, 0.005);
}

TEST(AliasTargets, AreOneWhereTheOtherGetsNothing) {
  for (const char* first : {"", "7", "8"}) {
    const auto targets = parse_alias_targets({"7=0", "8=100"}, first);
    ASSERT_TRUE(targets);
    EXPECT_EQ(targets->version, "8");
    EXPECT_FALSE(targets->second);
  }
}

TEST(AliasName, IsOneOfAws) {
  for (const char* good : {"live", "prod-2", "a_b", "7a"})
    EXPECT_TRUE(check_alias_name(good)) << good;
  for (const char* wrong : {"", "7", "a b", "a.b", "\xC3\xA9"})
    EXPECT_FALSE(check_alias_name(wrong)) << wrong;
  EXPECT_FALSE(check_alias_name(std::string(129, 'a')));
  EXPECT_THAT(check_alias_name("7=90").error().message(),
              testing::HasSubstr("lambda alias set NAME live 7=90"));
}

TEST(AliasTargets, KeepTheFirstOneFirst) {
  const auto targets = parse_alias_targets({"8=10", "7=90"}, "7");
  ASSERT_TRUE(targets);
  EXPECT_EQ(targets->version, "7");
  EXPECT_EQ(targets->second, "8");
  EXPECT_DOUBLE_EQ(targets->weight, 0.1);
}

TEST(AliasTargets, SayWhatIsWrong) {
  const auto why = [](std::vector<std::string> words) {
    const auto targets = parse_alias_targets(words, "");
    return targets ? "nothing" : targets.error().message();
  };
  using testing::HasSubstr;
  EXPECT_THAT(why({"7=90", "8=20"}), HasSubstr("add up to 110, not to 100"));
  EXPECT_THAT(why({"7=90"}), HasSubstr("leaves 10 % of the calls to no version"));
  EXPECT_THAT(why({"7", "8=10"}), HasSubstr("version 7 has no weight"));
  EXPECT_THAT(why({"7=50", "7=50"}), HasSubstr("stands twice"));
  EXPECT_THAT(why({"7=40", "8=30", "9=30"}), HasSubstr("3 versions"));
  EXPECT_THAT(why({"$LATEST=50", "8=50"}), HasSubstr("lambda promote"));
  for (const char* weight : {"7=x", "7=", "7=-1", "7=101", "7=nan", "7=1e1", "7=90%%"})
    EXPECT_THAT(why({weight, "8=10"}), HasSubstr("from 0 to 100")) << weight;
  for (const char* version : {"live", "", "0", "-1", "7.5", "=5"})
    EXPECT_THAT(why({version}), HasSubstr("is no version")) << version;
}

TEST(AliasTargets, AreShownAsTheyAreTyped) {
  const auto shared = boost::json::parse(
      R"({"name":"live","version":"7","additional":{"version":"8","weight":0.1}})");
  EXPECT_EQ(alias_text(shared.as_object()), "7 90 %, 8 10 %");
  EXPECT_EQ(alias_text(boost::json::parse(R"({"version":"$LATEST"})").as_object()), "$LATEST");
}

}  // namespace
}  // namespace lambda::cli
