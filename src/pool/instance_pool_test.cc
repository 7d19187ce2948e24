// Instances that are lent again, calls that wait for one, and instances that are idle or misbehave.
#include "pool/instance_pool.h"

#include "pool/instance_pool_fixture.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace lambda::pool {
namespace {

using namespace std::chrono_literals;

// --- reuse

TEST_F(InstancePoolTest, ReusesWarmInstanceBeforeStartingAnother) {
  const auto pool = make_pool();
  auto first = served_call(pool);
  EXPECT_TRUE(first->value->lease->cold());
  const auto* instance = &instance_of(first);
  end(first);
  const auto second = served_call(pool);
  EXPECT_EQ(&instance_of(second), instance);
  EXPECT_FALSE(second->value->lease->cold());
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, TakesTheInstanceUsedLast) {
  const auto pool = make_pool();
  const auto first = call(pool);
  const auto second = call(pool);
  const auto third = call(pool);
  ASSERT_TRUE(until([&] { return first->done() && second->done(); }));
  const auto* last = &instance_of(first);
  end(second);
  end(first);
  ASSERT_TRUE(until([&] { return third->done(); }));
  EXPECT_EQ(&instance_of(served_call(pool)), last);
}

TEST_F(InstancePoolTest, AnInstanceIsFreeAgainOnlyWhenItsRuntimeAsksForTheNextEvent) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto first = co_await runtime->next();
    co_await runtime->respond(first->id, "1");
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 30ms);
    co_await echo(runtime);
  };
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto first = served_call(pool);
  EXPECT_TRUE(finish(instance_of(first).call(event("a"), 3s)).reply);
  first->value.reset();
  const auto second = call(pool);
  EXPECT_FALSE(second->done());
  EXPECT_TRUE(until([&] { return second->done(); }));
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, CallsInLineAreServedInTheirOrder) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  const auto first = call(pool);
  const auto second = call(pool);
  end(running);
  ASSERT_TRUE(until([&] { return first->done(); }));
  EXPECT_FALSE(second->done());
  end(first);
  EXPECT_TRUE(until([&] { return second->done(); }));
}

TEST_F(InstancePoolTest, CountsItsInstancesByStateAndTheCallsInLine) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  EXPECT_EQ(pool->counts().all(), 0u);
  auto running = served_call(pool);
  const auto waiting = call(pool);
  auto counts = pool->counts();
  EXPECT_EQ(counts.busy, 1u);
  EXPECT_EQ(counts.idle, 0u);
  EXPECT_EQ(counts.waiting_calls, 1u);
  EXPECT_EQ(counts.memory_bytes, 0u);
  pool->instances().front()->sample_memory();
  EXPECT_EQ(pool->counts().memory_bytes, 20u << 20);
  end(running);
  ASSERT_TRUE(until([&] { return waiting->done(); }));
  end(waiting);
  ASSERT_TRUE(until([&] { return pool->counts().idle == 1; }));
  counts = pool->counts();
  EXPECT_EQ(counts.busy, 0u);
  EXPECT_EQ(counts.waiting_calls, 0u);
  pool->retire();
  EXPECT_EQ(pool->counts().ending, 1u);
}

// --- limits of waiting

TEST_F(InstancePoolTest, AFullLineRefuses) {
  limits_.waiting_calls = 1;
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  call(pool);
  const auto refused = call(pool);
  ASSERT_TRUE(refused->done());
  EXPECT_EQ(refused->value->lease.error().code(), ErrorCode::overloaded);
  EXPECT_EQ(refused->value->lease.error().aws_type(), "FunctionInvocationRateLimitExceeded");
}

TEST_F(InstancePoolTest, AWaitEndsAtItsLimitAndLeavesTheLine) {
  limits_.instances_per_version = 1;
  limits_.longest_wait = 5ms;
  const auto pool = make_pool();
  auto running = call(pool);
  // The first start takes longer than that on a busy machine.
  if (!until([&] { return running->done(); }) || !running->value->lease) GTEST_FAIL();
  const auto late = call(pool);
  ASSERT_TRUE(until([&] { return late->done(); }));
  EXPECT_EQ(late->value->lease.error().code(), ErrorCode::overloaded);
  EXPECT_EQ(late->value->lease.error().aws_type(), "ConcurrentInvocationLimitExceeded");
  end(running);
  EXPECT_EQ(pool->oldest_idle(Which::spare), clock_.steady_now());
}

