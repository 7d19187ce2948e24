// Instances without a call: they are frozen and thawed, kept ready, and given up.
#include "pool/instance_pool_fixture.h"

namespace lambda::pool {
namespace {

using namespace std::chrono_literals;

class IdleInstances : public InstancePoolTest {
 public:
  // Nothing happens of itself within so long.
  IdleInstances() { limits_.freeze_after = 1h; }

  RuntimePtr runtime(std::size_t number = 0) { return driver_.runtimes.at(number); }
  bool until_idle(const std::shared_ptr<InstancePool>& pool, std::size_t count = 1) {
    return until([&] { return pool->counts().idle == count; });
  }
  // With one instance that stands still.
  std::shared_ptr<InstancePool> frozen_pool() {
    auto pool = make_pool();
    end(served_call(pool));
    EXPECT_TRUE(until_idle(pool));
    clock_.advance(1h);
    pool->freeze_idle(clock_.steady_now());
    EXPECT_TRUE(until([&] { return runtime()->frozen; }));
    settle();
    return pool;
  }
  void keep(const std::shared_ptr<InstancePool>& pool, std::size_t count) {
    pool->set_kept(count);
    pool->keep_up();
  }
};

// --- frozen

TEST_F(IdleInstances, AreFrozenOnceNoCallCameForAWhile) {
  const auto pool = make_pool();
  end(served_call(pool));
  ASSERT_TRUE(until_idle(pool));
  clock_.advance(50min);
  EXPECT_EQ(pool->freeze_idle(clock_.steady_now()), 10min);
  settle();
  EXPECT_EQ(runtime()->freezes, 0);
  clock_.advance(10min);
  EXPECT_EQ(pool->freeze_idle(clock_.steady_now()), std::nullopt);
  EXPECT_TRUE(until([&] { return runtime()->frozen; }));
  EXPECT_EQ(pool->counts().frozen, 1u);
  EXPECT_EQ(pool->counts().idle, 0u);
  EXPECT_EQ(pool->counts().all(), 1u);
}

TEST_F(IdleInstances, AreFrozenOfThemselves) {
  limits_.freeze_after = 1ms;
  const auto pool = make_pool();
  end(served_call(pool));
  clock_.advance(1ms);
  EXPECT_TRUE(until([&] { return runtime()->frozen; }));
  end(served_call(pool));
  clock_.advance(1ms);
  EXPECT_TRUE(until([&] { return runtime()->freezes == 2; }));
}

TEST_F(IdleInstances, AreThawedForTheNextCall) {
  const auto pool = frozen_pool();
  auto next = served_call(pool);
  EXPECT_FALSE(runtime()->frozen);
  EXPECT_EQ(runtime()->thaws, 1);
  EXPECT_TRUE(next->value->lease->thaw());
  EXPECT_FALSE(next->value->lease->cold());
  end(next);
  ASSERT_TRUE(until_idle(pool));
  EXPECT_FALSE(served_call(pool)->value->lease->thaw());
  EXPECT_EQ(starts_, 1);
}

TEST_F(IdleInstances, ThatAreBeingFrozenServeOnceTheyAre) {
  const auto pool = make_pool();
  end(served_call(pool));
  ASSERT_TRUE(until_idle(pool));
  clock_.advance(1h);
  runtime()->hold_motion = &held_;
  pool->freeze_idle(clock_.steady_now());
  settle();
  EXPECT_EQ(runtime()->freezes, 1);
  const auto next = call(pool);
  EXPECT_FALSE(next->done());
  EXPECT_EQ(runtime()->thaws, 0);
  held_.set();
  EXPECT_TRUE(until([&] { return next->done(); }));
  EXPECT_EQ(runtime()->thaws, 1);
  EXPECT_FALSE(runtime()->frozen);
}

TEST_F(IdleInstances, ThatServeARequestAreNotFrozen) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  const auto pool = make_pool();
  auto open = served_call(pool);
  auto other = served_call(pool);
  end(other);
  clock_.advance(2h);
  EXPECT_EQ(pool->freeze_idle(clock_.steady_now()), std::nullopt);
  settle();
  EXPECT_EQ(runtime()->freezes, 0);
  end(open);
  ASSERT_TRUE(until_idle(pool));
  clock_.advance(2h);
  pool->freeze_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return runtime()->frozen; }));
}

