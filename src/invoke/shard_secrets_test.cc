// What of secrets reaches a sandbox, and when.
#include "invoke/shard_fixture.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ShardSecretsTest : public ShardTest {
 public:
  ShardSecretsTest() { driver_.script = echo; }
  void put(const std::string& name, const std::string& value,
           std::optional<function::SecretForm> form = std::nullopt,
           const std::string& function = "greet") {
    const auto saved = secrets_->put(function, name, form, value);
    ASSERT_TRUE(saved) << saved.error().message();
  }
  void configure(const std::function<void(function::Configuration&)>& change) {
    auto changed = std::make_shared<function::Version>(*version_);
    change(changed->configuration);
    version_ = changed;
  }
  const sandbox::SandboxSpec& newest() { return driver_.runtimes.back()->spec; }
};

TEST_F(ShardSecretsTest, TheyAreVariablesAndFilesOfTheSandbox) {
  configure([](function::Configuration& settings) {
    settings.environment = {{"COLOR", "blue"}, {"TOKEN", "from the environment"}};
    settings.secrets = {{"CERT", function::SecretForm::file}};
  });
  put("TOKEN", "hunter2");
  put("CERT", "pem", std::nullopt, "");
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(newest().environment.at("COLOR"), "blue");
  EXPECT_EQ(newest().environment.at("TOKEN"), "hunter2");
  EXPECT_FALSE(newest().environment.contains("CERT"));
  EXPECT_EQ(newest().secret_files.at("CERT"), "pem");
}

TEST_F(ShardSecretsTest, OneThatDoesNotExistIsAFailedInitInItsLogToo) {
  configure([](function::Configuration& settings) {
    settings.secrets = {{"TOKEN", std::nullopt}};
  });
  const auto outcome = outcome_of("1");
  EXPECT_EQ(outcome.error, FunctionError::init);
  EXPECT_EQ(outcome.error_type, "Lambda.SecretNotFound");
  EXPECT_THAT(outcome.payload, AllOf(HasSubstr("the secret TOKEN, which does not exist"),
                                     HasSubstr("lambda secret put TOKEN")));
  EXPECT_TRUE(driver_.runtimes.empty());
  ASSERT_FALSE(log_lines().empty());
  EXPECT_THAT(log_lines().back(), HasSubstr("the secret TOKEN"));
  put("TOKEN", "hunter2", std::nullopt, "");
  EXPECT_EQ(outcome_of("2").payload, "2");
}

TEST_F(ShardSecretsTest, AnHttpFunctionsMissingSecretIsToldToo) {
  serve_http();
  configure([](function::Configuration& settings) {
    settings.secrets = {{"TOKEN", std::nullopt}};
  });
  const auto lease = finish(shard().open_http(http_call()));
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(lease.error().message(), HasSubstr("the secret TOKEN, which does not exist"));
  Invoker::InitFailure failure;
  const auto prepared = finish(shard().prepare(version_, failure));
  ASSERT_FALSE(prepared);
  EXPECT_THAT(failure.payload, HasSubstr("Lambda.SecretNotFound"));
}

TEST_F(ShardSecretsTest, AChangeReachesTheNextStartAndTheOldInstanceEndsInPeace) {
  put("TOKEN", "old");
  driver_.script = silent;
  auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return driver_.runtimes.size() == 1; }));
  driver_.script = echo;
  put("TOKEN", "new");
  shard().retire(version_);
  EXPECT_EQ(outcome_of("2").payload, "2");
  EXPECT_EQ(newest().environment.at("TOKEN"), "new");
  EXPECT_FALSE(running->done());
  EXPECT_EQ(driver_.runtimes.front()->spec.environment.at("TOKEN"), "old");
  sandbox::ExitStatus status;
  status.code = 0;
  driver_.runtimes.front()->exit(status);
  EXPECT_TRUE(until([&] { return running->done(); }));
}

}  // namespace
}  // namespace lambda::invoke
