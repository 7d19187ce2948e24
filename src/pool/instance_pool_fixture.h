// What the tests of pools share: pools whose instances live in scripted sandboxes, calls that want
// a slot in them, and starts that can be counted and held. For tests alone; one thread.
#pragma once

#include "pool/instance_fixture.h"
#include "pool/instance_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lambda::pool {

using InitFailure = InstancePool::InitFailure;
using Which = InstancePool::Which;

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
    limits_.longest_wait = std::chrono::hours(1);
  }
  ~InstancePoolTest() override {
    for (auto& call : calls_) call->value.reset();
    for (auto& pool : pools_) {
      if (hold_starts_ != nullptr) hold_starts_->set();
      pool->end_all("the test is over");
      finish(pool->wait_empty(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
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
    auto room = [this](RoomFor who) {
      ++asked_for_room_;
      wanted_room_for_ = who;
    };
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
  void end(const Call& call, std::chrono::milliseconds after = std::chrono::milliseconds(0)) {
    clock_.advance(after);
    const auto* instance = &call->value->lease->instance();
    call->value.reset();
    EXPECT_TRUE(instance != nullptr);
    settle();
  }
  static Instance& instance_of(const Call& call) { return call->value->lease->instance(); }
  // A pool that knows: a start costs about 100 ms, a call takes `time`; one instance is idle.
  std::shared_ptr<InstancePool> pool_with_calls_of(std::chrono::milliseconds time) {
    auto pool = make_pool();
    start_takes_ = std::chrono::milliseconds(100);
    for (int i = 0; i < 12; ++i) end(served_call(pool), time);
    EXPECT_EQ(starts_, 1);
    return pool;
  }

  PoolLimits limits_;
  std::unique_ptr<InstanceBudget> budget_ = std::make_unique<InstanceBudget>(100);
  int starts_ = 0;
  int asked_for_room_ = 0;
  std::optional<RoomFor> wanted_room_for_;
  std::chrono::milliseconds start_takes_{100};
  AsyncEvent* hold_starts_ = nullptr;
  AsyncEvent held_;
  std::vector<std::shared_ptr<InstancePool>> pools_;
  std::vector<Call> calls_;
};

}  // namespace lambda::pool
