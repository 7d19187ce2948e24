// Clocks that are wrong, and come right again.
#include "events/scheduler/scheduler_fixture.h"

#include <map>
#include <string>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::Field;
using ::testing::Le;
using ::testing::SizeIs;

class SchedulerClockTest : public SchedulerTest {
 public:
  void save_it(const std::string& expression, Misfire misfire) {
    auto every = definition(expression);
    every.misfire = misfire;
    every.overlap = Overlap::allow;
    save(every);
  }
  WallTime next() { return *await(scheduler_->list("greet"))->at(0).next; }
  // The times that were fired, each with how often.
  std::map<WallTime, int> fired() {
    std::map<WallTime, int> times;
    for (const auto& event : waiting()) {
      const auto payload = boost::json::parse(await(queue_->payload(event.id)).value()).as_object();
      ++times[time_of(std::string(payload.at("time").as_string()))];
    }
    return times;
  }

 private:
  static WallTime time_of(const std::string& text) {
    std::tm parts{};
    EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts), nullptr) << text;
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::from_time_t(::timegm(&parts)));
  }
};

TEST_F(SchedulerClockTest, AClockSetBackByYearsDoesNotSilenceIt) {
  save(definition("* * * * *"));
  fire_at(24h * 400);
  clock_.advance(-24h * 399);
  await(scheduler_->fire_due());
  fire_at(1min);
  EXPECT_THAT(firings(), SizeIs(1));
}

TEST_F(SchedulerClockTest, ARetryOfAClockThatWasAheadDoesNotSilenceIt) {
  save(definition("* * * * *"));
  clock_.advance(24h * 365);
  invoker_.fails = true;
  start();
  until([this] {
    const auto events = waiting();
    return !events.empty() && events[0].attempts == 1;
  });
  invoker_.fails = false;
  end();
  clock_.advance(-24h * 365);
  make();
  start();
  until([this] { return invoker_.payloads.size() == 2; });  // the retry
  until([this] { return waiting().empty(); });
  clock_.advance(1min);
  until([this] { return invoker_.payloads.size() == 3; });
}

