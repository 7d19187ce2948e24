#include "deploy/settings.h"

#include <gtest/gtest.h>

namespace lambda::deploy {
namespace {

using function::DriverName;

DeployRequest zip_request() {
  DeployRequest request;
  request.name = "greet";
  request.source = Source::zip;
  request.runtime = "python3.11";
  request.handler = "app.handler";
  return request;
}

TEST(Settings, GiveANewFunctionTheDefaultsOfDeploy) {
  const auto merged = merge_settings(zip_request(), nullptr, DriverName::native);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->timeout_seconds, 30);
  EXPECT_EQ(merged->memory_mb, 128);
  EXPECT_EQ(merged->driver, DriverName::native);
  EXPECT_FALSE(merged->environment.has_value());
}

TEST(Settings, ARuntimeThatIsNoneIsToldInOurWords) {
  auto request = zip_request();
  request.runtime = "pyhton3.11";
  const auto merged = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::invalid);
  EXPECT_TRUE(merged.error().message().starts_with(
      "there is no runtime \"pyhton3.11\"; did you mean \"python3.11\"?"))
      << merged.error().message();
}

TEST(Settings, SecretsAreAddedToThoseThatWereAskedForOrReplaceThem) {
  using function::SecretForm;
  using function::SecretReferences;
  auto request = zip_request();
  request.secrets = {{"TOKEN", std::nullopt}, {"CERT", SecretForm::file}};
  const auto first = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->secrets, request.secrets);
  request.secrets = {{"CERT", std::nullopt}};
  const auto second = merge_settings(request, &*first, DriverName::native);
  const SecretReferences both{{"TOKEN", std::nullopt}, {"CERT", std::nullopt}};
  EXPECT_EQ(second->secrets, both);
  request.secrets_clear = true;
  const auto third = merge_settings(request, &*second, DriverName::native);
  EXPECT_EQ(third->secrets, request.secrets);
  EXPECT_EQ(differing_settings(*second, *third), std::vector<std::string>{"secrets"});
}

TEST(Settings, AFunctionIsGivenNoNewSecretByWhoAnswersForSomeFunctionsAlone) {
  function::Configuration merged;
  EXPECT_TRUE(check_new_secrets("greet", merged, nullptr));
  merged.secrets = {{"TOKEN", std::nullopt}};
  const auto refused = check_new_secrets("greet", merged, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::denied);
  EXPECT_NE(refused.error().message().find("lambda secret put TOKEN --function greet"),
            std::string::npos);

  function::Function before;
  before.latest = std::make_shared<function::Version>();
  EXPECT_FALSE(check_new_secrets("greet", merged, &before));
  auto older = std::make_shared<function::Version>();
  older->configuration.secrets = {{"TOKEN", function::SecretForm::file}};
  before.versions[1] = older;
  EXPECT_TRUE(check_new_secrets("greet", merged, &before));
  merged.secrets.emplace("OTHER", std::nullopt);
  EXPECT_FALSE(check_new_secrets("greet", merged, &before));
}

DeployRequest image_request() {
  DeployRequest request;
  request.name = "web";
  request.source = Source::context;
  request.exposed_port = 9000;
  return request;
}

TEST(Settings, ThatDifferAreNamed) {
  function::Configuration one;
  EXPECT_TRUE(differing_settings(one, one).empty());
  auto other = one;
  other.timeout_seconds = 9;
  other.environment.emplace();
  one.echoed = {{"TracingConfig", "{}"}, {"VpcConfig", "{}"}};
  other.echoed = {{"TracingConfig", "{}"}, {"KMSKeyArn", "x"}};
  const std::vector<std::string> names{"timeout", "environment", "KMSKeyArn", "VpcConfig"};
  EXPECT_EQ(differing_settings(one, other), names);
  EXPECT_EQ(differing_settings(other, one), names);
}

TEST(Settings, ExposeMakesAnHttpFunction) {
  const auto merged = merge_settings(image_request(), nullptr, DriverName::native);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->kind, function::Kind::http);
  EXPECT_EQ(merged->port, 9000);
}

TEST(Settings, AnImageTakesNoRuntimeAndNoHandler) {
  auto request = image_request();
  request.handler = "app.handler";
  auto merged = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::invalid);
  EXPECT_NE(merged.error().message().find("Leave out --handler"), std::string::npos);
  request.source = Source::image;
  request.handler.reset();
  request.runtime = "python3.11";
  merged = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(merged);
  EXPECT_TRUE(merged.error().message().ends_with("Leave out --runtime (runtime in lambda.toml)"))
      << merged.error().message();
}

