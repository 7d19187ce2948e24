// The end of a pool: retired ones, and the end of all.
#include "pool/instance_pool_fixture.h"

namespace lambda::pool {
namespace {

using namespace std::chrono_literals;

TEST_F(InstancePoolTest, ARetiredPoolEndsIdleInstancesNowAndBusyOnesAfterTheirCall) {
  const auto pool = pool_with_calls_of(300ms);
  auto busy = served_call(pool);
  end(served_call(pool));
  ASSERT_EQ(pool->size(), 2u);
  pool->retire();
  ASSERT_TRUE(until([&] { return pool->size() == 1; }));
  EXPECT_TRUE(finish(instance_of(busy).call(event("a", "still here"), 3s)).reply);
  // Who had the version before is served yet.
  const auto late = call(pool);
  busy->value.reset();
  ASSERT_TRUE(until([&] { return late->done(); }));
  ASSERT_TRUE(late->value->lease && *late->value->lease);
  late->value.reset();
  EXPECT_TRUE(until([&] { return pool->unused(); }));
}

TEST_F(InstancePoolTest, ARetiredPoolServesTheCallsThatAreInLine) {
  limits_.instances_per_version = 1;
  hold_starts_ = &held_;
  const auto pool = make_pool();
  const auto first = call(pool);
  const auto second = call(pool);
  pool->retire();
  held_.set();
  ASSERT_TRUE(until([&] { return first->done(); }));
  ASSERT_TRUE(first->value->lease && *first->value->lease);
  end(first);
  ASSERT_TRUE(until([&] { return second->done(); }));
  ASSERT_TRUE(second->value->lease && *second->value->lease);
  EXPECT_EQ(pool->size(), 1u);
  end(second);
  EXPECT_TRUE(until([&] { return pool->unused(); }));
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, ARetiredPoolEndsWhatDoesNotEndWhenItsTimeoutIsOver) {
  auto version = std::make_shared<function::Version>(*version_);
  version->configuration.timeout_seconds = 0;
  version_ = version;
  const auto pool = make_pool();
  const auto endless = served_call(pool);
  pool->retire();
  EXPECT_TRUE(until([&] { return pool->unused(); }));
  EXPECT_TRUE(instance_of(endless).ended().is_set());
  EXPECT_EQ(call(pool)->value->lease.error().code(), ErrorCode::unavailable);
}

TEST_F(InstancePoolTest, AnInstanceThatStartsWhileItsPoolIsRetiredEndsAtOnce) {
  hold_starts_ = &held_;
  const auto pool = make_pool();
  const auto ahead = begin(pool->start_ahead());
  settle();
  pool->retire();
  held_.set();
  EXPECT_TRUE(until([&] { return ahead->done() && pool->unused(); }));
}

TEST_F(InstancePoolTest, TheEndOfAllFailsTheLineAndLeavesNothing) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  const auto waiting = call(pool);
  pool->end_all("the test is over");
  ASSERT_TRUE(until([&] { return waiting->done(); }));
  EXPECT_EQ(waiting->value->lease.error().code(), ErrorCode::unavailable);
  finish(pool->wait_empty(std::chrono::steady_clock::now() + 10s));
  EXPECT_TRUE(pool->unused());
  EXPECT_EQ(budget_->used(), 0u);
}

TEST_F(InstancePoolTest, WaitingUntilItIsEmptyEndsWhenTheLastStartFails) {
  hold_starts_ = &held_;
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no");
  const auto pool = make_pool();
  const auto ahead = begin(pool->start_ahead());
  settle();
  pool->retire();
  auto waits = [](std::shared_ptr<InstancePool> one) -> Task<bool> {
    co_await one->wait_empty(std::chrono::steady_clock::now() + 1h);
    co_return true;
  };
  const auto empty = begin(waits(pool));
  settle();
  EXPECT_FALSE(empty->done());
  held_.set();
  EXPECT_TRUE(until([&] { return empty->done(); }));
}

TEST_F(InstancePoolTest, AStartAheadServesTheFirstCallCold) {
  const auto pool = make_pool();
  const auto ahead = finish(pool->start_ahead());
  ASSERT_TRUE(ahead);
  EXPECT_FALSE(ahead->has_value());
  EXPECT_TRUE(served_call(pool)->value->lease->cold());
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, ALeaseThatIsMovedGivesItsSlotBackOnce) {
  const auto pool = make_pool();
  auto first = served_call(pool);
  auto& instance = instance_of(first);
  {
    Lease moved(std::move(*first->value->lease));
    Lease again;
    again = std::move(moved);
    first->value.reset();
    EXPECT_EQ(instance.slots_used, 1u);
    again.give_back();
    EXPECT_EQ(instance.slots_used, 0u);
  }
  settle();
  EXPECT_EQ(instance.slots_used, 0u);
  EXPECT_EQ(&instance_of(served_call(pool)), &instance);
}

}  // namespace
}  // namespace lambda::pool
