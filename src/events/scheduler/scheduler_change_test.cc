// What is asked of the scheduler: schedules that are made, changed, declared and taken away.
#include "events/scheduler/scheduler_fixture.h"

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SchedulerTest, AChangedOneKeepsItsFirings) {
  save(definition("* * * * *"));
  fire_at(55s);
  auto changed = definition("*/5 * * * *");
  auto saved = await(scheduler_->save(changed));
  ASSERT_TRUE(saved);
  ASSERT_TRUE(saved->replaced);
  EXPECT_EQ(saved->replaced->definition.expression, "* * * * *");
  EXPECT_THAT(firings(), SizeIs(1));
  make();
  EXPECT_EQ(await(scheduler_->list("greet"))->at(0).schedule.definition, changed);
}

TEST_F(SchedulerTest, WhatIsQueuedStaysInLineOverAChange) {
  auto slow = definition("* * * * *");
  slow.overlap = Overlap::queue;
  save(slow);
  for (int i = 0; i < 4; ++i) fire_at(1min);
  EXPECT_EQ(await(scheduler_->show("greet", "default", 1, 1))->info.schedule.queued, 3u);
  slow.expression = "0 0 1 1 *";
  save(slow);
  EXPECT_EQ(await(scheduler_->show("greet", "default", 1, 1))->info.schedule.queued, 3u);
  start();
  until([this] { return invoker_.payloads.size() == 4; });
}

TEST_F(SchedulerTest, AFunctionTakesItsSchedulesWithIt) {
  save(definition("* * * * *"));
  ASSERT_TRUE(catalog_->delete_function("greet"));
  // Before it is told: what the database does not have any more is not fired.
  fire_at(1min);
  scheduler_->forget("greet");
  EXPECT_THAT(*await(scheduler_->list("")), IsEmpty());
  auto saved = await(scheduler_->save(definition("* * * * *")));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code(), ErrorCode::not_found);
}

TEST_F(SchedulerTest, DeclaredOnesGoWhenTheyAreNotDeclaredAnyMore) {
  save(definition("@daily", "by-hand"));
  std::vector<ScheduleDefinition> both{definition("@hourly", "a"), definition("@daily", "b")};
  const auto created = await(scheduler_->declare("greet", both));
  ASSERT_TRUE(created);
  EXPECT_EQ(*created,
            (Scheduler::Changes{{"a", ScheduleChange::created}, {"b", ScheduleChange::created}}));
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(3));
  both.pop_back();
  both.front().overlap = Overlap::allow;
  const auto changed = await(scheduler_->declare("greet", both));
  ASSERT_TRUE(changed);
  EXPECT_EQ(*changed,
            (Scheduler::Changes{{"a", ScheduleChange::changed}, {"b", ScheduleChange::removed}}));
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(2));
  both.push_back(definition("@dialy", "c"));
  EXPECT_FALSE(await(scheduler_->declare("greet", both)));
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(2));
  make();
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(2));
}

TEST_F(SchedulerTest, RefusesWhatIsWrongAndSaysWhy) {
  const auto refusal = [this](const ScheduleDefinition& wrong) {
    auto saved = await(scheduler_->save(wrong));
    return saved ? std::string("saved") : saved.error().message();
  };
  EXPECT_THAT(refusal(definition("0 0 30 2 *")), HasSubstr("never"));
  EXPECT_THAT(refusal(definition("at(2020-01-01T00:00:00)")), HasSubstr("its time has passed"));
  EXPECT_THAT(refusal(definition("@daily", "a b")), HasSubstr("\"a b\""));
  auto wrong = definition("@daily");
  wrong.from = clock_.now() + 1h;
  wrong.until = clock_.now();
  EXPECT_THAT(refusal(wrong), HasSubstr("before it begins"));
  wrong = definition("@daily");
  wrong.until = clock_.now() + 1min;
  EXPECT_THAT(refusal(wrong), HasSubstr("never fire before it ends"));
  wrong = definition("@daily");
  wrong.data = std::string(kMaxEventBytes + 1, 'x');
  EXPECT_THAT(refusal(wrong), HasSubstr("1048577 bytes"));
  wrong = definition("@daily");
  wrong.jitter = 25h;
  EXPECT_THAT(refusal(wrong), HasSubstr("jitter"));
  EXPECT_THAT(await(scheduler_->run_now("greet", "x")).error().message(),
              HasSubstr("has no schedule \"x\""));
}

