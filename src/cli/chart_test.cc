#include "cli/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace lambda::cli {
namespace {

using ::testing::ElementsAre;

Glyphs with(const std::map<std::string, std::string>& environment) {
  return glyphs_of([&environment](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(Chart, DrawsAColumnAValue) {
  EXPECT_THAT(chart({0, 1, 2, 4, 8}, 5, 1, Glyphs::blocks), ElementsAre(" ▁▂▄█"));
  EXPECT_THAT(chart({0, 1, 2, 3, 4}, 5, 1, Glyphs::ascii), ElementsAre(" .:|#"));
}

TEST(Chart, ShowsWhatIsLittleAndNothingOfZero) {
  EXPECT_THAT(chart({1, 1000, 0}, 3, 1, Glyphs::blocks), ElementsAre("▁█ "));
  EXPECT_THAT(chart({0, 0, 0}, 3, 1, Glyphs::ascii), ElementsAre("   "));
}

TEST(Chart, StandsOnItsLowestRow) {
  EXPECT_THAT(chart({1, 2}, 2, 2, Glyphs::blocks), ElementsAre(" █", "██"));
  EXPECT_THAT(chart({1, 4}, 2, 2, Glyphs::ascii), ElementsAre(" #", ":#"));
}

TEST(Chart, HasTheLargestOfWhatSharesAColumn) {
  EXPECT_THAT(chart({0, 8, 0, 0, 1, 0}, 3, 1, Glyphs::blocks), ElementsAre("█ ▁"));
}

TEST(Chart, LeavesColumnsOnTheLeftFree) {
  EXPECT_THAT(chart({8, 8}, 4, 1, Glyphs::blocks), ElementsAre("  ██"));
  EXPECT_THAT(chart({}, 2, 1, Glyphs::blocks), ElementsAre("  "));
  EXPECT_THAT(chart({1}, 0, 1, Glyphs::blocks), ElementsAre(""));
}

TEST(Chart, UsesBlocksInALocaleThatHasThem) {
  EXPECT_EQ(with({}), Glyphs::ascii);
  EXPECT_EQ(with({{"LANG", "C"}}), Glyphs::ascii);
  EXPECT_EQ(with({{"LANG", "de_DE.UTF-8"}}), Glyphs::blocks);
  EXPECT_EQ(with({{"LANG", "C.utf8"}}), Glyphs::blocks);
  EXPECT_EQ(with({{"LC_ALL", "C"}, {"LANG", "de_DE.UTF-8"}}), Glyphs::ascii);
  EXPECT_EQ(with({{"LC_ALL", ""}, {"LC_CTYPE", "en_US.utf-8"}, {"LANG", "C"}}), Glyphs::blocks);
}

}  // namespace
}  // namespace lambda::cli
