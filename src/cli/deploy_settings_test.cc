#include "cli/deploy_settings.h"

#include "cli/connection/json_fields.h"
#include "cli/project/test_folder.h"

namespace lambda::cli {
namespace {

class DeploySettings : public TestFolder {};

TEST_F(DeploySettings, TakeFlagsOverTheFile) {
  Manifest manifest;
  manifest.memory = 256;
  manifest.timeout = 9;
  manifest.environment = {{"V_A", "file"}, {"V_B", "file"}};
  DeployOptions options;
  options.memory = 512;
  options.environment = {"V_B=flag=1", "V_C="};
  const auto settings = deploy_settings(options, manifest);
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(number_in(*settings, "memory"), 512);
  EXPECT_EQ(number_in(*settings, "timeout"), 9);
  const auto& environment = settings->at("environment").as_object();
  EXPECT_EQ(text_in(environment, "V_A"), "file");
  EXPECT_EQ(text_in(environment, "V_B"), "flag=1");
  EXPECT_TRUE(environment.contains("V_C"));
}

TEST_F(DeploySettings, SecretsOfTheFileAreTheWholeAndOptionsAddToThem) {
  DeployOptions options;
  options.secrets = {"TOKEN", "CERT:file"};
  const auto added = deploy_settings(options, {});
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(text_in(added->at("secrets").as_object(), "CERT"), "file");
  EXPECT_EQ(text_in(added->at("secrets").as_object(), "TOKEN"), "");
  EXPECT_FALSE(added->contains("secretsClear"));
  Manifest manifest;
  manifest.secrets = {"CERT:env", "OWN"};
  const auto both = deploy_settings(options, manifest);
  EXPECT_EQ(both->at("secrets").as_object().size(), 3u);
  EXPECT_EQ(text_in(both->at("secrets").as_object(), "CERT"), "file");
  EXPECT_TRUE(flag_in(*both, "secretsClear"));
  manifest.secrets.emplace();
  const auto none = deploy_settings({}, manifest);
  EXPECT_FALSE(none->contains("secrets"));
  EXPECT_TRUE(flag_in(*none, "secretsClear"));
  manifest.secrets = {"OWN=hunter2"};
  const auto message = deploy_settings({}, manifest).error().message();
  EXPECT_NE(message.find("lambda.toml: secrets"), std::string::npos);
  EXPECT_EQ(message.find("hunter2"), std::string::npos);
}

TEST_F(DeploySettings, SayHowMuchOfTheLogIsKept) {
  Manifest manifest;
  manifest.log_size = "8MB";
  manifest.log_age = "7d";
  DeployOptions options;
  options.log_age = "none";
  const auto settings = deploy_settings(options, manifest);
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(boost::json::serialize(settings->at("logs")), R"({"size":8,"age":0})");
  manifest.log_size = "8TB";
  EXPECT_NE(
      deploy_settings({}, manifest).error().message().find("lambda.toml: [logs] size: \"8TB\""),
      std::string::npos);
  options.log_size = "0";
  EXPECT_NE(deploy_settings(options, manifest).error().message().find("--log-size: a function's"),
            std::string::npos);
}

TEST_F(DeploySettings, NameOnlyWhatWasNamed) {
  EXPECT_TRUE(deploy_settings({}, {})->empty());
}

TEST_F(DeploySettings, ReadAnEnvironmentFileAndHideItsSecrets) {
  write("vars", "# c\nV_A=1\r\n\nV_B=x=y\n");
  DeployOptions options;
  options.environment_file = (root_ / "vars").string();
  const auto settings = deploy_settings(options, {});
  EXPECT_EQ(text_in(settings->at("environment").as_object(), "V_A"), "1");
  EXPECT_EQ(text_in(settings->at("environment").as_object(), "V_B"), "x=y");
  write("vars", "V_A=1\nsecret\n");
  const auto message = deploy_settings(options, {}).error().message();
  EXPECT_NE(message.find("line 2"), std::string::npos);
  EXPECT_EQ(message.find("secret"), std::string::npos);
}

TEST_F(DeploySettings, AreCheckedAsTheServerWould) {
  Manifest manifest;
  manifest.environment = {{"1A", "secret"}};
  const auto wrong = deploy_settings({}, manifest);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("\"1A\""), std::string::npos);
  EXPECT_EQ(wrong.error().message().find("secret"), std::string::npos);
  DeployOptions options;
  options.description = std::string(257, 'x');
  EXPECT_FALSE(deploy_settings(options, {}));
}

TEST_F(DeploySettings, WantKeysAndValues) {
  DeployOptions options;
  options.environment = {"NOVALUE"};
  EXPECT_FALSE(deploy_settings(options, {}));
  options.environment = {};
  options.tags = {"=x"};
  EXPECT_FALSE(deploy_settings(options, {}));
}

}  // namespace
}  // namespace lambda::cli
