// Who sees what of a function's environment, in every answer of AWS's that shows its settings.
#include "api/function_json.h"

#include "api/api_fixture.h"

#include <gmock/gmock.h>

namespace lambda::api {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

class EnvironmentSight : public ApiTest {
 public:
  EnvironmentSight() {
    add_function("greet");
    add_function("plain");
    const auto with_password =
        [](function::Configuration settings) -> Result<function::Configuration> {
      settings.environment = std::map<std::string, std::string>{{"PASSWORD", "hunter2"}};
      return settings;
    };
    EXPECT_TRUE(catalog_->update_configuration("greet", with_password, ""));
    EXPECT_TRUE(catalog_->publish_version("greet", "", std::nullopt, ""));
  }

  std::string seen(const store::KeyPtr& key, const std::string& path) {
    const auto asked = ask(asking(key, "GET", path), "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 200u) << path;
    return asked->writer.sent->body;
  }

  const std::vector<std::string> paths_ = {"/2015-03-31/functions",
                                           "/2015-03-31/functions?FunctionVersion=ALL",
                                           "/2015-03-31/functions/greet",
                                           "/2015-03-31/functions/greet?Qualifier=1",
                                           "/2015-03-31/functions/greet/configuration",
                                           "/2015-03-31/functions/greet/versions"};
};

TEST_F(EnvironmentSight, WhoMayDeployTheFunctionSeesItsVariables) {
  int number = 0;
  for (const char* scopes : {"deploy", "admin", "read,deploy"}) {
    const auto key = make_key(fmt::format("key{}", ++number), scopes, {"gre*"});
    for (const auto& path : paths_)
      EXPECT_THAT(seen(key, path),
                  HasSubstr(R"("Environment":{"Variables":{"PASSWORD":"hunter2"}})"))
          << path;
  }
}

TEST_F(EnvironmentSight, OthersSeeThatTheyMayNot) {
  int number = 0;
  for (const char* scopes : {"read", "read,invoke"}) {
    const auto key = make_key(fmt::format("key{}", ++number), scopes);
    for (const auto& path : paths_) {
      const auto body = seen(key, path);
      EXPECT_THAT(
          body,
          HasSubstr(
              R"("Environment":{"Error":{"ErrorCode":"AccessDeniedException","Message":"User: )"))
          << path;
      EXPECT_THAT(body, Not(HasSubstr("hunter2"))) << path;
      EXPECT_THAT(body, Not(HasSubstr("PASSWORD"))) << path;
      EXPECT_THAT(body, Not(HasSubstr("Variables"))) << path;
    }
  }
}

TEST_F(EnvironmentSight, WhatHasNoEnvironmentShowsNone) {
  EXPECT_THAT(seen(make_key("reader", "read"), "/2015-03-31/functions/plain"),
              Not(HasSubstr("Environment")));
}

TEST_F(EnvironmentSight, OwnAnswersNameVariablesAndKeepValuesForWhoMayDeploy) {
  const auto reader = make_key("reader", "read");
  const std::string path = "/_lambda/functions/greet/environment";
  EXPECT_THAT(seen(reader, path), HasSubstr("PASSWORD"));
  for (const char* other : {"", "/versions", "/environment"})
    EXPECT_THAT(seen(reader, std::string("/_lambda/functions/greet") + other),
                Not(HasSubstr("hunter2")));
  const auto asked = ask(asking(reader, "GET", path + "?values=true"), "");
  finish(*asked);
  EXPECT_EQ(asked->writer.sent->status, 403u);
  EXPECT_THAT(asked->writer.sent->body, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace lambda::api