TEST_F(InstancePoolTest, ACallerThatGoesAwayHalfWayLeavesTheLine) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  asio::cancellation_signal gone;
  bool ended = false;
  auto note = [&ended](const std::exception_ptr&, const Acquired&) { ended = true; };
  asio::co_spawn(*loop_, take(pool), asio::bind_cancellation_slot(gone.slot(), std::move(note)));
  settle();
  gone.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(until([&] { return ended; }));
  end(running);
  EXPECT_TRUE(served_call(pool)->done());
  EXPECT_EQ(starts_, 1);
}

TEST_F(InstancePoolTest, ASlotGivenToACallerThatJustWentAwayComesBack) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  asio::cancellation_signal gone;
  bool ended = false;
  auto note = [&ended](const std::exception_ptr&, const Acquired&) { ended = true; };
  asio::co_spawn(*loop_, take(pool), asio::bind_cancellation_slot(gone.slot(), std::move(note)));
  settle();
  const auto& instance = instance_of(running);
  running->value.reset();
  while (instance.slots_used == 0) loop_->run_one_for(1s);
  gone.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(until([&] { return ended; }));
  EXPECT_TRUE(served_call(pool)->done());
  EXPECT_EQ(starts_, 1);
}

// --- idle

TEST_F(InstancePoolTest, GivesIdleInstancesUp) {
  limits_.idle_time = 300s;
  const auto pool = make_pool();
  end(served_call(pool));
  clock_.advance(299s);
  EXPECT_EQ(pool->end_idle(clock_.steady_now()), 1u);
  settle();
  EXPECT_EQ(pool->size(), 1u);
  clock_.advance(1s);
  pool->end_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return pool->unused(); }));
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
}

TEST_F(InstancePoolTest, KeepsAnInstanceWithAnOpenConnection) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  const auto pool = make_pool();
  auto tunnel = served_call(pool);
  end(served_call(pool));
  EXPECT_EQ(starts_, 1);
  clock_.advance(24h);
  EXPECT_EQ(pool->end_idle(clock_.steady_now()), 1u);
  EXPECT_FALSE(pool->end_one_idle(Which::spare));
  settle();
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  end(tunnel);
  EXPECT_EQ(pool->oldest_idle(Which::spare), clock_.steady_now());
  clock_.advance(300s);
  pool->end_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return pool->unused(); }));
}

TEST_F(InstancePoolTest, AnIdleInstanceThatDiesIsNotLent) {
  const auto pool = make_pool();
  end(served_call(pool));
  sandbox::ExitStatus status;
  status.code = 0;
  driver_.runtimes.front()->exit(status);
  ASSERT_TRUE(until([&] { return pool->unused(); }));
  EXPECT_TRUE(served_call(pool)->value->lease->cold());
  EXPECT_EQ(starts_, 2);
}

TEST_F(InstancePoolTest, ACallThatIsGivenAnInstanceThatHasJustDiedGetsAnother) {
  limits_.instances_per_version = 1;
  const auto pool = make_pool();
  auto running = served_call(pool);
  auto* const doomed = &instance_of(running);
  const auto waiting = call(pool);
  running->value.reset();
  while (doomed->slots_used == 0) loop_->run_one_for(1s);
  doomed->ended().set();
  ASSERT_TRUE(until([&] { return waiting->done(); }));
  ASSERT_TRUE(waiting->value->lease && *waiting->value->lease);
  EXPECT_FALSE(instance_of(waiting).ended().is_set());
  EXPECT_EQ(starts_, 2);
}

// --- instances that misbehave

TEST_F(InstancePoolTest, ADiscardedInstanceEndsWithTheLastOfItsCalls) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  const auto pool = make_pool();
  auto late = served_call(pool);
  auto healthy = served_call(pool);
  ASSERT_EQ(starts_, 1);
  late->value->lease->discard();
  late->value.reset();
  settle();
  EXPECT_FALSE(instance_of(healthy).ended().is_set());
  EXPECT_NE(&instance_of(served_call(pool)), &instance_of(healthy));
  EXPECT_EQ(starts_, 2);
  healthy->value.reset();
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

}  // namespace
}  // namespace lambda::pool