TEST_F(SchedulerTest, ADeclaredOneMayHaveEndedAndThereMayNotBeTooMany) {
  std::vector<ScheduleDefinition> declared = {definition("at(2020-01-01T00:00:00)")};
  ASSERT_TRUE(await(scheduler_->declare("greet", declared)));
  ASSERT_TRUE(await(scheduler_->declare("greet", declared)));
  const auto listed = await(scheduler_->list("greet"));
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_FALSE(listed->front().next);
  declared.clear();
  for (std::size_t i = 0; i <= kMostSchedules; ++i)
    declared.push_back(definition("@daily", "s" + std::to_string(i)));
  const auto many = await(scheduler_->declare("greet", declared));
  ASSERT_FALSE(many);
  EXPECT_THAT(many.error().message(), HasSubstr("1001 schedules"));
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(1));
}

TEST_F(SchedulerTest, SaysWhenOneWouldFireWithoutMakingIt) {
  const auto hour = WallTime(std::chrono::milliseconds(1'767'326'400'000));  // 04:00
  EXPECT_THAT(scheduler_->times(definition("0 * * * *"), 2), ElementsAre(hour, hour + 1h));
  EXPECT_THAT(scheduler_->times(definition("nonsense"), 2), IsEmpty());
  EXPECT_THAT(*await(scheduler_->list("greet")), IsEmpty());
}

TEST_F(SchedulerTest, TwoRequestsThatMakeOneAtOnceMakeOne) {
  std::vector<ScheduleDefinition> declared{definition("@hourly", "a"), definition("@daily", "b")};
  auto first = begin_on(loop_, scheduler_->declare("greet", declared));
  auto second = begin_on(loop_, scheduler_->declare("greet", declared));
  auto third = begin_on(loop_, scheduler_->save(definition("@weekly", "b")));
  until([&] { return first->done() && second->done() && third->done(); });
  EXPECT_TRUE(*first->value);
  for (const auto& error : {second->value->error(), third->value->error()}) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
    EXPECT_THAT(error.message(), HasSubstr("being changed"));
  }
  // What is in memory is what the database has: it fires.
  fire_at(1h);
  EXPECT_EQ(waiting().size(), 1u);
}

TEST_F(SchedulerTest, OneThatGoesIsNotChangedMeanwhile) {
  ASSERT_TRUE(await(scheduler_->declare("greet", {definition("@hourly", "a")})));
  auto gone = begin_on(loop_, scheduler_->declare("greet", {}));
  auto changed = begin_on(loop_, scheduler_->save(definition("@daily", "a")));
  until([&] { return gone->done() && changed->done(); });
  EXPECT_TRUE(*gone->value);
  EXPECT_EQ(changed->value->error().code(), ErrorCode::conflict);
}

TEST_F(SchedulerTest, OfBothKindsThereAreSoManyTogether) {
  save(definition("@daily", "by-hand"));
  std::vector<ScheduleDefinition> many;
  for (std::size_t i = 0; i < kMostSchedules; ++i)
    many.push_back(definition("@hourly", std::to_string(i)));
  auto refused = await(scheduler_->declare("greet", many));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("would have 1001 schedules"));
  many.pop_back();
  EXPECT_TRUE(await(scheduler_->declare("greet", many)));
  EXPECT_FALSE(await(scheduler_->save(definition("@daily", "one-more"))));
  EXPECT_TRUE(await(scheduler_->save(definition("@weekly", "by-hand"))));
  // Those that go make room.
  many.resize(10);
  EXPECT_TRUE(await(scheduler_->declare("greet", many)));
  EXPECT_TRUE(await(scheduler_->save(definition("@daily", "one-more"))));
}

TEST_F(SchedulerTest, DataIsMeasuredWithItsPlaceholdersFilledIn) {
  const std::string word = "<aws.scheduler.schedule-arn>";
  auto filled = definition("@daily");
  std::string data;
  while (data.size() + word.size() <= kMaxEventBytes) data += word;
  filled.data = data;
  auto saved = await(scheduler_->save(filled));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code(), ErrorCode::too_large);
  EXPECT_THAT(saved.error().message(), HasSubstr("filled in"));
}

}  // namespace
}  // namespace lambda::events