TEST_F(IdleInstances, ThatRunAreTakenBeforeThoseThatStandStill) {
  const auto pool = make_pool();
  ASSERT_TRUE(finish(pool->start_ahead()));
  ASSERT_TRUE(finish(pool->start_ahead()));
  clock_.advance(1h);
  pool->instances().front()->idle_since = clock_.steady_now();
  pool->freeze_idle(clock_.steady_now());
  ASSERT_TRUE(until([&] { return runtime(1)->frozen; }));
  settle();
  const auto next = served_call(pool);
  EXPECT_EQ(&instance_of(next), pool->instances().front().get());
  EXPECT_EQ(runtime(1)->thaws, 0);
}

TEST_F(IdleInstances, ServeAsTheyAreWhereTheyCannotBeFrozen) {
  const auto pool = make_pool();
  end(served_call(pool));
  ASSERT_TRUE(until_idle(pool));
  clock_.advance(1h);
  runtime()->motion_refusal = Error(ErrorCode::unavailable, "no freezer here");
  pool->freeze_idle(clock_.steady_now());
  settle();
  EXPECT_EQ(pool->freeze_idle(clock_.steady_now()), std::nullopt);
  EXPECT_FALSE(served_call(pool)->value->lease->thaw());
  EXPECT_EQ(runtime()->freezes, 1);
  EXPECT_EQ(runtime()->thaws, 0);
}

TEST_F(IdleInstances, ThatCannotBeThawedAreReplaced) {
  const auto pool = frozen_pool();
  runtime()->motion_refusal = Error(ErrorCode::sandbox_failed, "stuck");
  const auto next = served_call(pool);
  EXPECT_TRUE(next->value->lease->cold());
  EXPECT_EQ(starts_, 2);
  EXPECT_TRUE(until([&] { return runtime()->stopped; }));
  EXPECT_TRUE(until([&] { return pool->size() == 1; }));
}

TEST_F(IdleInstances, ThatEndWhileTheyAreThawedAreReplaced) {
  const auto pool = frozen_pool();
  runtime()->hold_motion = &held_;
  const auto next = call(pool);
  EXPECT_EQ(runtime()->thaws, 1);
  sandbox::ExitStatus status;
  status.signal = 9;
  runtime()->exit(status);
  settle();
  held_.set();
  ASSERT_TRUE(until([&] { return next->done(); }));
  EXPECT_TRUE(next->value->lease && *next->value->lease);
  EXPECT_EQ(starts_, 2);
}

TEST_F(IdleInstances, ThatStandStillGoWithTheirVersion) {
  const auto pool = frozen_pool();
  pool->retire();
  EXPECT_TRUE(until([&] { return pool->unused(); }));
  EXPECT_TRUE(runtime()->stopped);
}

// --- kept

TEST_F(IdleInstances, ThatAreKeptAreStartedBeforeTheyAreNeeded) {
  const auto pool = make_pool();
  keep(pool, 3);
  ASSERT_TRUE(until_idle(pool, 3));
  pool->keep_up();
  settle();
  EXPECT_EQ(starts_, 3);
  EXPECT_FALSE(served_call(pool)->value->lease->cold());
  EXPECT_EQ(starts_, 3);
}

TEST_F(IdleInstances, ThatAreKeptAreNotGivenUpForBeingIdle) {
  const auto pool = make_pool();
  keep(pool, 2);
  ASSERT_TRUE(until_idle(pool, 2));
  ASSERT_TRUE(finish(pool->start_ahead()));
  clock_.advance(24h);
  pool->end_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return pool->size() == 2; }));
  pool->end_idle(clock_.steady_now());
  settle();
  EXPECT_EQ(pool->counts().idle, 2u);
  EXPECT_EQ(pool->oldest_idle(Which::spare), std::nullopt);
  EXPECT_FALSE(pool->end_one_idle(Which::spare));
  pool->set_kept(0);
  pool->end_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return pool->size() == 0; }));
}

