// The scheduler with a real database (in memory) and a real queue; the clock is moved by hand.
#include "events/scheduler/scheduler.h"

#include "base/blocking.h"
#include "events/webhook/sender.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"
#include "store/master_key.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <type_traits>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Answers, fails, or leaves a call open until `release`.
class ScriptedInvoker final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Outcome>> invoke(invoke::Call call) override {
    payloads.push_back(call.payload);
    if (hold) co_await release.wait();
    invoke::Outcome outcome;
    outcome.payload = "\"done\"";
    outcome.executed_version = "1";
    co_return outcome;
  }

  std::vector<std::string> payloads;
  bool hold = false;
  AsyncEvent release;
};

class SchedulerTest : public testing::Test {
 public:
  template <class T>
  auto await(Task<T> task) {
    std::conditional_t<std::is_void_v<T>, std::optional<bool>, std::optional<T>> value;
    bool ended = false;
    auto run = [](Task<T> inner, auto& result, bool& over) -> Task<void> {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(inner);
        result = true;
      } else {
        result = co_await std::move(inner);
      }
      over = true;
    };
    auto on_end = [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    };
    asio::co_spawn(loop_, run(std::move(task), value, ended), on_end);
    until([&ended] { return ended; });
    return std::move(*value);
  }
  template <class Condition>
  void until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    loop_.restart();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      loop_.run_for(5ms);
      loop_.restart();
    }
  }

  SchedulerTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{}));
    for (const char* name : {"greet", "other"}) add_function(name);
    commits_ = std::make_unique<store::GroupCommit>(*database_, store_thread_);
    webhooks_ = std::make_unique<WebhookSender>(
        WebhookSender::Parts{*catalog_, master_, store_thread_, clock_}, WebhookSender::Options());
    make();
  }
  ~SchedulerTest() override {
    end();
    store_thread_.finish();
    webhooks_->finish();
    loop_.abandon();
  }

  // A server that starts with what the database has.
  void make() {
    queue_ =
        std::make_unique<EventQueue>(EventQueue::Parts{loop_, *database_, *commits_, store_thread_,
                                                       *catalog_, invoker_, *webhooks_, clock_},
                                     EventQueue::Limits());
    scheduler_ = std::make_unique<Scheduler>(
        Scheduler::Parts{loop_, *database_, *commits_, store_thread_, *queue_, *catalog_, clock_});
    ASSERT_TRUE(queue_->load());
    ASSERT_TRUE(scheduler_->load());
  }
  void end() {
    if (started_) {
      await(scheduler_->stop());
      await(queue_->stop(std::chrono::steady_clock::now() + 1s));
    }
    started_ = false;
  }
  // The loops of both; without, fire_due() is called by hand and nothing is carried out.
  void start() {
    queue_->start();
    scheduler_->start();
    started_ = true;
  }

  void add_function(const std::string& name) {
    function::DeployCommit commit;
    commit.function = name;
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.code.sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    commit.code.package_digest = std::string(64, 'a');
    ASSERT_TRUE(catalog_->commit_deploy(std::move(commit)));
  }

  static ScheduleDefinition definition(const std::string& expression,
                                       const std::string& name = "default") {
    ScheduleDefinition definition;
    definition.function = "greet";
    definition.name = name;
    definition.expression = expression;
    return definition;
  }
  void save(const ScheduleDefinition& definition) {
    auto saved = await(scheduler_->save(definition));
    ASSERT_TRUE(saved) << saved.error().message();
  }
  void fire_at(std::chrono::milliseconds step) {
    clock_.advance(step);
    await(scheduler_->fire_due());
  }
  std::vector<FiringInfo> firings(const std::string& name = "default") {
    auto shown = await(scheduler_->show("greet", name, 5, 2'000));
    EXPECT_TRUE(shown);
    return shown ? shown->firings : std::vector<FiringInfo>();
  }
  std::vector<EventInfo> waiting() {
    EventTable::Listing listing;
    listing.function = "greet";
    listing.state = EventState::waiting;
    listing.limit = 1'000;
    return std::move(*await(queue_->list(listing)));
  }

  FakeClock clock_;  // 03:04:05
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  ScriptedInvoker invoker_;
  std::unique_ptr<store::GroupCommit> commits_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<WebhookSender> webhooks_;
  std::unique_ptr<EventQueue> queue_;
  std::unique_ptr<Scheduler> scheduler_;
  bool started_ = false;
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
};

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
  EXPECT_THAT(waiting(), SizeIs(2));
  EXPECT_THAT(firings(), SizeIs(2));
}

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

TEST_F(SchedulerTest, AClockSetBackByYearsDoesNotSilenceIt) {
  save(definition("* * * * *"));
  fire_at(24h * 400);
  const auto before = firings().size();
  clock_.advance(-24h * 399);
  await(scheduler_->fire_due());
  fire_at(1min);
  EXPECT_EQ(firings().size(), before + 1);
}

TEST_F(SchedulerTest, AClockThatWasBehindForAWhileFiresNothingAgain) {
  for (const auto* name : {"all", "once"}) {
    auto every = definition("* * * * *", name);
    every.misfire = name == std::string("all") ? Misfire::all : Misfire::once;
    every.overlap = Overlap::allow;
    save(every);
  }
  for (int i = 0; i < 300; ++i) fire_at(1min);
  const auto fired = waiting().size();
  EXPECT_EQ(fired, 600u);
  fire_at(-48h);
  fire_at(48h);
  EXPECT_EQ(waiting().size(), fired);
  fire_at(1min);
  EXPECT_EQ(waiting().size(), fired + 2);
  // The same over a start.
  clock_.advance(-48h);
  make();
  fire_at(1ms);
  clock_.advance(48h);
  make();
  fire_at(1ms);
  EXPECT_EQ(waiting().size(), fired + 2);
}

TEST_F(SchedulerTest, AnIntervalOfAClockThatWasAheadGoesOn) {
  fire_at(365 * 24h);
  save(definition("@every 90s"));
  fire_at(-365 * 24h);
  fire_at(100s);
  EXPECT_EQ(waiting().size(), 1u);
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
  ASSERT_TRUE(await(scheduler_->declare("greet", both)));
  EXPECT_THAT(*await(scheduler_->list("greet")), SizeIs(3));
  both.pop_back();
  ASSERT_TRUE(await(scheduler_->declare("greet", both)));
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

TEST_F(SchedulerTest, KeepsTheNewestHundredFirings) {
  auto wanted = definition("* * * * *");
  wanted.overlap = Overlap::allow;
  save(wanted);
  for (int i = 0; i < 150; ++i) fire_at(1min);
  EXPECT_LE(firings().size(), 121u);
  EXPECT_GE(firings().size(), 100u);
}

}  // namespace
}  // namespace lambda::events
