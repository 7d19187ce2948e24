// One shard: what a call of a handler comes to, admission, room for others, and its end.
#include "invoke/shard.h"

#include "invoke/shard_fixture.h"
#include "invoke/sharded_invoker.h"

#include <gmock/gmock.h>

#include <thread>

namespace lambda::invoke {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

// --- handlers

TEST_F(ShardTest, CarriesTheEventAndTheResponseVerbatim) {
  const auto first = outcome_of("{ \"a\" : [1]}");
  EXPECT_EQ(first.payload, "{ \"a\" : [1]}");
  EXPECT_EQ(first.error, FunctionError::none);
  EXPECT_EQ(first.executed_version, "7");
  EXPECT_TRUE(first.timing.cold);
  EXPECT_THAT(first.log_tail, StartsWith("START RequestId: 8f Version: 7\n"));
  EXPECT_FALSE(outcome_of("1").timing.cold);
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, TheLargestEventIsTakenAndALargerOneIsNot) {
  EXPECT_EQ(outcome_of(std::string(6291456, '1')).payload.size(), 6291456u);
  const auto refused = finish(shard().invoke(call(std::string(6291457, '1'))));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::too_large);
  EXPECT_EQ(refused.error().message(),
            "6291457 byte payload is too large for the RequestResponse invocation type (limit "
            "6291456 bytes)");
}

TEST_F(ShardTest, AnErrorOfTheHandlerIsItsOwnObject) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->post("invocation/" + event->id + "/error",
                           R"({ "errorType":"ValueError", "errorMessage":"no"})");
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::handled);
  EXPECT_EQ(outcome.error_type, "ValueError");
  EXPECT_EQ(outcome.payload, R"({ "errorType":"ValueError", "errorMessage":"no"})");
  EXPECT_EQ(outcome_of("1").error, FunctionError::none);
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, ATimeoutIsToldAndTheNextCallGetsAnotherInstance) {
  set_timeout(1);
  driver_.script = silent;
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::timeout);
  EXPECT_EQ(
      outcome.payload,
      R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 8f Error: Task timed out after 1.00 seconds"})");
  driver_.script = echo;
  EXPECT_EQ(outcome_of("1").payload, "1");
}

TEST_F(ShardTest, AnExitIsToldInAwssWords) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->next();
    sandbox::ExitStatus status;
    status.code = 127;
    runtime->exit(status);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::exit);
  EXPECT_EQ(
      outcome.payload,
      R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: 8f Error: Runtime exited with error: exit status 127"})");
}

TEST_F(ShardTest, AResponseThatIsTooLargeIsToldAndTheInstanceLivesOn) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->respond(event->id, std::string(sandbox::kMaxResponseBytes + 1, 'x'));
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::response_too_large);
  EXPECT_THAT(outcome.payload, HasSubstr("Function.ResponseSizeTooLarge"));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, AnInitThatFailsIsThePayloadOfTheCall) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("Traceback\n");
    co_await runtime->post("init/error", R"({"errorType":"Runtime.ImportModuleError"})");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::init);
  EXPECT_EQ(outcome.payload, R"({"errorType":"Runtime.ImportModuleError"})");
  EXPECT_EQ(outcome.error_type, "Runtime.ImportModuleError");
  EXPECT_THAT(outcome.log_tail, HasSubstr("Traceback\n"));
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
}

TEST_F(ShardTest, AnInvalidResponseModeIsToldInAwssWords) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    http::Headers headers;
    headers.add("Lambda-Runtime-Function-Response-Mode", "sometimes");
    co_await runtime->post("invocation/" + event->id + "/response", "1", std::move(headers));
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error_type, "Runtime.InvalidResponseModeHeader");
  EXPECT_EQ(outcome_of("1").payload, "1");
}

// --- reserved concurrency

