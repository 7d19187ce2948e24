#include "base/deploy_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(DeployRules, NamesAreHostLabels) {
  for (const auto* name : {"a", "greet-2", "0", "a--b"}) EXPECT_TRUE(is_host_label(name)) << name;
  for (const std::string& name :
       {std::string("A"), std::string("a_b"), std::string("-a"), std::string("a-"), std::string(),
        std::string(64, 'a'), std::string("api"), std::string("xn--abc")}) {
    EXPECT_FALSE(is_host_label(name)) << name;
  }
  auto odd = check_deploy_name("My Function_v2");
  ASSERT_FALSE(odd);
  EXPECT_THAT(odd.error().message(), HasSubstr("for example \"my-function-v2\""));
  EXPECT_THAT(check_deploy_name("Über_ça").error().message(), HasSubstr("for example \"uber-ca\""));
  EXPECT_THAT(check_deploy_name("函数").error().message(),
              HasSubstr("for example \"my-function\""));
  EXPECT_THAT(check_deploy_name("admin").error().message(), HasSubstr("reserved"));
}

TEST(DeployRules, MessagesHaveALimitInCharacters) {
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "ü";
  EXPECT_TRUE(check_deploy_message(umlauts));
  const auto longer = check_deploy_message(umlauts + "x");
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code(), ErrorCode::invalid);
  EXPECT_THAT(longer.error().message(), HasSubstr("has 1001 characters; at most 1000"));
}

TEST(DeployRules, ARuntimeThatIsNoneIsToldTheNearest) {
  const std::vector<std::string> known{"nodejs22.x", "python3.11"};
  EXPECT_TRUE(check_runtime_name("python3.11", known));
  const auto near = check_runtime_name("pyhton3.11", known);
  ASSERT_FALSE(near);
  EXPECT_EQ(near.error().code(), ErrorCode::invalid);
  EXPECT_EQ(near.error().message(),
            "there is no runtime \"pyhton3.11\"; did you mean \"python3.11\"? There are "
            "nodejs22.x, python3.11");
  EXPECT_THAT(check_runtime_name("node", known).error().message(),
              HasSubstr("did you mean \"nodejs22.x\"?"));
  EXPECT_THAT(check_runtime_name("cobol68", known).error().message(), Not(HasSubstr("mean")));
}

}  // namespace
}  // namespace lambda