TEST(Settings, IsolationStaysUntilItIsNamedAgain) {
  auto request = image_request();
  const auto usual = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(usual) << usual.error().message();
  EXPECT_EQ(usual->isolation, function::Isolation::fork);
  request.isolation = function::Isolation::exec;
  const auto first = merge_settings(request, &*usual, DriverName::native);
  ASSERT_TRUE(first) << first.error().message();
  const auto again = merge_settings(image_request(), &*first, DriverName::native);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->isolation, function::Isolation::exec);
  request.isolation = function::Isolation::fork;
  const auto back = merge_settings(request, &*again, DriverName::native);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(differing_settings(*again, *back), (std::vector<std::string>{"isolation"}));
}

TEST(Settings, WhatAFunctionReachesStaysUntilItIsNamedAgain) {
  auto request = zip_request();
  request.egress = "10.1.0.0/16";
  const auto first = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->egress, "10.1.0.0/16");
  request.egress.reset();
  const auto second = merge_settings(request, &*first, DriverName::native);
  EXPECT_EQ(second->egress, "10.1.0.0/16");
  request.egress = "";
  const auto third = merge_settings(request, &*second, DriverName::native);
  EXPECT_FALSE(third->egress.has_value());
  EXPECT_EQ(differing_settings(*first, *third), (std::vector<std::string>{"egress"}));
}

TEST(Settings, AContainerHasNoWayOut) {
  auto request = zip_request();
  request.driver = DriverName::docker;
  EXPECT_TRUE(merge_settings(request, nullptr, DriverName::native));
  request.egress = "none";
  EXPECT_TRUE(merge_settings(request, nullptr, DriverName::native));
  request.egress = "internet";
  const auto refused = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("no way out"), std::string::npos);
}

TEST(Settings, IdleTimeAndKeptInstancesStayUntilTheyAreNamedAgain) {
  auto request = image_request();
  request.idle_seconds = 600;
  request.min_instances = 2;
  const auto first = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->idle_seconds, 600);
  EXPECT_EQ(first->min_instances, 2u);
  const auto again = merge_settings(image_request(), &*first, DriverName::native);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *first);
  request.idle_seconds = 0;
  request.min_instances = 0;
  const auto none = merge_settings(request, &*first, DriverName::native);
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_FALSE(none->idle_seconds.has_value());
  EXPECT_EQ(none->min_instances, 0u);
  const auto names = differing_settings(*first, *none);
  EXPECT_EQ(names, (std::vector<std::string>{"idle_time", "min_instances"}));
}

TEST(Settings, CpusStayUntilTheyAreNamedAgain) {
  auto request = image_request();
  request.cpu_thousandths = 500;
  const auto first = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->cpu_thousandths, 500u);
  const auto again = merge_settings(image_request(), &*first, DriverName::native);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *first);
  request.cpu_thousandths = 0;
  const auto none = merge_settings(request, &*first, DriverName::native);
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_EQ(none->cpu_thousandths, 0u);
  EXPECT_EQ(differing_settings(*first, *none), std::vector<std::string>{"cpus"});
}

TEST(Settings, ConcurrencyStaysWithAnHttpFunctionAndGoesWithItsKind) {
  auto request = image_request();
  request.concurrency = 4;
  const auto first = merge_settings(request, nullptr, DriverName::native);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->concurrency, 4u);
  const auto again = merge_settings(image_request(), &*first, DriverName::native);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->concurrency, 4u);
  request = image_request();
  request.kind = function::Kind::handler;
  const auto handler = merge_settings(request, &*first, DriverName::native);
  ASSERT_TRUE(handler) << handler.error().message();
  EXPECT_FALSE(handler->concurrency.has_value());
  request.concurrency = 2;
  const auto refused = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid);
  EXPECT_NE(refused.error().message().find("one call at a time"), std::string::npos);
}

TEST(Settings, AHandlerInSpiteOfItsPortStaysOne) {
  auto first = image_request();
  first.kind = function::Kind::handler;
  const auto before = merge_settings(first, nullptr, DriverName::native);
  ASSERT_TRUE(before) << before.error().message();
  const auto merged = merge_settings(image_request(), &*before, DriverName::native);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->kind, function::Kind::handler);
}

TEST(Settings, AHandlerThatBeginsToExposeAPortBecomesAnHttpFunction) {
  auto first = image_request();
  first.exposed_port.reset();
  const auto before = merge_settings(first, nullptr, DriverName::native);
  ASSERT_TRUE(before) << before.error().message();
  const auto merged = merge_settings(image_request(), &*before, DriverName::native);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->kind, function::Kind::http);
}

