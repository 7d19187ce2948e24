// HTTP functions on a shard: requests posted to them, and connections into them.
#include "invoke/shard_fixture.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ShardTest, AnEventForAnHttpFunctionIsPosted) {
  serve_http();
  const auto outcome = outcome_of("{\"a\":1}");
  EXPECT_EQ(outcome.payload, "got {\"a\":1}");
  EXPECT_EQ(outcome.content_type, "text/plain");
  EXPECT_EQ(site_.targets.back(), "POST /");
  const auto failed = outcome_of("\"fail\"");
  EXPECT_EQ(failed.error, FunctionError::handled);
  EXPECT_EQ(failed.error_type, "Http.500");
  EXPECT_EQ(failed.payload, "got \"fail\"");
}

TEST_F(ShardTest, ATooLargeAnswerOfAnHttpFunctionIsToldInAwssWords) {
  serve_http();
  EXPECT_EQ(outcome_of("\"large\"").error, FunctionError::response_too_large);
  EXPECT_EQ(outcome_of("1").payload, "got 1");
}

TEST_F(ShardTest, ATimeoutOfOneRequestDoesNotKillTheOthers) {
  serve_http();
  const auto slow = begin(shard().invoke(call("\"slow\"")));
  ASSERT_TRUE(until([&] { return site_.targets.size() == 1; }));
  set_timeout(1);
  const auto late = outcome_of("\"hang\"");
  EXPECT_EQ(late.error, FunctionError::timeout);
  ASSERT_TRUE(until([&] { return !site_.hanging; }));
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  site_.release.set();
  ASSERT_TRUE(until([&] { return slow->done(); }));
  ASSERT_TRUE(*slow->value);
  EXPECT_EQ((*slow->value)->payload, "got \"slow\"");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("1").payload, "got 1");
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, AnInstanceThatServedAndListensNoMoreIsReplaced) {
  serve_http();
  EXPECT_EQ(outcome_of("1").payload, "got 1");
  settle();
  driver_.runtimes.front()->on_connect = {};
  EXPECT_EQ(outcome_of("2").payload, "got 2");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, APortThatIsClosedBeforeTheFirstRequestIsNamedAndItsOutputIsNot) {
  serve_http();
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [runtime = runtime.get()](const UniqueFd&) {
      runtime->say("closing my port\n");
      runtime->on_connect = {};
    };
    co_await runtime->exited.wait();
  };
  const auto failed = finish(shard().open_http(http_call()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("stopped listening"));
  EXPECT_THAT(failed.error().message(), Not(HasSubstr("closing my port"))) << "it is logged";
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, AConnectionWaitsAMomentForTheEndOfItsInstance) {
  serve_http();
  auto lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  // On the loop's next turns, as an exit comes after its closed connections.
  auto later = [](RuntimePtr runtime) -> Task<void> {
    co_await sleep_for(std::chrono::milliseconds(1));
    sandbox::ExitStatus status;
    status.code = 5;
    runtime->exit(status);
  };
  asio::co_spawn(*loop_, later(driver_.runtimes.front()), asio::detached);
  EXPECT_TRUE(finish((*lease)->ended_soon()));
}

TEST_F(ShardTest, AnHttpFunctionsLastOutputIsForWhoInvokesItAndNotInTheError) {
  serve_http();
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("no such module\n");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
    co_return;
  };
  const auto failed = finish(shard().open_http(http_call()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("exit status 1"));
  EXPECT_THAT(failed.error().message(), Not(HasSubstr("no such module"))) << "it is logged";
  const auto outcome = outcome_of("1");
  EXPECT_THAT(outcome.payload, HasSubstr("exit status 1"));
  EXPECT_THAT(outcome.payload, HasSubstr("no such module"));
}

}  // namespace
}  // namespace lambda::invoke
