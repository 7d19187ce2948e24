// Versions that come and go on a shard: instances that a deploy prepared, versions that are
// retired, functions that are deleted.
#include "invoke/shard_fixture.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST_F(ShardTest, APreparedInstanceServesTheFirstCallOfThePublishedVersion) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  version_ = make_version(function::Kind::handler, "published");
  shard().adopt(prepared, version_);
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenTheVersionHasOneAlready) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  version_ = make_version(function::Kind::handler, "published");
  EXPECT_EQ(outcome_of("1").payload, "1");
  shard().adopt(prepared, version_);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("2").payload, "2");
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenTheNumberBecameAnother) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  auto published = std::make_shared<function::Version>(*version_);
  published->number = 8;
  shard().adopt(prepared, published);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, CodeThatFailsToInitialiseIsToldWithItsWordsAndLeavesNothing) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("Traceback\n");
    co_await runtime->post("init/error", R"({"errorType":"Runtime.UserCodeSyntaxError"})");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
  };
  Invoker::InitFailure failure;
  const auto prepared = finish(shard().prepare(version_, failure));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::function_failed);
  EXPECT_EQ(failure.payload, R"({"errorType":"Runtime.UserCodeSyntaxError"})");
  EXPECT_THAT(failure.log, HasSubstr("Traceback\n"));
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
}

TEST_F(ShardTest, ARetiredVersionServesTheCallThatRuns) {
  set_timeout(3);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    co_await runtime->respond(event->id, "\"old code\"");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  shard().retire(version_);
  ASSERT_TRUE(until([&] { return running->done(); }));
  ASSERT_TRUE(*running->value);
  EXPECT_EQ((*running->value)->payload, "\"old code\"");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, AConnectionWithoutEndIsCutWhenARetiredVersionsTimeoutIsOver) {
  serve_http();
  set_timeout(1);
  auto lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  const auto begin = std::chrono::steady_clock::now();
  shard().retire(version_);
  settle();
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  EXPECT_TRUE(shard().runs(*version_));
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_LE(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_TRUE(until([&] { return !shard().runs(*version_); }));
}

TEST_F(ShardTest, AVersionRunsAsLongAsItHasAnInstance) {
  EXPECT_FALSE(shard().runs(*version_));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_TRUE(shard().runs(*version_));
  EXPECT_FALSE(shard().runs(*make_version(function::Kind::handler, "another")));
  shard().retire(version_);
  EXPECT_TRUE(until([&] { return !shard().runs(*version_); }));
}

TEST_F(ShardTest, ACallThatHadAReplacedVersionAlreadyGetsAnInstanceForItAlone) {
  shard().set_standing([](const function::Resolved&) { return function::Standing::replaced; });
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(outcome_of("1").payload, "1");
    EXPECT_TRUE(until([&] { return driver_.runtimes.at(i)->stopped; }));
  }
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  EXPECT_FALSE(shard().runs(*version_));
}

TEST_F(ShardTest, ACallOfAFunctionThatWasDeletedMeanwhileStartsNothing) {
  shard().set_standing([](const function::Resolved&) { return function::Standing::deleted; });
  const auto handler = finish(shard().invoke(call("1")));
  ASSERT_FALSE(handler);
  EXPECT_EQ(handler.error().code(), ErrorCode::not_found);
  version_ = make_version(function::Kind::http);
  const auto http = finish(shard().open_http(http_call()));
  ASSERT_FALSE(http);
  EXPECT_EQ(http.error().code(), ErrorCode::not_found);
  EXPECT_TRUE(driver_.runtimes.empty());
}

TEST_F(ShardTest, TheLogOfADeletedFunctionDoesNotComeBack) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    runtime->say("its last words\n");
    co_await runtime->respond(event->id, "1");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !log_lines().empty(); }));
  logs_->forget(version_->function);
  shard().retire(version_);
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_THAT((*running->value)->log_tail, HasSubstr("its last words\n"));
  EXPECT_TRUE(log_lines().empty());
  // The next function of that name has one.
  driver_.script = echo;
  version_ = make_version(function::Kind::handler, "another");
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_FALSE(log_lines().empty());
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenAFunctionOfItsNameWasDeletedMeanwhile) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  logs_->forget(version_->function);
  version_ = make_version(function::Kind::handler, "published");
  shard().adopt(prepared, version_);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_FALSE(log_lines().empty());
}

}  // namespace
}  // namespace lambda::invoke