TEST_F(SchedulerClockTest, AClockThatWasBehindForAWhileFiresNothingAgain) {
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

TEST_F(SchedulerClockTest, AnIntervalOfAClockThatWasAheadGoesOn) {
  fire_at(365 * 24h);
  save(definition("@every 90s"));
  fire_at(-365 * 24h);
  fire_at(100s);
  EXPECT_EQ(waiting().size(), 1u);
}

TEST_F(SchedulerClockTest, AnIntervalKeepsToItsTimesOverAStartWithAClockThatWasBehind) {
  save(definition("@every 24h"));
  const auto before = next();
  clock_.advance(-77h);
  make();
  fire_at(1ms);
  EXPECT_EQ((before - next()) % 24h, 0ms);
  clock_.advance(77h - 1ms);
  make();
  fire_at(0ms);
  EXPECT_EQ(next(), before);
}

// The clock is ahead for a moment, and the days that it has seen come then.
TEST_F(SchedulerClockTest, EachTimeThatAClockAheadLeftOutIsFiredWhenItComes) {
  for (const char* expression : {"5 4 4 * * *", "5 4 4 */2 * *", "5 4 4 * * SAT"}) {
    for (const auto misfire : {Misfire::skip, Misfire::once, Misfire::all}) {
      for (const auto ahead : {25h, 72h, 240h, 960h}) {
        SCOPED_TRACE(testing::Message() << expression << ", " << to_string(misfire) << ", ahead "
                                        << ahead.count() << " h");
        save_it(expression, misfire);
        fire_at(ahead + 2min);
        fire_at(-ahead - 2min);
        const auto begin = clock_.now();
        const auto early = fired();
        EXPECT_LE(early.size(), misfire == Misfire::skip   ? 0u
                                : misfire == Misfire::once ? 1u
                                                           : 40u);
        auto announced = next();
        for (auto time = 0h; time < 45 * 24h; time += 1h) {
          EXPECT_FALSE(early.contains(announced)) << "what was fired is not announced";
          fire_at(1h);
          if (announced > clock_.now()) continue;
          EXPECT_EQ(fired()[announced], 1);
          announced = next();
        }
        // And none was left out between them.
        const auto all = fired();
        Schedule schedule;
        schedule.definition = definition(expression);
        const auto times = FiringTimes::parse(schedule);
        for (auto time = times->next(begin); *time <= clock_.now(); time = times->next(*time))
          EXPECT_TRUE(all.contains(*time) && all.at(*time) == 1) << *time - begin;
        ASSERT_TRUE(await(scheduler_->remove("greet", "default")));
        ASSERT_TRUE(await(queue_->purge("greet", EventState::waiting)));
      }
    }
  }
}

TEST_F(SchedulerClockTest, TheSameOverStarts) {
  save_it("5 4 4 */2 * *", Misfire::skip);
  fire_at(10 * 24h);
  clock_.advance(-10 * 24h);
  for (auto time = 0h; time < 12 * 24h; time += 1h) {
    make();
    fire_at(1h);
  }
  EXPECT_THAT(fired(), SizeIs(6));
}

TEST_F(SchedulerClockTest, ATimeIsFiredTooWhereItWasLeftOutForTheOneBefore) {
  save(definition("5 4 4 * * *"));
  fire_at(1h);
  fire_at(24h);
  ASSERT_EQ(firings().at(0).outcome, Outcome::skipped);
  fire_at(-25h);
  EXPECT_THAT(firings(), SizeIs(0));
  ASSERT_TRUE(await(queue_->purge("greet", EventState::waiting)));
  for (int i = 0; i < 25; ++i) fire_at(1h);
  EXPECT_THAT(waiting(), SizeIs(1));
  EXPECT_EQ(firings().at(0).outcome, Outcome::fired);
}

TEST_F(SchedulerClockTest, WhatHasNotComeYetIsNotShownAndPushesNothingOut) {
  for (const auto misfire : {Misfire::once, Misfire::all}) {
    save_it("* * * * * *", misfire);
    fire_at(48h);
    for (int i = 0; i < 25; ++i) fire_at(1s);
    fire_at(-48h - 25s);
    for (int i = 1; i <= 150; ++i) {
      fire_at(1s);
      if (i == 90) {
        EXPECT_THAT(firings(), SizeIs(90));
      }
    }
    const auto shown = firings();
    EXPECT_GE(shown.size(), kFiringsKept);
    EXPECT_LE(shown.size(), kFiringsKept + 21);
    EXPECT_THAT(shown, Each(Field(&FiringInfo::time, Le(clock_.now()))));
    EXPECT_THAT(shown, Each(Field(&FiringInfo::outcome, Outcome::fired)));
    ASSERT_TRUE(await(scheduler_->remove("greet", "default")));
  }
}

TEST_F(SchedulerClockTest, SetBackByAnHourItStillShowsWhatItHasFired) {
  save_it("* * * * *", Misfire::once);
  for (int i = 0; i < 5; ++i) fire_at(1min);
  fire_at(-1h);
  EXPECT_THAT(firings(), SizeIs(5));
}

TEST_F(SchedulerClockTest, ABlipIsSeenAtOnce) {
  save_it("5 4 4 * * *", Misfire::once);
  start();
  const auto tomorrow = next();
  clock_.advance(72h);
  until([this] { return !invoker_.payloads.empty(); });
  clock_.advance(-72h);
  until([this, tomorrow] { return next() == tomorrow; });
  clock_.advance(1h);
  until([this] { return invoker_.payloads.size() == 2; });
}

TEST_F(SchedulerClockTest, ABlipIsSeenInWhichAScheduleWasOnlyResumed) {
  save_it("5 4 4 * * *", Misfire::once);
  ASSERT_TRUE(await(scheduler_->set_paused("greet", "default", true)));
  clock_.advance(72h);
  ASSERT_TRUE(await(scheduler_->set_paused("greet", "default", false)));
  fire_at(-72h);
  fire_at(1h);
  EXPECT_THAT(waiting(), SizeIs(1));
}

TEST_F(SchedulerClockTest, AClockThatWasBehindForDaysAndCameRightFiresNothingAgain) {
  save_it("* * * * *", Misfire::once);
  for (int i = 0; i < 300; ++i) fire_at(1min);
  const auto before = clock_.now();
  fire_at(-48h);
  for (int i = 0; i < 30; ++i) fire_at(1h);
  const auto walked = waiting().size();
  fire_at(before - clock_.now());
  EXPECT_EQ(waiting().size(), walked);
  fire_at(1min);
  EXPECT_EQ(waiting().size(), walked + 1);
}

TEST_F(SchedulerClockTest, WhatWasLeftOutInTruthIsStillToldAfterAClockThatWasBehind) {
  save(definition("* * * * *"));
  for (int i = 0; i < 5; ++i) fire_at(1min);
  const auto before = firings();
  ASSERT_EQ(before.at(0).outcome, Outcome::skipped);
  fire_at(-48h);
  fire_at(48h);
  EXPECT_EQ(firings().size(), before.size());
}

}  // namespace
}  // namespace lambda::events
