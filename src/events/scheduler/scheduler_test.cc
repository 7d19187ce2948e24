// What fires, when, and what becomes of it.
#include "events/scheduler/scheduler_fixture.h"

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SchedulerTest, SaysWhenItFiresNext) {
  auto saved = await(scheduler_->save(definition("0 * * * *")));
  ASSERT_TRUE(saved);
  const auto hour = WallTime(std::chrono::milliseconds(1'767'326'400'000));  // 04:00
  EXPECT_THAT(saved->times, ElementsAre(hour, hour + 1h, hour + 2h));
  EXPECT_FALSE(saved->replaced);
}

TEST_F(SchedulerTest, AFiringIsAnEventOfTheQueueAndHappensOnce) {
  save(definition("* * * * *"));
  fire_at(54s);
  EXPECT_THAT(waiting(), IsEmpty());
  fire_at(1s);
  const auto events = waiting();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].source, EventSource::schedule);
  fire_at(0s);
  fire_at(30s);
  EXPECT_THAT(waiting(), SizeIs(1));
  const auto shown = firings();
  ASSERT_THAT(shown, SizeIs(1));
  EXPECT_EQ(shown[0].event, events[0].id);
  EXPECT_EQ(shown[0].state, "waiting");
  EXPECT_EQ(*shown[0].decided - shown[0].time, 0ms);
}

TEST_F(SchedulerTest, TellsWhatItDecidesAndHowLateThatIs) {
  std::vector<std::string> told;
  scheduler_->on_decided([&told](const Scheduler::Decided& decided) {
    told.push_back(fmt::format("{} {} {}", to_string(decided.outcome), decided.count,
                               decided.late ? decided.late->count() : -1));
  });
  auto skipping = definition("* * * * *");
  skipping.overlap = Overlap::skip;
  save(skipping);
  fire_at(55s);
  fire_at(0s);
  fire_at(61s);  // the first still waits
  EXPECT_THAT(told, ElementsAre("fired 1 0", "skipped 1 -1"));
  told.clear();
  auto both = definition("* * * * *", "both");
  both.overlap = Overlap::allow;
  save(both);
  fire_at(65s);
  EXPECT_THAT(told, testing::Contains("fired 1 6000"));
}

TEST_F(SchedulerTest, TheEventIsEventBridges) {
  save(definition("0 4 * * *", "nightly"));
  fire_at(56min);
  const auto payload = await(queue_->payload(waiting().at(0).id)).value();
  const auto event = boost::json::parse(payload).as_object();
  EXPECT_EQ(event.at("detail-type"), "Scheduled Event");
  EXPECT_EQ(event.at("source"), "aws.events");
  EXPECT_EQ(event.at("time"), "2026-01-02T04:00:00Z");
  EXPECT_EQ(event.at("id"), waiting().at(0).id.c_str());
  EXPECT_EQ(event.at("resources").at(0), "arn:aws:events:us-east-1:000000000000:rule/nightly");
}

TEST_F(SchedulerTest, ItsOwnDataKnowsItsTime) {
  auto wanted = definition("0 4 * * *");
  wanted.data = R"({"at": "<aws.scheduler.scheduled-time>", "plain": 1})";
  save(wanted);
  fire_at(56min);
  EXPECT_EQ(await(queue_->payload(waiting().at(0).id)).value(),
            R"({"at": "2026-01-02T04:00:00Z", "plain": 1})");
}

TEST_F(SchedulerTest, IsCarriedOutAndItsResultIsKept) {
  save(definition("* * * * *"));
  start();
  clock_.advance(56s);
  until([this] { return !invoker_.payloads.empty(); });
  until([this] { return firings().at(0).state == "succeeded"; });
  EXPECT_TRUE(firings().at(0).finished);
  // The event is removed after a while; what it came to is still known.
  store_thread_.post([this] {
    (void)database_->change(
        "test", [](SQLite::Database& database) { database.exec("DELETE FROM events"); });
  });
  EXPECT_EQ(firings().at(0).state, "succeeded");
}