TEST_F(IdleInstances, ThatAreKeptAreGivenUpWhereNothingElseIsLeft) {
  const auto pool = make_pool();
  keep(pool, 1);
  ASSERT_TRUE(until_idle(pool));
  std::vector<InstancePool::Idle> idle;
  pool->list_idle(idle);
  ASSERT_EQ(idle.size(), 1u);
  EXPECT_TRUE(idle.front().kept);
  EXPECT_EQ(pool->end_idle_since(clock_.steady_now(), Which::spare), 0u);
  EXPECT_EQ(pool->end_idle_since(clock_.steady_now(), Which::kept_too), 1u);
  EXPECT_TRUE(until([&] { return pool->size() == 0; }));
}

TEST_F(IdleInstances, ThatAreKeptAreReplacedWhenTheyEnd) {
  const auto pool = make_pool();
  keep(pool, 1);
  ASSERT_TRUE(until_idle(pool));
  sandbox::ExitStatus status;
  status.code = 1;
  runtime()->exit(status);
  ASSERT_TRUE(until([&] { return pool->size() == 0; }));
  pool->keep_up();
  EXPECT_TRUE(until_idle(pool));
  EXPECT_EQ(starts_, 2);
}

TEST_F(IdleInstances, ThatFailToStartAreTriedAgainLater) {
  driver_.refusal = Error(ErrorCode::unavailable, "no such runtime");
  const auto pool = make_pool();
  keep(pool, 2);
  settle();
  pool->keep_up();
  settle();
  EXPECT_EQ(starts_, 1);
  clock_.advance(1s);
  pool->keep_up();
  settle();
  EXPECT_EQ(starts_, 2);
  clock_.advance(1s);
  pool->keep_up();
  settle();
  EXPECT_EQ(starts_, 2);
  EXPECT_FALSE(pool->unused());  // it remembers when to try again
  clock_.advance(1s);
  driver_.refusal.reset();
  pool->keep_up();
  EXPECT_TRUE(until_idle(pool, 2));
}

TEST_F(IdleInstances, ThatAreKeptTakeNoRoomOfOthersThatAre) {
  budget_ = std::make_unique<InstanceBudget>(1);
  const auto first = make_pool();
  keep(first, 1);
  ASSERT_TRUE(until_idle(first));
  version_ = make_version(function::Kind::handler, "r2");
  const auto second = make_pool();
  keep(second, 1);
  settle();
  EXPECT_EQ(asked_for_room_, 1);
  EXPECT_EQ(wanted_room_for_, RoomFor::ahead);
  EXPECT_EQ(starts_, 1);
  const auto waiting = call(second);
  EXPECT_EQ(wanted_room_for_, RoomFor::call);
  EXPECT_TRUE(first->end_one_idle(Which::kept_too));
  EXPECT_TRUE(until([&] { return waiting->done(); }));
}

TEST_F(IdleInstances, AreStartedForCallsAloneWhileMemoryIsShort) {
  budget_->set_short_of_memory(true);
  const auto pool = make_pool();
  keep(pool, 2);
  settle();
  EXPECT_EQ(starts_, 0);
  served_call(pool);
  EXPECT_EQ(starts_, 1);
  EXPECT_EQ(asked_for_room_, 1);
}

// --- given up

TEST_F(IdleInstances, AreGivenUpAfterTheTimeThatTheirFunctionNames) {
  auto own = std::make_shared<function::Version>(*version_);
  own->configuration.idle_seconds = 10;
  version_ = own;
  const auto pool = make_pool();
  end(served_call(pool));
  ASSERT_TRUE(until_idle(pool));
  clock_.advance(9s);
  EXPECT_EQ(pool->end_idle(clock_.steady_now()), 1u);
  EXPECT_EQ(pool->counts().idle, 1u);
  clock_.advance(1s);
  pool->end_idle(clock_.steady_now());
  EXPECT_TRUE(until([&] { return pool->size() == 0; }));
}

TEST_F(IdleInstances, ThatAreIdleLongestGoFirst) {
  const auto pool = make_pool();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(finish(pool->start_ahead()));
    clock_.advance(1min);
  }
  const auto second = pool->instances()[1]->idle_since;
  EXPECT_EQ(pool->end_idle_since(second, Which::spare), 2u);
  EXPECT_TRUE(until([&] { return pool->size() == 1; }));
  EXPECT_FALSE(runtime(2)->stopped);
}

}  // namespace
}  // namespace lambda::pool
