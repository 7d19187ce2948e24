// When a pool starts another instance, what room it takes for that, and starts that fail.
#include "pool/instance_pool_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

namespace lambda::pool {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// --- when another is started

TEST_F(InstancePoolTest, DoesNotStartWhenWaitingIsCheaper) {
  const auto pool = pool_with_calls_of(10ms);
  auto running = served_call(pool);
  const auto first = call(pool);
  const auto second = call(pool);
  clock_.advance(10ms);
  call(pool);
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, StartsAnotherWhenTheExpectedWaitExceedsAStart) {
  const auto pool = pool_with_calls_of(300ms);
  auto running = served_call(pool);
  const auto waiting = call(pool);
  EXPECT_TRUE(until([&] { return waiting->done(); }));
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, StartsAnotherWhenManyShortCallsWait) {
  const auto pool = pool_with_calls_of(30ms);
  auto running = served_call(pool);
  for (int i = 0; i < 3; ++i) call(pool);
  EXPECT_EQ(starts_, 1);
  for (int i = 0; i < 3; ++i) call(pool);
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, StartsAnotherWhenACallTakesLongerThanTheyUsedTo) {
  const auto pool = pool_with_calls_of(10ms);
  auto running = served_call(pool);
  const auto waiting = call(pool);
  EXPECT_EQ(starts_, 1);
  clock_.advance(150ms);
  EXPECT_TRUE(until([&] { return waiting->done(); }));
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, ABurstOnAPoolWithoutInstancesDoesNotStartOneForEachCall) {
  const auto pool = pool_with_calls_of(1ms);
  clock_.advance(1h);
  pool->end_idle(clock_.steady_now());
  ASSERT_TRUE(until([&] { return pool->unused(); }));
  for (int i = 0; i < 50; ++i) call(pool);
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, ABurstOfLongCallsStartsAsManyAsItNeeds) {
  const auto pool = pool_with_calls_of(5000ms);
  auto running = served_call(pool);
  for (int i = 0; i < 10; ++i) call(pool);
  EXPECT_EQ(starts_, 11);
}

TEST_F(InstancePoolTest, NeverMoreThanTheLimitOfAVersion) {
  limits_.instances_per_version = 2;
  const auto pool = pool_with_calls_of(5000ms);
  auto running = served_call(pool);
  for (int i = 0; i < 10; ++i) call(pool);
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, TheSlotsOfAnInstanceThatStartsCountForTheCallsInLine) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  limits_.http_slots = 8;
  hold_starts_ = &held_;
  const auto pool = make_pool();
  for (int i = 0; i < 8; ++i) call(pool);
  EXPECT_EQ(starts_, 1);
  held_.set();
  EXPECT_TRUE(until(
      [&] { return std::ranges::all_of(calls_, [](const Call& call) { return call->done(); }); }));
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, AnHttpFunctionHasTheRequestsAtOnceThatItAskedFor) {
  auto version = std::make_shared<function::Version>(*make_version(function::Kind::http));
  version->configuration.concurrency = 2;
  version_ = version;
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  limits_.http_slots = 8;
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  for (int i = 0; i < 3; ++i) call(pool);
  EXPECT_TRUE(until([&] { return calls_[1]->done(); }));
  EXPECT_TRUE(calls_[0]->done());
  EXPECT_FALSE(calls_[2]->done());
  end(calls_[0]);
  EXPECT_TRUE(until([&] { return calls_[2]->done(); }));
}

// --- starts that fail

TEST_F(InstancePoolTest, FailedStartFailsOnlyTheHeadOfTheLine) {
  limits_.instances_per_version = 1;
  hold_starts_ = &held_;
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no room for a cgroup");
  const auto pool = make_pool();
  const auto first = call(pool);
  const auto second = call(pool);
  held_.set();
  ASSERT_TRUE(until([&] { return first->done(); }));
  EXPECT_EQ(first->value->lease.error().code(), ErrorCode::sandbox_failed);
  EXPECT_THAT(first->value->lease.error().message(), HasSubstr("no room for a cgroup"));
  EXPECT_FALSE(second->done());
  driver_.refusal.reset();
  held_.set();
  EXPECT_TRUE(until([&] { return second->done(); }));
  EXPECT_TRUE(*second->value->lease);
}

TEST_F(InstancePoolTest, EveryCallOfALineLearnsThatNothingStarts) {
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no room for a cgroup");
  const auto pool = make_pool();
  for (int i = 0; i < 40; ++i) call(pool);
  EXPECT_TRUE(until(
      [&] { return std::ranges::all_of(calls_, [](const Call& call) { return call->done(); }); }));
  for (const auto& call : calls_) {
    EXPECT_EQ(call->value->lease.error().code(), ErrorCode::sandbox_failed);
  }
  EXPECT_EQ(budget_->used(), 0u);
  EXPECT_TRUE(pool->unused());
}

