#include "function/variable_change.h"

#include <gtest/gtest.h>

namespace lambda::function {
namespace {

using Variables = std::map<std::string, std::string>;

TEST(VariableChange, NamesWhatIsNewOtherOrGoneAndNoValue) {
  const std::optional<Variables> before = Variables{{"A", "1"}, {"B", "2"}, {"C", "3"}};
  const std::optional<Variables> after = Variables{{"A", "1"}, {"B", "hunter2"}, {"D", "4"}};
  EXPECT_EQ(variable_change(before, after).text(), "set B, D, unset C");
  EXPECT_EQ(variable_change(std::nullopt, after).text(), "set A, B, D");
  EXPECT_EQ(variable_change(before, std::nullopt).text(), "unset A, B, C");
  EXPECT_EQ(variable_change(before, before).text(), "");
  EXPECT_EQ(variable_change(std::nullopt, Variables()).text(), "");
}

}  // namespace
}  // namespace lambda::function