TEST_F(SchedulerTest, SkipsWhileTheLastOneRuns) {
  save(definition("* * * * *"));
  invoker_.hold = true;
  start();
  clock_.advance(56s);
  until([this] { return invoker_.payloads.size() == 1; });
  clock_.advance(60s);
  until([this] { return firings().size() == 2; });
  EXPECT_EQ(firings()[0].outcome, Outcome::skipped);
  invoker_.hold = false;
  invoker_.release.set();
  until([this] { return firings()[1].state == "succeeded"; });
  clock_.advance(60s);
  until([this] { return invoker_.payloads.size() == 2; });
}

TEST_F(SchedulerTest, QueuedOnesRunOneAfterAnother) {
  auto wanted = definition("* * * * *");
  wanted.overlap = Overlap::queue;
  save(wanted);
  invoker_.hold = true;
  start();
  clock_.advance(56s);
  until([this] { return invoker_.payloads.size() == 1; });
  for (int i = 0; i < 2; ++i) {
    clock_.advance(60s);
    until([this, i] { return firings().size() == static_cast<std::size_t>(i) + 2; });
  }
  EXPECT_THAT(invoker_.payloads, SizeIs(1));
  EXPECT_EQ(firings()[0].outcome, Outcome::queued);
  invoker_.hold = false;
  invoker_.release.set();
  until([this] { return invoker_.payloads.size() == 3; });
  until([this] { return firings()[0].state == "succeeded"; });
  EXPECT_THAT(invoker_.payloads[1], HasSubstr("03:06:00Z"));
  EXPECT_THAT(invoker_.payloads[2], HasSubstr("03:07:00Z"));
}

TEST_F(SchedulerTest, AServerThatComesBackGoesOnWhereItWas) {
  save(definition("* * * * *"));
  fire_at(55s);
  make();
  fire_at(0s);
  EXPECT_THAT(waiting(), SizeIs(1));
  // Ten minutes down: one is made up for, and the rest is told of in one row.
  clock_.advance(10min);
  make();
  fire_at(0s);
  const auto shown = firings();
  ASSERT_THAT(shown, SizeIs(4));
  EXPECT_EQ(shown[2].outcome, Outcome::missed);
  EXPECT_EQ(shown[2].count, 8u);
  // The last one waits still.
  EXPECT_EQ(shown[1].outcome, Outcome::skipped);
}

TEST_F(SchedulerTest, PausedItDoesNotFireAndMakesUpForNothing) {
  auto wanted = definition("* * * * *");
  wanted.misfire = Misfire::all;
  save(wanted);
  auto paused = await(scheduler_->set_paused("greet", "default", true));
  ASSERT_TRUE(paused);
  EXPECT_FALSE(paused->next);
  fire_at(10min);
  make();
  fire_at(0s);
  EXPECT_THAT(waiting(), IsEmpty());
  ASSERT_TRUE(await(scheduler_->set_paused("greet", "default", false)));
  fire_at(0s);
  EXPECT_THAT(waiting(), IsEmpty());
  fire_at(1min);
  EXPECT_THAT(waiting(), SizeIs(1));
}

TEST_F(SchedulerTest, RunsWhenItIsTold) {
  save(definition("0 0 1 1 *"));
  const auto id = await(scheduler_->run_now("greet", "default"));
  const auto again = await(scheduler_->run_now("greet", "default"));
  ASSERT_TRUE(id && again);
  clock_.advance(1ms);
  EXPECT_THAT(waiting(), SizeIs(2));
  EXPECT_THAT(firings(), SizeIs(2));
}

TEST_F(SchedulerTest, JitterMovesTheEventAndNotTheFiring) {
  auto wanted = definition("* * * * *");
  wanted.jitter = 30s;
  save(wanted);
  fire_at(55s);
  const auto event = waiting().at(0);
  EXPECT_GE(*event.due, clock_.now());
  EXPECT_LE(*event.due, clock_.now() + 30s);
  EXPECT_EQ(firings().at(0).time, clock_.now());
}

