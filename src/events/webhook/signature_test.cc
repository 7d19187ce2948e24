#include "events/webhook/signature.h"

#include "base/encoding.h"

#include <gtest/gtest.h>

namespace lambda::events {
namespace {

// The reference vector of the Standard Webhooks libraries.
TEST(WebhookSignature, IsTheOneOfTheSpecification) {
  EXPECT_EQ(
      webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                        1614265330, R"({"test": 2432232314})"),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

function::Function function_named(const std::string& name) {
  function::Function function;
  function.name = name;
  function.created = WallTime(std::chrono::milliseconds(1'767'323'045'678));
  return function;
}

TEST(WebhookSecret, IsTheSameForAFunctionAndAnotherForAnyOther) {
  const auto master = store::MasterKey::ephemeral();
  const function::Tenant tenant;
  const auto secret = webhook_secret(master, tenant, function_named("work"));
  EXPECT_EQ(secret, webhook_secret(master, tenant, function_named("work")));
  EXPECT_NE(secret, webhook_secret(master, tenant, function_named("work2")));
  EXPECT_NE(secret, webhook_secret(store::MasterKey::ephemeral(), tenant, function_named("work")));
  function::Tenant other;
  other.region = "eu-central-1";
  EXPECT_NE(secret, webhook_secret(master, other, function_named("work")));
  auto anew = function_named("work");
  anew.created += std::chrono::milliseconds(1);
  EXPECT_NE(secret, webhook_secret(master, tenant, anew));
}

TEST(WebhookSecret, HasTheFormOfTheSpecification) {
  const auto secret =
      webhook_secret(store::MasterKey::ephemeral(), function::Tenant(), function_named("work"));
  ASSERT_TRUE(secret.starts_with("whsec_"));
  EXPECT_EQ(base64_decode(secret.substr(6)).value_or("").size(), 32u);
}

}  // namespace
}  // namespace lambda::events
