#include "events/scheduler/firing_plan.h"

#include <gmock/gmock.h>

#include <chrono>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const WallTime kPlannedAt{std::chrono::milliseconds(1'767'323'040'000)};  // 2026-01-02T03:04:00Z

Decision made(WallTime time, Outcome outcome, std::uint64_t count = 1) {
  Decision decision;
  decision.time = time;
  decision.outcome = outcome;
  decision.count = count;
  return decision;
}

// Every minute, decided up to kPlannedAt.
class FiringPlan : public testing::Test {
 public:
  FiringPlan() {
    schedule_.definition.expression = "* * * * *";
    schedule_.created = schedule_.decided = kPlannedAt;
  }
  Decisions at(WallTime now, bool runs = false, std::size_t most = 100) {
    const auto times = FiringTimes::parse(schedule_);
    EXPECT_TRUE(times);
    return decide(schedule_, *times, runs, now, most);
  }

  Schedule schedule_;
};

TEST_F(FiringPlan, DecidesNothingBeforeItsTime) {
  const auto decisions = at(kPlannedAt + 59s);
  EXPECT_THAT(decisions.firings, IsEmpty());
  EXPECT_EQ(decisions.decided, kPlannedAt);
  EXPECT_EQ(decisions.next, kPlannedAt + 1min);
}

TEST_F(FiringPlan, FiresOnTimeAndLookInVainAgain) {
  const auto decisions = at(kPlannedAt + 1min);
  EXPECT_THAT(decisions.firings, ElementsAre(made(kPlannedAt + 1min, Outcome::fired)));
  schedule_.decided = decisions.decided;
  EXPECT_THAT(at(kPlannedAt + 1min).firings, IsEmpty());
  EXPECT_THAT(at(kPlannedAt + 119s).firings, IsEmpty());
}

TEST_F(FiringPlan, LeavesOutWhatIsDueWhileTheLastOneRuns) {
  EXPECT_THAT(at(kPlannedAt + 1min, true).firings,
              ElementsAre(made(kPlannedAt + 1min, Outcome::skipped)));
  schedule_.definition.overlap = Overlap::allow;
  EXPECT_THAT(at(kPlannedAt + 1min, true).firings,
              ElementsAre(made(kPlannedAt + 1min, Outcome::fired)));
}

TEST_F(FiringPlan, QueuesAndReleasesOneAtATime) {
  schedule_.definition.overlap = Overlap::queue;
  EXPECT_THAT(at(kPlannedAt + 1min, true).firings,
              ElementsAre(made(kPlannedAt + 1min, Outcome::queued)));
  schedule_.decided = kPlannedAt + 1min;
  schedule_.queued = 2;
  const auto later = at(kPlannedAt + 90s, false);
  EXPECT_TRUE(later.release);
  EXPECT_THAT(later.firings, IsEmpty());
  // What is due then stands behind those that wait.
  const auto due = at(kPlannedAt + 2min, false);
  EXPECT_TRUE(due.release);
  EXPECT_THAT(due.firings, ElementsAre(made(kPlannedAt + 2min, Outcome::queued)));
}

TEST_F(FiringPlan, QueuesNoMoreThanItsLimit) {
  schedule_.definition.overlap = Overlap::queue;
  schedule_.queued = kMostQueued;
  EXPECT_THAT(at(kPlannedAt + 1min, true).firings,
              ElementsAre(made(kPlannedAt + 1min, Outcome::skipped)));
}

TEST_F(FiringPlan, TwoOnTimeTogetherObeyOverlapToo) {
  schedule_.definition.expression = "*/30 * * * * *";
  EXPECT_THAT(at(kPlannedAt + 1min).firings,
              ElementsAre(made(kPlannedAt + 30s, Outcome::fired),
                          made(kPlannedAt + 1min, Outcome::skipped)));
}

TEST_F(FiringPlan, AFiringThatIsAMinuteLateIsStillFired) {
  EXPECT_THAT(at(kPlannedAt + 2min - 1ms).firings,
              ElementsAre(made(kPlannedAt + 1min, Outcome::fired)));
}