TEST(Settings, AFolderThatExposesNoPortAnyMoreIsAHandlerWithoutOne) {
  const auto before = merge_settings(image_request(), nullptr, DriverName::native);
  ASSERT_TRUE(before) << before.error().message();
  auto second = image_request();
  second.exposed_port.reset();
  auto merged = merge_settings(second, &*before, DriverName::native);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->kind, function::Kind::handler);
  EXPECT_FALSE(merged->port);
  auto zip = zip_request();
  merged = merge_settings(zip, &*before, DriverName::native);
  EXPECT_EQ(merged->kind, function::Kind::handler);
  EXPECT_FALSE(merged->port);
}

TEST(Settings, AnotherPortThatIsExposedIsTheNewOne) {
  const auto before = merge_settings(image_request(), nullptr, DriverName::native);
  auto second = image_request();
  second.exposed_port = 9001;
  EXPECT_EQ(merge_settings(second, &*before, DriverName::native)->port, 9001);
}

TEST(Settings, AKindAndAPortThatWereNamedStay) {
  auto first = zip_request();
  first.port = 3000;
  auto before = merge_settings(first, nullptr, DriverName::native);
  EXPECT_EQ(before->kind, function::Kind::http);
  auto merged = merge_settings(zip_request(), &*before, DriverName::native);
  EXPECT_EQ(merged->kind, function::Kind::http);
  EXPECT_EQ(merged->port, 3000);
  first = image_request();
  first.kind = function::Kind::http;
  first.port = 3000;
  before = merge_settings(first, nullptr, DriverName::native);
  EXPECT_EQ(before->port, 3000) << "a named port wins over EXPOSE";
  auto second = image_request();
  second.exposed_port.reset();
  merged = merge_settings(second, &*before, DriverName::native);
  EXPECT_EQ(merged->kind, function::Kind::http);
  EXPECT_EQ(merged->port, 3000);
}

TEST(Settings, StayAsTheyWereUnlessNamed) {
  auto first = zip_request();
  first.timeout_seconds = 7;
  first.environment = {{"A_B", "1"}, {"C_D", "2"}};
  const auto before = merge_settings(first, nullptr, DriverName::native);
  DeployRequest second;
  second.name = "greet";
  second.memory_mb = 256;
  second.environment = {{"C_D", "3"}};
  const auto merged = merge_settings(second, &*before, DriverName::docker);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(merged->timeout_seconds, 7);
  EXPECT_EQ(merged->memory_mb, 256);
  EXPECT_EQ(merged->runtime, "python3.11");
  EXPECT_EQ(merged->driver, DriverName::native) << "a version remembers its driver";
  EXPECT_EQ(merged->environment->at("A_B"), "1");
  EXPECT_EQ(merged->environment->at("C_D"), "3");
}

TEST(Settings, EnvironmentClearEmptiesFirst) {
  auto first = zip_request();
  first.environment = {{"A_B", "1"}};
  const auto before = merge_settings(first, nullptr, DriverName::native);
  auto second = zip_request();
  second.environment_clear = true;
  EXPECT_FALSE(merge_settings(second, &*before, DriverName::native)->environment.has_value());
  second.environment = {{"E_F", "1"}};
  EXPECT_EQ(merge_settings(second, &*before, DriverName::native)->environment->size(), 1u);
}

TEST(Settings, ExposeMakesAnHttpFunctionUnlessKindIsNamed) {
  DeployRequest request;
  request.name = "web";
  request.source = Source::context;
  request.exposed_port = 9000;
  EXPECT_EQ(merge_settings(request, nullptr, DriverName::native)->kind, function::Kind::http);
  request.kind = function::Kind::handler;
  EXPECT_EQ(merge_settings(request, nullptr, DriverName::native)->kind, function::Kind::handler);
}

TEST(Settings, AskForWhatIsMissing) {
  auto request = zip_request();
  request.handler.reset();
  const auto merged = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(merged);
  EXPECT_NE(merged.error().message().find("--handler"), std::string::npos);
  request.runtime.reset();
  const auto without = merge_settings(request, nullptr, DriverName::native);
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message().find("--runtime"), std::string::npos);
}

TEST(Settings, ACustomRuntimeNeedsNoHandler) {
  auto request = zip_request();
  request.runtime = "provided.al2023";
  request.handler.reset();
  EXPECT_TRUE(merge_settings(request, nullptr, DriverName::native));
}

TEST(Settings, RefuseWhatIsOutOfBounds) {
  auto request = zip_request();
  request.memory_mb = 64;
  EXPECT_FALSE(merge_settings(request, nullptr, DriverName::native));
  request = zip_request();
  request.timeout_seconds = 901;
  EXPECT_FALSE(merge_settings(request, nullptr, DriverName::native));
}

}  // namespace
}  // namespace lambda::deploy