TEST_F(ShardTest, ReservedConcurrencyRefusesTheNextCall) {
  reserved_ = 1;
  driver_.script = silent;
  set_timeout(1);
  const auto running = begin(shard().invoke(call("1")));
  settle();
  const auto refused = finish(shard().invoke(call("2")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
  EXPECT_EQ(refused.error().aws_type(), "ReservedFunctionConcurrentInvocationLimitExceeded");
  ASSERT_TRUE(until([&] { return running->done(); }));
  driver_.script = echo;
  EXPECT_EQ(outcome_of("3").payload, "3");
}

TEST_F(ShardTest, ReservedConcurrencyOfAnHttpFunctionLastsAsLongAsItsConnection) {
  serve_http();
  reserved_ = 1;
  auto lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  auto refused = finish(shard().open_http(http_call()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
  lease->reset();
  settle();
  EXPECT_TRUE(finish(shard().open_http(http_call())));
  settle();
  // An event for it counts once.
  EXPECT_EQ(outcome_of("1").payload, "got 1");
}

// --- housekeeping

TEST_F(ShardTest, AnIdleInstanceMakesRoomForAnotherFunction) {
  budget_ = std::make_unique<pool::InstanceBudget>(1);
  EXPECT_EQ(outcome_of("1").payload, "1");
  version_ = make_version(function::Kind::handler, "another");
  EXPECT_EQ(outcome_of("2").payload, "2");
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
}

TEST_F(ShardTest, WhenAllAreInUseHereAnotherShardIsAsked) {
  budget_ = std::make_unique<pool::InstanceBudget>(0);
  int asked = 0;
  shard().set_room_elsewhere([&asked](Shard::Which) { ++asked; });
  const auto waiting = begin(shard().invoke(call("1")));
  settle();
  EXPECT_GE(asked, 1);
}

TEST_F(ShardTest, AfterItsStopItTakesNothing) {
  EXPECT_EQ(outcome_of("1").payload, "1");
  finish(shard().stop(std::chrono::steady_clock::now() + 5s));
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
  Invoker::InitFailure failure;
  EXPECT_EQ(finish(shard().invoke(call("1"))).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(finish(shard().prepare(version_, failure)).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(finish(shard().run_builtin(version_, {}, 1s, {})).error().code(),
            ErrorCode::unavailable);
}

TEST_F(ShardTest, AtItsDeadlineAStopEndsWhatStillRuns) {
  driver_.script = silent;
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  finish(shard().stop(std::chrono::steady_clock::now() + 5ms));
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
  EXPECT_EQ(budget_->used(), 0u);
}

TEST_F(ShardTest, AStopWaitsForTheCallsOfRetiredVersions) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    co_await runtime->respond(event->id, "\"old code\"");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  shard().retire(version_);
  finish(shard().stop(std::chrono::steady_clock::now() + 10s));
  ASSERT_TRUE(until([&] { return running->done(); }));
  ASSERT_TRUE(*running->value);
  EXPECT_EQ((*running->value)->payload, "\"old code\"");
}

// --- several loops

TEST_F(ShardTest, ACallFromAnotherLoopIsCarriedOutOnTheFunctionsHomeAndAnsweredOnItsOwn) {
  Loop home(1);
  auto keep = asio::make_work_guard(home);
  std::thread thread([&home] { home.run(); });
  {
    ShardedInvoker invoker({&home}, *starter_, limits_, 10, clock_);
    for (int i = 0; i < 50; ++i) {
      const auto outcome = finish(invoker.invoke(call(std::to_string(i))));
      ASSERT_TRUE(outcome);
      EXPECT_EQ(outcome->payload, std::to_string(i));
    }
    finish(invoker.stop(std::chrono::steady_clock::now() + 5s));
    EXPECT_EQ(invoker.budget().used(), 0u);
    auto drop = [this] { driver_.runtimes.clear(); };
    asio::post(home, std::move(drop));
    keep.reset();
    thread.join();
  }
}

}  // namespace
}  // namespace lambda::invoke