TEST_F(FiringPlan, OnceMakesUpForTheNewestOfWhatWasMissed) {
  // 04:01 to 04:09 were missed, 04:10 is on time.
  EXPECT_THAT(at(kPlannedAt + 10min + 1s).firings,
              ElementsAre(made(kPlannedAt + 8min, Outcome::missed, 8),
                          made(kPlannedAt + 9min, Outcome::fired),
                          made(kPlannedAt + 10min, Outcome::skipped)));
  schedule_.definition.overlap = Overlap::allow;
  EXPECT_THAT(at(kPlannedAt + 10min + 1s).firings,
              ElementsAre(made(kPlannedAt + 8min, Outcome::missed, 8),
                          made(kPlannedAt + 9min, Outcome::fired),
                          made(kPlannedAt + 10min, Outcome::fired)));
}

TEST_F(FiringPlan, OnceWithOneMissedFiresIt) {
  schedule_.definition.expression = "@hourly";
  // 04:00 was missed by ten minutes.
  EXPECT_THAT(at(kPlannedAt + 66min).firings,
              ElementsAre(made(kPlannedAt + 56min, Outcome::fired)));
}

TEST_F(FiringPlan, SkipMakesUpForNothing) {
  schedule_.definition.misfire = Misfire::skip;
  EXPECT_THAT(at(kPlannedAt + 10min + 1s).firings,
              ElementsAre(made(kPlannedAt + 9min, Outcome::missed, 9),
                          made(kPlannedAt + 10min, Outcome::fired)));
}

TEST_F(FiringPlan, AllMakesUpForEveryOneAfterAnother) {
  schedule_.definition.misfire = Misfire::all;
  EXPECT_THAT(
      at(kPlannedAt + 4min + 500ms).firings,
      ElementsAre(made(kPlannedAt + 1min, Outcome::fired), made(kPlannedAt + 2min, Outcome::queued),
                  made(kPlannedAt + 3min, Outcome::queued),
                  made(kPlannedAt + 4min, Outcome::skipped)));
  schedule_.definition.overlap = Overlap::allow;
  EXPECT_THAT(
      at(kPlannedAt + 3min + 1s).firings,
      ElementsAre(made(kPlannedAt + 1min, Outcome::fired), made(kPlannedAt + 2min, Outcome::fired),
                  made(kPlannedAt + 3min, Outcome::fired)));
}

TEST_F(FiringPlan, AllMakesUpForAShortTimeToo) {
  schedule_.definition.expression = "*/10 * * * * *";
  const auto fired = made(kPlannedAt + 10s, Outcome::fired);
  const auto then = [](std::chrono::seconds time, Outcome outcome) {
    return made(kPlannedAt + time, outcome);
  };
  EXPECT_THAT(at(kPlannedAt + 45s).firings,
              ElementsAre(fired, then(20s, Outcome::skipped), then(30s, Outcome::skipped),
                          then(40s, Outcome::skipped)));
  schedule_.definition.misfire = Misfire::all;
  EXPECT_THAT(at(kPlannedAt + 45s).firings,
              ElementsAre(fired, then(20s, Outcome::queued), then(30s, Outcome::queued),
                          then(40s, Outcome::queued)));
  // On time is what it was.
  EXPECT_THAT(at(kPlannedAt + 10s, true).firings, ElementsAre(then(10s, Outcome::skipped)));
}