TEST_F(InstancePoolTest, AnInitThatFailsIsToldToTheHeadOfTheLineAlone) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("Traceback\n");
    co_await runtime->post("init/error", R"({"errorType":"Runtime.ImportModuleError"})");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
  };
  limits_.instances_per_version = 1;
  hold_starts_ = &held_;
  const auto pool = make_pool();
  const auto first = call(pool);
  const auto second = call(pool);
  held_.set();
  ASSERT_TRUE(until([&] { return first->done(); }));
  ASSERT_TRUE(first->value->lease);
  EXPECT_FALSE(*first->value->lease);
  ASSERT_TRUE(first->value->init_failure);
  EXPECT_THAT(first->value->init_failure->failure.payload, HasSubstr("ImportModuleError"));
  EXPECT_THAT(first->value->init_failure->log, HasSubstr("Traceback\n"));
  EXPECT_FALSE(second->done());
  driver_.script = echo;
  held_.set();
  EXPECT_TRUE(until([&] { return second->done(); }));
  EXPECT_TRUE(*second->value->lease);
}

// --- the budget

TEST_F(InstancePoolTest, BudgetIsGivenBackOnEveryPath) {
  // A start that fails.
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no");
  const auto pool = make_pool();
  const auto failed = call(pool);
  ASSERT_TRUE(until([&] { return failed->done(); }));
  EXPECT_EQ(budget_->used(), 0u);
  EXPECT_FALSE(finish(pool->start_ahead()));
  EXPECT_EQ(budget_->used(), 0u);
  driver_.refusal.reset();
  // An init that fails.
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
    co_return;
  };
  const auto uninitialised = call(pool);
  ASSERT_TRUE(until([&] { return uninitialised->done(); }));
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  EXPECT_TRUE(finish(pool->start_ahead())->has_value());
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  // A crash in a call.
  driver_.script = echo;
  auto crashed = served_call(pool);
  EXPECT_EQ(budget_->used(), 1u);
  sandbox::ExitStatus status;
  status.signal = SIGSEGV;
  driver_.runtimes.back()->exit(status);
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  crashed->value.reset();
  // A timeout.
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->next();
    co_await runtime->exited.wait();
  };
  auto late = served_call(pool);
  EXPECT_TRUE(finish(instance_of(late).call(event("a"), 5ms)).failure);
  late->value.reset();
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  // An idle one.
  driver_.script = echo;
  end(served_call(pool));
  pool->end_idle(clock_.steady_now() + 1h);
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  EXPECT_TRUE(pool->unused());
}

TEST_F(InstancePoolTest, ACallWaitsForRoomInTheBudget) {
  budget_ = std::make_unique<InstanceBudget>(1);
  const auto pool = make_pool();
  auto first = served_call(pool);
  version_ = make_version(function::Kind::handler, "r2");
  const auto other = make_pool();
  const auto waiting = call(other);
  EXPECT_EQ(starts_, 1);
  EXPECT_GE(asked_for_room_, 1);
  end(first);
  EXPECT_FALSE(pool->room_is_coming());
  EXPECT_TRUE(pool->end_one_idle(Which::spare));
  EXPECT_TRUE(pool->room_is_coming());
  EXPECT_FALSE(pool->end_one_idle(Which::spare));
  EXPECT_TRUE(until([&] { return waiting->done(); }));
}

TEST_F(InstancePoolTest, AStartAheadWaitsForRoomInTheBudget) {
  const auto [pool, other, ahead] = start_ahead_without_room();
  ASSERT_GT(asked_for_room_, 0);
  EXPECT_FALSE(other->unused());  // or its owner would forget it, and the instance with it
  EXPECT_TRUE(pool->end_one_idle(Which::spare));
  ASSERT_TRUE(until([&begun = *ahead] { return begun.done(); }));
  EXPECT_TRUE(*ahead->value);
}

TEST_F(InstancePoolTest, AStartAheadThatIsGivenUpMeanwhileKeepsNoRoom) {
  const auto [pool, other, ahead] = start_ahead_without_room();
  ASSERT_GT(asked_for_room_, 0);
  other->retire();
  EXPECT_TRUE(pool->end_one_idle(Which::spare));
  ASSERT_TRUE(until([&begun = *ahead] { return begun.done(); }));
  EXPECT_FALSE(*ahead->value);
  EXPECT_TRUE(other->unused());
  EXPECT_EQ(budget_->used(), 0u);
}

}  // namespace
}  // namespace lambda::pool
