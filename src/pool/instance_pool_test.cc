#include "pool/instance_pool.h"

#include "pool/instance_fixture.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

namespace lambda::pool {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using InitFailure = InstancePool::InitFailure;

struct Acquired {
  Result<Lease> lease = Lease();
  std::optional<InitFailure> init_failure;
};
using Call = std::shared_ptr<Begun<Acquired>>;

class InstancePoolTest : public InstanceFixture {
 public:
  InstancePoolTest() {
    // Real time is never waited for here: nothing gives up, and nothing looks at the line, of
    // itself.
    limits_.longest_wait = 1h;
  }
  ~InstancePoolTest() override {
    for (auto& call : calls_) call->value.reset();
    for (auto& pool : pools_) {
      if (hold_starts_ != nullptr) hold_starts_->set();
      pool->end_all("the test is over");
      finish(pool->wait_empty(std::chrono::steady_clock::now() + 10s));
    }
    settle();
    EXPECT_EQ(budget_->used(), 0u);
    pools_.clear();
    calls_.clear();
    driver_.runtimes.clear();
    settle();
  }

  static Task<Result<std::shared_ptr<Instance>>> start_instance(InstancePoolTest* test,
                                                                function::VersionPtr version) {
    ++test->starts_;
    if (test->hold_starts_ != nullptr) {
      co_await test->hold_starts_->wait();
      test->hold_starts_->reset();  // one start for each set()
    }
    const Instance::Services services{test->logs_->source(version->function), test->clock_};
    auto instance =
        std::make_shared<Instance>(test->loop_->get_executor(), std::move(version), "i", services);
    sandbox::SandboxSpec spec;
    auto started = co_await instance->start(test->driver_, std::move(spec));
    test->clock_.advance(test->start_takes_);
    if (!started) co_return fail(std::move(started.error()));
    co_return instance;
  }

  std::shared_ptr<InstancePool> make_pool() {
    auto start = [this](function::VersionPtr version) {
      return start_instance(this, std::move(version));
    };
    auto room = [this] { ++asked_for_room_; };
    pools_.push_back(std::make_shared<InstancePool>(loop_->get_executor(), version_, limits_,
                                                    *budget_, start, room, clock_));
    return pools_.back();
  }
  static Task<Acquired> take(std::shared_ptr<InstancePool> pool) {
    Acquired acquired;
    acquired.lease = co_await pool->acquire(acquired.init_failure);
    co_return acquired;
  }
  // The one place there is belongs to an idle instance of another version.
  struct Crowded {
    std::shared_ptr<InstancePool> holder;
    std::shared_ptr<InstancePool> pool;
    std::shared_ptr<Begun<Result<std::optional<InitFailure>>>> ahead;
  };
  Crowded start_ahead_without_room() {
    budget_ = std::make_unique<InstanceBudget>(1);
    Crowded crowded;
    crowded.holder = make_pool();
    end(served_call(crowded.holder));
    version_ = make_version(function::Kind::handler, "r2");
    crowded.pool = make_pool();
    crowded.ahead = begin(crowded.pool->start_ahead());
    EXPECT_TRUE(until([&] { return asked_for_room_ > 0; }));
    return crowded;
  }
  // A call that wants a slot.
  Call call(const std::shared_ptr<InstancePool>& pool) {
    calls_.push_back(begin(take(pool)));
    settle();
    return calls_.back();
  }
  Call served_call(const std::shared_ptr<InstancePool>& pool) {
    auto made = call(pool);
    EXPECT_TRUE(until([&] { return made->done(); }));
    EXPECT_TRUE(made->value->lease && *made->value->lease);
    return made;
  }
  // Ends a call, `after` some time, and waits until its slot is free again.
  void end(const Call& call, milliseconds after = 0ms) {
    clock_.advance(after);
    const auto* instance = &call->value->lease->instance();
    call->value.reset();
    EXPECT_TRUE(instance != nullptr);
    settle();
  }
  static Instance& instance_of(const Call& call) { return call->value->lease->instance(); }
  // A pool that knows: a start costs about 100 ms, a call takes `time`; one instance is idle.
  std::shared_ptr<InstancePool> pool_with_calls_of(milliseconds time) {
    auto pool = make_pool();
    start_takes_ = 100ms;
    for (int i = 0; i < 12; ++i) end(served_call(pool), time);
    EXPECT_EQ(starts_, 1);
    return pool;
  }

  PoolLimits limits_;
  std::unique_ptr<InstanceBudget> budget_ = std::make_unique<InstanceBudget>(100);
  int starts_ = 0;
  int asked_for_room_ = 0;
  milliseconds start_takes_ = 100ms;
  AsyncEvent* hold_starts_ = nullptr;
  AsyncEvent held_;
  std::vector<std::shared_ptr<InstancePool>> pools_;
  std::vector<Call> calls_;
};

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
  end(running);
  EXPECT_EQ(pool->oldest_idle(), clock_.steady_now());
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
  EXPECT_TRUE(pool->end_one_idle());
  EXPECT_TRUE(pool->room_is_coming());
  EXPECT_FALSE(pool->end_one_idle());
  EXPECT_TRUE(until([&] { return waiting->done(); }));
}

TEST_F(InstancePoolTest, AStartAheadWaitsForRoomInTheBudget) {
  const auto [pool, other, ahead] = start_ahead_without_room();
  ASSERT_GT(asked_for_room_, 0);
  EXPECT_FALSE(other->unused());  // or its owner would forget it, and the instance with it
  EXPECT_TRUE(pool->end_one_idle());
  ASSERT_TRUE(until([&begun = *ahead] { return begun.done(); }));
  EXPECT_TRUE(*ahead->value);
}

TEST_F(InstancePoolTest, AStartAheadThatIsGivenUpMeanwhileKeepsNoRoom) {
  const auto [pool, other, ahead] = start_ahead_without_room();
  ASSERT_GT(asked_for_room_, 0);
  other->retire();
  EXPECT_TRUE(pool->end_one_idle());
  ASSERT_TRUE(until([&begun = *ahead] { return begun.done(); }));
  EXPECT_FALSE(*ahead->value);
  EXPECT_TRUE(other->unused());
  EXPECT_EQ(budget_->used(), 0u);
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
  EXPECT_FALSE(pool->end_one_idle());
  settle();
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  end(tunnel);
  EXPECT_EQ(pool->oldest_idle(), clock_.steady_now());
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

// --- the end of a pool

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
