#include "api/configuration_request.h"

#include <gtest/gtest.h>

namespace lambda::api {
namespace {

function::Configuration some() {
  function::Configuration configuration;
  configuration.runtime = "python3.11";
  configuration.handler = "app.handler";
  configuration.environment = std::map<std::string, std::string>{{"WORD", "a"}};
  return configuration;
}

Result<function::Configuration> applied(const char* body, function::Configuration before = some()) {
  return apply_configuration(std::move(before), boost::json::parse(body).as_object(), "f");
}

TEST(ConfigurationRequest, WhatIsNotNamedStays) {
  const auto after = applied(R"({"Timeout": 9, "Description": null, "Unknown": [1]})");
  ASSERT_TRUE(after);
  auto expected = some();
  expected.timeout_seconds = 9;
  EXPECT_EQ(*after, expected);
}

TEST(ConfigurationRequest, TheEnvironmentIsReplacedAsAWhole) {
  EXPECT_EQ(applied(R"({"Environment": {"Variables": {"B": "1"}}})")->environment,
            (std::map<std::string, std::string>{{"B", "1"}}));
  EXPECT_EQ(applied(R"({"Environment": {}})")->environment, (std::map<std::string, std::string>()));
}

TEST(ConfigurationRequest, EveryOtherSetting) {
  const auto after = applied(
      R"({"Runtime": "nodejs22.x", "Handler": "i.h", "Role": "arn:aws:iam::000000000000:role/x",
          "Description": "d", "MemorySize": 256, "EphemeralStorage": {"Size": 600},
          "Architectures": ["arm64"], "ImageConfig": {"Command": ["a", "b"]}})");
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ(after->runtime, "nodejs22.x");
  EXPECT_EQ(after->handler, "i.h");
  EXPECT_EQ(after->role, "arn:aws:iam::000000000000:role/x");
  EXPECT_EQ(after->description, "d");
  EXPECT_EQ(after->memory_mb, 256);
  EXPECT_EQ(after->ephemeral_storage_mb, 600);
  EXPECT_EQ(after->architecture, "arm64");
  ASSERT_TRUE(after->image_config);
  EXPECT_EQ(after->image_config->command, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(applied(R"({"ImageConfig": {}})", *after)->image_config);
}

TEST(ConfigurationRequest, WhatChangesNothingHereIsKeptInAwsShape) {
  const auto after = applied(
      R"({"VpcConfig": {"SubnetIds": ["s"], "Unknown": 1}, "KMSKeyArn": "arn:k",
          "TracingConfig": {"Mode": "Active"}, "SnapStart": {"ApplyOn": "PublishedVersions"}})");
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ(after->echoed,
            (std::map<std::string, std::string>{
                {"VpcConfig", R"({"SubnetIds":["s"],"SecurityGroupIds":[],"VpcId":""})"},
                {"KMSKeyArn", R"("arn:k")"},
                {"TracingConfig", R"({"Mode":"Active"})"},
                {"SnapStart", R"({"ApplyOn":"PublishedVersions"})"}}));
  EXPECT_FALSE(applied(R"({"KMSKeyArn": ""})", *after)->echoed.contains("KMSKeyArn"));
}

TEST(ConfigurationRequest, EmptyFormsOfWhatIsNotSupportedArePassedOver) {
  EXPECT_TRUE(applied(
      R"({"Layers": [], "DeadLetterConfig": {"TargetArn": ""}, "FileSystemConfigs": [],
          "CodeSigningConfigArn": "", "LoggingConfig": {"LogFormat": "Text",
          "LogGroup": "/aws/lambda/f"}})"));
}

TEST(ConfigurationRequest, DeadLettersHaveATargetUntilItIsTakenAway) {
  const auto with = applied(R"({"DeadLetterConfig": {"TargetArn": "https://a.org/"}})");
  ASSERT_TRUE(with);
  EXPECT_EQ(with->dead_letter_target, "https://a.org/");
  EXPECT_EQ(applied(R"({"Timeout": 5})", *with)->dead_letter_target, "https://a.org/");
  for (const char* keeps : {R"({"DeadLetterConfig": {}})", R"({"DeadLetterConfig": null})",
                            R"({"DeadLetterConfig": {"TargetArn": null}})"})
    EXPECT_EQ(applied(keeps, *with)->dead_letter_target, "https://a.org/") << keeps;
  EXPECT_EQ(applied(R"({"DeadLetterConfig": {"TargetArn": ""}})", *with)->dead_letter_target, "");
}

struct Refusal {
  const char* body;
  const char* aws_type;  // "" where the code says it
  ErrorCode code;
  const char* words;
};
class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, ByName) {
  const auto& refusal = GetParam();
  const auto after = applied(refusal.body);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().aws_type(), refusal.aws_type);
  EXPECT_EQ(after.error().code(), refusal.code);
  EXPECT_NE(after.error().message().find(refusal.words), std::string::npos)
      << after.error().message();
}
constexpr const char* kType = "SerializationException";
INSTANTIATE_TEST_SUITE_P(
    ConfigurationRequest, Refused,
    testing::Values(
        Refusal{R"({"Layers": ["arn:x"]})", "", ErrorCode::invalid, "Layers: "},
        Refusal{R"({"DeadLetterConfig": {"TargetArn": 1}})", kType, ErrorCode::invalid,
                "TargetArn"},
        Refusal{R"({"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}]})", "",
                ErrorCode::invalid, "FileSystemConfigs: "},
        Refusal{R"({"CodeSigningConfigArn": "arn:x"})", "", ErrorCode::invalid,
                "CodeSigningConfigArn: "},
        Refusal{R"({"DurableConfig": {"ExecutionTimeout": 1}})", "", ErrorCode::invalid,
                "DurableConfig: "},
        Refusal{R"({"LoggingConfig": {"LogFormat": "JSON"}})", "", ErrorCode::invalid,
                "LoggingConfig.LogFormat JSON"},
        Refusal{R"({"LoggingConfig": {"ApplicationLogLevel": "DEBUG"}})", "", ErrorCode::invalid,
                "LoggingConfig.ApplicationLogLevel"},
        Refusal{R"({"LoggingConfig": {"LogGroup": "/aws/lambda/other"}})", "", ErrorCode::invalid,
                "LoggingConfig.LogGroup /aws/lambda/other"},
        Refusal{R"({"TracingConfig": {"Mode": "On"}})", "", ErrorCode::validation,
                "Value 'On' at 'tracingConfig.mode'"},
        Refusal{R"({"SnapStart": {"ApplyOn": "Always"}})", "", ErrorCode::validation,
                "at 'snapStart.applyOn'"},
        Refusal{R"({"Architectures": ["mips"]})", "", ErrorCode::validation, "at 'architectures'"},
        Refusal{R"({"Architectures": []})", "", ErrorCode::validation, "at 'architectures'"},
        Refusal{R"({"Timeout": "3"})", kType, ErrorCode::invalid, "Timeout must be a whole number"},
        Refusal{R"({"Timeout": 1.5})", kType, ErrorCode::invalid, "Timeout must be a whole number"},
        Refusal{R"({"Handler": 1})", kType, ErrorCode::invalid, "Handler must be a string"},
        Refusal{R"({"VpcConfig": []})", kType, ErrorCode::invalid, "VpcConfig must be an object"},
        Refusal{R"({"VpcConfig": {"SubnetIds": "s"}})", kType, ErrorCode::invalid,
                "SubnetIds must be a list"},
        Refusal{R"({"KMSKeyArn": 1})", kType, ErrorCode::invalid, "KMSKeyArn must be a string"},
        Refusal{R"({"EphemeralStorage": 600})", kType, ErrorCode::invalid,
                "EphemeralStorage must be an object"},
        Refusal{R"({"ImageConfig": {"Command": "a"}})", kType, ErrorCode::invalid,
                "Command must be a list"},
        Refusal{R"({"Environment": {"Variables": {"A": 1}}})", kType, ErrorCode::invalid,
                "Variables.A must be a string"}));

}  // namespace
}  // namespace lambda::api
