// Instances that are kept ready on a shard, and the giving up of idle ones over all shards.
#include "invoke/shard_fixture.h"
#include "invoke/sharded_invoker.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

class KeptInstances : public ShardTest {
 public:
  KeptInstances() { keep_of(2); }
  // What the version keeps.
  void keep_of(unsigned count, const std::string& function = "greet") {
    auto changed = std::make_shared<function::Version>(*version_);
    changed->function = function;
    changed->configuration.min_instances = count;
    version_ = changed;
  }
  bool until_idle(std::uint64_t count) {
    return until([&] {
      std::uint64_t idle = 0;
      for (const auto& [key, counts] : shard().gauges().instances) idle += counts.idle;
      return idle == count;
    });
  }
};

TEST_F(KeptInstances, AreThereBeforeTheFirstCallWhichIsNoColdStart) {
  shard().keep({target()});
  ASSERT_TRUE(until_idle(2));
  const auto outcome = outcome_of("1");
  EXPECT_FALSE(outcome.timing.cold);
  EXPECT_THAT(outcome.log_tail, HasSubstr("REPORT"));
  EXPECT_THAT(outcome.log_tail, Not(HasSubstr("Init Duration")));
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(KeptInstances, AreAllThereWhenTheDeployHasPreparedThem) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  EXPECT_EQ(driver_.runtimes.size(), 2u);
  auto published = std::make_shared<function::Version>(*prepared);
  published->revision_id = "published";
  version_ = published;
  shard().adopt(prepared, published);
  EXPECT_FALSE(outcome_of("1").timing.cold);
  EXPECT_FALSE(shard().make_room(Shard::Which::spare));
  // Another version became live meanwhile.
  shard().keep({});
  EXPECT_TRUE(shard().make_room(Shard::Which::spare));
}

TEST_F(KeptInstances, AreStartedAnewWhereTheyWereRetired) {
  shard().keep({target()});
  ASSERT_TRUE(until_idle(2));
  shard().retire(version_);
  shard().keep({target()});
  ASSERT_TRUE(until_idle(2));
  EXPECT_EQ(driver_.runtimes.size(), 4u);
}

TEST_F(KeptInstances, OfAVersionThatBecameLiveJustNowAreThoseOfItsDeploy) {
  shard().keep({});
  shard().keep({target()});
  settle();
  EXPECT_TRUE(driver_.runtimes.empty());
  shard().keep({target()});
  EXPECT_TRUE(until_idle(2));
}

TEST_F(KeptInstances, BeyondTheRoomThatThereIsComeLater) {
  budget_ = std::make_unique<pool::InstanceBudget>(1);
  Invoker::InitFailure failure;
  ASSERT_TRUE(finish(shard().prepare(version_, failure)));
  EXPECT_EQ(driver_.runtimes.size(), 1u);
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
}

TEST_F(KeptInstances, AreNotStartedForAVersionThatIsNotCurrent) {
  shard().set_standing([](const function::Resolved&) { return function::Standing::deleted; });
  shard().keep({target()});
  settle();
  EXPECT_TRUE(driver_.runtimes.empty());
}

TEST_F(KeptInstances, AreGivenUpForACallThatFindsNoOtherRoom) {
  budget_ = std::make_unique<pool::InstanceBudget>(2);
  shard().keep({target()});
  ASSERT_TRUE(until_idle(2));
  keep_of(0, "other");
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(driver_.runtimes.size(), 3u);
}

TEST_F(KeptInstances, GoLastWhenIdleInstancesAreGivenUp) {
  ShardedInvoker invoker({loop_.get()}, *starter_, limits_, 10, clock_);
  keep_of(1);
  const auto kept = version_;
  invoker.keep({target()});
  ASSERT_TRUE(until([&] { return driver_.runtimes.size() == 1; }));
  settle();
  for (const char* name : {"second", "third"}) {
    clock_.advance(1min);
    keep_of(0, name);
    ASSERT_TRUE(finish(invoker.invoke(call("1"))));
    settle();
  }
  const auto stopped = [this](std::size_t i) { return driver_.runtimes.at(i)->stopped; };
  EXPECT_EQ(finish(invoker.give_up_idle(1)), 1u);
  EXPECT_TRUE(until([&] { return stopped(1); }));
  EXPECT_EQ(finish(invoker.give_up_idle(1)), 1u);
  EXPECT_TRUE(until([&] { return stopped(2); }));
  EXPECT_FALSE(stopped(0));
  EXPECT_EQ(finish(invoker.give_up_idle(1)), 1u);
  EXPECT_TRUE(until([&] { return stopped(0); }));
  EXPECT_EQ(finish(invoker.give_up_idle(1)), 0u);
  finish(invoker.stop(std::chrono::steady_clock::now() + 5s));
  settle();
}

}  // namespace
}  // namespace lambda::invoke
