#include "base/environment_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string complaint(const Variables& variables) {
  const auto good = check_variables(variables);
  return good ? "" : good.error().message();
}

TEST(EnvironmentRules, NamesAreAwss) {
  EXPECT_EQ(complaint({{"AB", ""}, {"a_1", "x"}, {"AWS_LAMBDA_EXEC_WRAPPER", "/opt/x"}}), "");
  for (const auto* name : {"", "A", "1A", "_A", "A-B", "A B", "\xC3\xA4\xC3\xA4"})
    EXPECT_THAT(complaint({{name, "secret"}}), HasSubstr("begins with a letter")) << name;
  EXPECT_THAT(complaint({{"AWS_REGION", "x"}}), HasSubstr("AWS_REGION is set by the server"));
}

TEST(EnvironmentRules, AreMeasuredAsJsonAndShowNoValue) {
  const std::string rest(kMaxEnvironmentBytes - environment_text({{"AB", ""}}).size(), 's');
  EXPECT_EQ(complaint({{"AB", rest}}), "");
  const auto larger = complaint({{"AB", rest + "s"}});
  EXPECT_THAT(larger, HasSubstr("have 4097 bytes in all, and at most 4096"));
  EXPECT_THAT(larger, Not(HasSubstr("ss")));
  EXPECT_THAT(complaint({{"1A", "secret"}}), Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace lambda