TEST_F(FiringPlan, AllMakesUpForTheNewestThousand) {
  schedule_.definition.misfire = Misfire::all;
  schedule_.definition.overlap = Overlap::allow;
  const auto decisions = at(kPlannedAt + 1'501min, false, 10'000);
  ASSERT_EQ(decisions.firings.size(), 1'002u);
  EXPECT_EQ(decisions.firings.front(), made(kPlannedAt + 501min - 1ms, Outcome::missed, 500));
  EXPECT_EQ(decisions.firings[1], made(kPlannedAt + 501min, Outcome::fired));
  EXPECT_EQ(decisions.firings.back(), made(kPlannedAt + 1'501min, Outcome::fired));
}

TEST_F(FiringPlan, AYearOfMissedSecondsIsToldQuickly) {
  schedule_.definition.expression = "* * * * * *";
  const auto now = kPlannedAt + 24h * 365;
  const auto decisions = at(now, false, 10);
  ASSERT_GE(decisions.firings.size(), 3u);
  EXPECT_EQ(decisions.firings[0].outcome, Outcome::missed);
  EXPECT_GE(decisions.firings[0].count, 10'000u);
  EXPECT_EQ(decisions.firings[1], made(now - kMisfireAfter, Outcome::fired));
}

TEST_F(FiringPlan, SaysHowManyTimesItCounted) {
  EXPECT_EQ(at(kPlannedAt + 1min).counted, 0u);
  EXPECT_EQ(at(kPlannedAt + 10min + 1s).counted, 9u);
}

TEST_F(FiringPlan, AClockThatGoesBackFiresNothingTwice) {
  schedule_.decided = kPlannedAt + 1h;
  const auto decisions = at(kPlannedAt + 10min);
  EXPECT_THAT(decisions.firings, IsEmpty());
  EXPECT_EQ(decisions.decided, kPlannedAt + 1h);
  EXPECT_EQ(decisions.next, kPlannedAt + 61min);
}

TEST_F(FiringPlan, KeepsWithinFromAndUntil) {
  schedule_.definition.from = kPlannedAt + 3min;
  schedule_.definition.until = kPlannedAt + 4min;
  EXPECT_EQ(at(kPlannedAt + 1min).next, kPlannedAt + 3min);
  EXPECT_THAT(at(kPlannedAt + 3min).firings, ElementsAre(made(kPlannedAt + 3min, Outcome::fired)));
  schedule_.decided = kPlannedAt + 3min;
  const auto last = at(kPlannedAt + 4min);
  EXPECT_THAT(last.firings, ElementsAre(made(kPlannedAt + 4min, Outcome::fired)));
  EXPECT_EQ(last.next, std::nullopt);
}

TEST_F(FiringPlan, BoundsOneCallAndGoesOn) {
  schedule_.definition.expression = "* * * * * *";
  schedule_.definition.overlap = Overlap::allow;
  const auto first = at(kPlannedAt + 30s, false, 20);
  EXPECT_EQ(first.firings.size(), 20u);
  EXPECT_EQ(first.next, kPlannedAt + 21s);
  schedule_.decided = first.decided;
  EXPECT_EQ(at(kPlannedAt + 30s, false, 20).firings.size(), 10u);
}

TEST_F(FiringPlan, SaysWhatIsWrong) {
  schedule_.definition.expression = "61 * * * *";
  EXPECT_FALSE(FiringTimes::parse(schedule_));
  schedule_.definition.expression = "@hourly";
  schedule_.definition.zone = "Europe/Berlino";
  const auto zone = FiringTimes::parse(schedule_);
  ASSERT_FALSE(zone);
  EXPECT_THAT(zone.error().message(), ::testing::HasSubstr("Europe/Berlin"));
}

TEST_F(FiringPlan, WhatIsMadeUpForInPartsIsTheSameAsAtOnce) {
  schedule_.definition.misfire = Misfire::all;
  schedule_.definition.overlap = Overlap::allow;
  const auto now = kPlannedAt + 1'500min;
  const auto whole = at(now, false, 10'000).firings;
  std::vector<Decision> parts;
  for (int i = 0; i < 1'000; ++i) {
    const auto decisions = at(now, false, 7);
    EXPECT_LE(decisions.firings.size(), 8u);  // one row tells of those that are given up
    parts.insert(parts.end(), decisions.firings.begin(), decisions.firings.end());
    schedule_.decided = decisions.decided;
    if (!decisions.next || *decisions.next > now) break;
  }
  EXPECT_EQ(parts, whole);
}

// However the clock jumps: every time at most once, in order, and none left out without a word.
TEST_F(FiringPlan, DecidesEveryTimeOnceOverAnyJumps) {
  for (const auto misfire : {Misfire::skip, Misfire::once, Misfire::all}) {
    schedule_.definition.misfire = misfire;
    schedule_.definition.overlap = Overlap::allow;
    schedule_.decided = kPlannedAt;
    std::uint64_t decided = 0;
    auto now = kPlannedAt;
    unsigned random = 12'345;
    WallTime last = kPlannedAt;
    for (int step = 0; step < 2'000; ++step) {
      random = random * 1'103'515'245u + 12'345u;
      const int jump = static_cast<int>(random >> 16 & 0x3FF) - 400;  // minutes
      now += jump > 0 && jump % 7 == 0 ? std::chrono::milliseconds(jump * 60'000)
                                       : std::chrono::milliseconds(jump % 90 * 1'000);
      const auto decisions = at(now, false, 10'000);
      for (const auto& firing : decisions.firings) {
        EXPECT_GT(firing.time, last);
        last = firing.time;
        decided += firing.count;
      }
      schedule_.decided = decisions.decided;
    }
    const auto minutes =
        std::chrono::duration_cast<std::chrono::minutes>(schedule_.decided - kPlannedAt);
    EXPECT_EQ(decided, static_cast<std::uint64_t>(minutes.count())) << to_string(misfire);
  }
}

}  // namespace
}  // namespace lambda::events