TEST_F(SchedulerTest, WhatWaitsForItsJitterIsNotOldByThat) {
  auto late = definition("* * * * *");
  late.jitter = 24h;
  late.overlap = Overlap::allow;
  save(late);
  for (int i = 0; i < 20; ++i) fire_at(1min);
  const auto events = waiting();
  ASSERT_EQ(events.size(), 20u);
  queue_->start();  // alone: no firings on top of these
  started_ = true;
  for (int i = 0; i < 25; ++i) {
    clock_.advance(1h);
    queue_->notice("greet", clock_.now());  // it need not wait for the next look at the clock
    const auto due =
        std::ranges::count_if(events, [this](const auto& e) { return e.due <= clock_.now(); });
    until([this, due] { return invoker_.payloads.size() >= static_cast<std::size_t>(due); });
    // No call lasts an hour.
    while (true) {
      const auto depths = std::move(*await(queue_->depths("greet")));
      if (depths.empty() || depths.front().running == 0) break;
    }
  }
  const auto depths = std::move(*await(queue_->depths("greet")));
  EXPECT_TRUE(depths.empty() || depths.front().dead == 0);
}

TEST_F(SchedulerTest, JitterEndsWithTheSchedule) {
  auto ending = definition("* * * * *");
  ending.jitter = 24h;
  ending.overlap = Overlap::allow;
  ending.until = clock_.now() + 10min;
  save(ending);
  for (int i = 0; i < 10; ++i) fire_at(1min);
  for (const auto& event : waiting()) EXPECT_LE(event.due, *ending.until);
}

TEST_F(SchedulerTest, ARunByHandTakesNoTurnFromAFiringThatStillRuns) {
  save(definition("* * * * *"));
  fire_at(1min);
  const auto scheduled = waiting().front().id;
  const auto by_hand = await(scheduler_->run_now("greet", "default"));
  ASSERT_TRUE(by_hand);
  ASSERT_TRUE(await(queue_->cancel(*by_hand)));
  fire_at(1min);
  EXPECT_EQ(firings().front().outcome, Outcome::skipped);
  EXPECT_EQ(waiting().size(), 1u);
  EXPECT_EQ(waiting().front().id, scheduled);
}

TEST_F(SchedulerTest, KeepsTheNewestHundredFirings) {
  auto wanted = definition("* * * * *");
  wanted.overlap = Overlap::allow;
  save(wanted);
  for (int i = 0; i < 150; ++i) fire_at(1min);
  EXPECT_LE(firings().size(), 121u);
  EXPECT_GE(firings().size(), 100u);
}

TEST_F(SchedulerTest, WhatIsMadeUpForComesInSmallTransactions) {
  std::vector<ScheduleDefinition> many;
  for (int i = 0; i < 20; ++i) {
    auto one = definition("* * * * *", std::to_string(i));
    one.misfire = Misfire::all;
    one.overlap = Overlap::allow;
    many.push_back(one);
  }
  ASSERT_TRUE(await(scheduler_->declare("greet", many)));
  clock_.advance(200min);
  // Counted at every commit: none of them writes more than its part.
  std::vector<int> written;
  auto count = [this, &written] {
    (void)database_->read("count", [&written](SQLite::Database& database) {
      written.push_back(database.execAndGet("SELECT count(*) FROM events").getInt());
    });
  };
  auto fired = begin_on(loop_, [](Scheduler& scheduler) -> Task<bool> {
    co_await scheduler.fire_due();
    co_return true;
  }(*scheduler_));
  until([&] {
    count();
    return fired->done();
  });
  count();
  EXPECT_EQ(written.back(), 20 * 200);
  written.insert(written.begin(), 0);
  for (std::size_t i = 1; i < written.size(); ++i) EXPECT_LE(written[i] - written[i - 1], 1'024);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(firings(std::to_string(i)), SizeIs(200));
}

TEST_F(SchedulerTest, ARunByHandNeverTakesATimeThatIsDue) {
  auto often = definition("* * * * *");
  often.overlap = Overlap::allow;
  save(often);
  clock_.advance(55s);  // 03:05:00.000: due, and not fired yet
  ASSERT_TRUE(await(scheduler_->run_now("greet", "default")));
  await(scheduler_->fire_due());
  clock_.advance(1ms);
  const auto fired = firings();
  ASSERT_THAT(fired, SizeIs(2));
  EXPECT_EQ(fired[0].time, clock_.now());
  EXPECT_EQ(fired[1].time, clock_.now() - 1ms);
  EXPECT_EQ(waiting().size(), 2u);
}

}  // namespace
}  // namespace lambda::events
