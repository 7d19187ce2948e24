#include "function/configuration_json.h"

#include "function/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lambda::function {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ConfigurationJson : public testing::Test {
 protected:
  EnvironmentSeal seal_of(std::uint64_t number) const {
    return {master_, tenant_, "greet", number};
  }

  Tenant tenant_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  EnvironmentSeal seal_ = seal_of(1);
};

TEST_F(ConfigurationJson, RowsFromBeforeKindAndPortWereToldToBeNamedAreRead) {
  const auto read = [this](const std::string& members) {
    return configuration_from_json("{" + members + "}", seal_).value();
  };
  const std::string zip = R"("packageType":"Zip",)";
  const std::string image = R"("packageType":"Image",)";
  const auto server = read(zip + R"("kind":"http","port":3000)");
  EXPECT_EQ(server.port, 3000);
  EXPECT_TRUE(server.kind_named && server.port_named);
  const auto plain = read(zip + R"("kind":"handler")");
  EXPECT_FALSE(plain.kind_named || plain.port_named);
  const auto exposing = read(image + R"("kind":"http","port":80)");
  EXPECT_FALSE(exposing.kind_named || exposing.port_named);
  EXPECT_TRUE(read(image + R"("kind":"handler","port":80)").kind_named);
  EXPECT_TRUE(read(image + R"("kind":"http")").kind_named);
  Configuration now;
  now.kind = Kind::http;
  now.kind_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now, seal_), seal_).value(), now);
  now.port = 80;
  now.kind_named = false;
  now.port_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now, seal_), seal_).value(), now);
}

TEST_F(ConfigurationJson, TheEnvironmentIsSealedForItsRow) {
  Configuration configuration;
  configuration.environment = {{"PASSWORD", "hunter2"}, {"EMPTY", ""}};
  const auto text = to_json(configuration, seal_);
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, Not(HasSubstr("PASSWORD")));
  EXPECT_NE(text, to_json(configuration, seal_));  // nobody sees that two are the same
  EXPECT_EQ(configuration_from_json(text, seal_).value(), configuration);
  const auto other_row = configuration_from_json(text, seal_of(2));
  ASSERT_FALSE(other_row);
  EXPECT_THAT(other_row.error().message(), HasSubstr("open the environment variables"));
  const auto other_key = store::MasterKey::ephemeral();
  EXPECT_FALSE(configuration_from_json(text, EnvironmentSeal(other_key, tenant_, "greet", 1)));
}

TEST_F(ConfigurationJson, ReferencesToSecretsReadBack) {
  Configuration configuration;
  configuration.secrets = {
      {"PLAIN", std::nullopt}, {"CERT", SecretForm::file}, {"TOKEN", SecretForm::environment}};
  EXPECT_EQ(configuration_from_json(to_json(configuration, seal_), seal_).value(), configuration);
}

TEST_F(ConfigurationJson, AnEnvironmentWithoutVariablesIsNotNone) {
  Configuration configuration;
  EXPECT_EQ(configuration_from_json(to_json(configuration, seal_), seal_)->environment,
            std::nullopt);
  configuration.environment.emplace();
  EXPECT_EQ(configuration_from_json(to_json(configuration, seal_), seal_).value(), configuration);
}

}  // namespace
}  // namespace lambda::function
