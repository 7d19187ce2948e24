#include "function/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::function {
namespace {

using ::testing::HasSubstr;

Configuration good() {
  Configuration configuration;
  configuration.runtime = "python3.11";
  configuration.handler = "app.handler";
  configuration.role = "arn:aws:iam::000000000000:role/service/lambda-role";
  return configuration;
}

std::string complaint(const Configuration& configuration) {
  auto result = check_configuration(configuration);
  return result ? "" : result.error().message();
}

TEST(Validation, FunctionNames) {
  for (const auto* name : {"a", "greet", "Greet_2-x", "0", "-"}) {
    EXPECT_TRUE(check_function_name(name)) << name;
  }
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a.b"),
                                  std::string("é"), std::string(65, 'a')}) {
    auto result = check_function_name(name);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code(), ErrorCode::validation);
    EXPECT_THAT(result.error().message(), HasSubstr("at 'functionName'"));
  }
}

TEST(Validation, AliasNames) {
  EXPECT_TRUE(check_alias_name("live"));
  EXPECT_TRUE(check_alias_name("1a"));
  EXPECT_FALSE(check_alias_name("12"));
  EXPECT_FALSE(check_alias_name("$LATEST"));
  EXPECT_FALSE(check_alias_name(std::string(129, 'a')));
}

TEST(Validation, Roles) {
  EXPECT_TRUE(is_role_arn("arn:aws:iam::123456789012:role/x"));
  EXPECT_TRUE(is_role_arn("arn:aws-cn:iam::123456789012:role/a/b+c=d,e.f@g"));
  for (const auto* role :
       {"", "x", "arn:aws:iam::12345:role/x", "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/", "arn:aws:iam::123456789012:role/a b", "arn:aws"}) {
    EXPECT_FALSE(is_role_arn(role)) << role;
  }
}

TEST(Validation, SettingsAreCheckedAllAtOnce) {
  EXPECT_EQ(complaint(good()), "");
  auto configuration = good();
  configuration.timeout_seconds = 0;
  configuration.memory_mb = 10241;
  configuration.ephemeral_storage_mb = 100;
  configuration.handler = "a b";
  configuration.description = std::string(257, 'd');
  configuration.role = "admin";
  const auto message = complaint(configuration);
  EXPECT_THAT(message, HasSubstr("6 validation errors detected: "));
  EXPECT_THAT(message, HasSubstr("Value '0' at 'timeout' failed to satisfy constraint: Member must "
                                 "have value greater than or equal to 1"));
  EXPECT_THAT(message, HasSubstr("Value '10241' at 'memorySize' failed to satisfy constraint: "
                                 "Member must have value less than or equal to 10240"));
  EXPECT_THAT(message, HasSubstr("at 'ephemeralStorage.size'"));
  EXPECT_THAT(message, HasSubstr("at 'handler' failed to satisfy constraint: Member must satisfy "
                                 "regular expression pattern: [^\\s]+"));
  EXPECT_THAT(message, HasSubstr("at 'role'"));
}

TEST(Validation, RuntimesAndPackages) {
  auto configuration = good();
  configuration.runtime = "cobol";
  EXPECT_THAT(
      complaint(configuration),
      HasSubstr("Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy "
                "enum value set: [nodejs20.x, "));
  configuration = good();
  configuration.handler.clear();
  EXPECT_THAT(complaint(configuration), HasSubstr("Runtime and Handler are mandatory"));
  configuration.runtime = "provided.al2023";
  EXPECT_EQ(complaint(configuration), "");
  configuration.package_type = PackageType::image;
  EXPECT_THAT(complaint(configuration), HasSubstr("PackageType is Image"));
  configuration = good();
  configuration.architecture = "sparc";
  EXPECT_THAT(complaint(configuration), HasSubstr("sparc"));
}

TEST(Validation, EnvironmentNamesAndSize) {
  auto with = [](const std::string& name, const std::string& value) {
    auto configuration = good();
    configuration.environment.emplace()[name] = value;
    return complaint(configuration);
  };
  EXPECT_EQ(with("KEY_1", "x"), "");
  EXPECT_EQ(with("PATH", "/bin"), "");
  EXPECT_EQ(with("AWS_LAMBDA_EXEC_WRAPPER", "/opt/w"), "");
  EXPECT_THAT(with("AWS_REGION", "x"), HasSubstr("Reserved keys used in this request: AWS_REGION"));
  EXPECT_THAT(with("_HANDLER", "x"), HasSubstr("Map keys must satisfy constraint"));
  EXPECT_THAT(with("1A", "x"), HasSubstr("Map keys must satisfy constraint"));
  EXPECT_THAT(with("A-B", "secret"), ::testing::Not(HasSubstr("secret")));
  // {"KEY":"..."} takes ten bytes beside the value.
  EXPECT_EQ(with("KEY", std::string(4096 - 10, 'x')), "");
  EXPECT_THAT(with("KEY", std::string(4096 - 9, 'x')), HasSubstr("exceeded the 4KB limit"));
}

TEST(Validation, Tags) {
  auto check = [](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> tags;
    tags[key] = value;
    return check_tags(tags).has_value();
  };
  EXPECT_TRUE(check("a", ""));
  EXPECT_FALSE(check("", "x"));
  EXPECT_FALSE(check("aws:x", "x"));
  EXPECT_FALSE(check("a", std::string(257, 'x')));
}

TEST(Validation, OneSpellingOfAVersion) {
  EXPECT_EQ(parse_version("$LATEST"), 0u);
  EXPECT_EQ(parse_version("120"), 120u);
  for (const char* wrong : {"", "0", "07", "7a", "-7", "18446744073709551616"})
    EXPECT_FALSE(parse_version(wrong)) << wrong;
}

TEST(Validation, VersionWeights) {
  EXPECT_FALSE(parse_version_weights({}).value());
  EXPECT_EQ(parse_version_weights(std::map<std::string, double>{{"2", 0.5}}).value()->first, 2u);
  EXPECT_EQ(parse_version_weights({{"2", 0.5}, {"3", 0.1}}).error().message(),
            "Number of items in AdditionalVersionWeights cannot be greater than 1");
  EXPECT_EQ(parse_version_weights(std::map<std::string, double>{{"$LATEST", 0.5}}).error().code(),
            ErrorCode::invalid);
  EXPECT_EQ(parse_version_weights(std::map<std::string, double>{{"x", 0.5}}).error().code(),
            ErrorCode::validation);
  EXPECT_EQ(parse_version_weights(std::map<std::string, double>{{"2", 1.5}}).error().code(),
            ErrorCode::validation);
  EXPECT_EQ(parse_version_weights(std::map<std::string, double>{{"2", -0.1}}).error().code(),
            ErrorCode::validation);
}

TEST(Validation, MissingFields) {
  ValidationErrors errors;
  EXPECT_TRUE(errors.result());
  errors.add_missing("role");
  EXPECT_EQ(
      errors.result().error().message(),
      "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member "
      "must not be null");
}

}  // namespace
}  // namespace lambda::function
