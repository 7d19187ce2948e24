#include "events/queue/lanes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <ranges>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const WallTime kNoted{std::chrono::milliseconds(1'767'323'045'000)};
const SteadyTime kSteady{1'000s};

// That long after kNoted.
Lanes::Time at(std::chrono::milliseconds later = 0ms) {
  return {kNoted + later, kSteady + later};
}

constexpr Lanes::Ending kWell{true, 0ms};
constexpr Lanes::Ending kBadly{false, 0ms};

Lanes::Limits limits(std::size_t together, std::size_t each) {
  Lanes::Limits made;
  made.events[0] = together;
  made.each = each;
  return made;
}

Lanes::Limits webhook_limits() {
  auto made = limits(64, 8);
  made.events = {64, 48, 16};
  made.each_unproven = 1;
  return made;
}

LaneKey lane(const std::string& function, const std::string& url = "") {
  LaneKey key;
  key.function = function;
  key.url = url;
  return key;
}

// "a:2 b:1", and as if a claim had found as many.
std::vector<std::string> serve(Lanes& lanes, const Lanes::Time& now = at()) {
  std::vector<std::string> served;
  for (const auto& wanted : lanes.choose(now)) {
    served.push_back(wanted.lane.function + wanted.lane.url + ":" + std::to_string(wanted.count));
    for (std::size_t i = 0; i < wanted.count; ++i) lanes.began(wanted.lane, 1);
    lanes.seen(wanted.lane, now.wall);  // more wait
  }
  return served;
}

TEST(Lanes, ShareTheRoomAndTakeTurns) {
  Lanes lanes(limits(4, 2));
  for (const char* name : {"a", "b", "c", "d", "e"}) lanes.note(lane(name), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("a:1", "b:1", "c:1", "d:1"));
  EXPECT_THAT(serve(lanes), IsEmpty());
  lanes.ended(lane("a"), 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("e:1"));
}

TEST(Lanes, OneHasNoMoreThanItsPart) {
  Lanes lanes(limits(8, 4));
  lanes.note(lane("slow"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("slow:4"));
  lanes.note(lane("other"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("other:4"));
}

TEST(Lanes, OneMayHaveLessOfItsOwn) {
  auto own = limits(8, 4);
  own.own = [](const LaneKey& key) -> std::optional<std::size_t> {
    if (key.function == "reserved") return 2;
    if (key.function == "none") return 0;
    if (key.function == "many") return 100;
    return std::nullopt;
  };
  Lanes lanes(own);
  lanes.note(lane("none"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("none:1"));
  lanes.note(lane("reserved"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("reserved:2"));
  lanes.note(lane("many"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("many:4"));
}

TEST(Lanes, OneThatRestsIsNotChosen) {
  Lanes lanes(limits(8, 4));
  lanes.note(lane("a"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("a:4"));
  lanes.rest(lane("a"), kSteady + 1s);
  for (int i = 0; i < 4; ++i) lanes.ended(lane("a"), 1, kWell);
  EXPECT_THAT(serve(lanes), IsEmpty());
  EXPECT_EQ(lanes.idle_time(at(), 5s), 1s);
  EXPECT_THAT(serve(lanes, at(1s)), ElementsAre("a:4"));
}

TEST(Lanes, WhatIsNotDueWaits) {
  Lanes lanes(limits(8, 4));
  lanes.note(lane("a"), kNoted + 5s);
  EXPECT_THAT(serve(lanes), IsEmpty());
  EXPECT_EQ(lanes.idle_time(at(), 60s), 5s);
  EXPECT_EQ(lanes.idle_time(at(), 1s), 1s);
  EXPECT_THAT(serve(lanes, at(5s)), ElementsAre("a:4"));
}

// One event of each of so many addresses, and more that wait.
std::size_t serve_many(Lanes& lanes, const std::string& host, int count) {
  for (int i = 0; i < count; ++i) lanes.note(lane("f", host + std::to_string(i)), kNoted);
  return serve(lanes).size();
}

void prove(Lanes& lanes, const LaneKey& key) {
  lanes.began(key, 1);
  lanes.ended(key, 1, kWell);
}

TEST(Lanes, ANewOneAndAFailedOneAreTriedOneAtATimeUntilTheyWork) {
  Lanes lanes(webhook_limits());
  const auto hook = lane("f", "http://hook/");
  lanes.note(hook, kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:1"));
  EXPECT_THAT(serve(lanes), IsEmpty());
  lanes.ended(hook, 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:8"));
  for (int i = 0; i < 8; ++i) lanes.ended(hook, 1, kBadly);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:1"));
  lanes.ended(hook, 1, kBadly);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:1"));
  lanes.ended(hook, 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:8"));
}

TEST(Lanes, HundredsThatHangLeaveRoomForTheOneThatWorks) {
  Lanes lanes(webhook_limits());
  const auto good = lane("good", "http://works/");
  prove(lanes, good);
  EXPECT_EQ(serve_many(lanes, "http://hangs/", 300), 48u);
  lanes.note(good, kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("goodhttp://works/:8"));
}

TEST(Lanes, HundredsThatFailedLeaveRoomForNewOnes) {
  Lanes lanes(webhook_limits());
  for (int i = 0; i < 300; ++i) {
    const auto broken = lane("f", "http://hangs/" + std::to_string(i));
    lanes.note(broken, kNoted);
    lanes.began(broken, 1);
    lanes.ended(broken, 1, kBadly);
  }
  EXPECT_EQ(serve(lanes).size(), 16u);
  lanes.note(lane("good", "http://new/"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("goodhttp://new/:1"));
  lanes.ended(lane("good", "http://new/"), 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("goodhttp://new/:8"));
  EXPECT_EQ(lanes.idle_time(at(), 5s), 5s);
}

TEST(Lanes, OneThatAnswersSlowlySharesTheRoomOfThoseThatDoNotWork) {
  auto slowly = webhook_limits();
  slowly.each_slow = 2;
  slowly.slow_after = 2s;
  Lanes lanes(slowly);
  const auto good = lane("good", "http://works/");
  prove(lanes, good);
  for (int i = 0; i < 300; ++i) {
    const auto slow = lane("f", "http://slow/" + std::to_string(i));
    lanes.began(slow, 1);
    lanes.ended(slow, 1, {true, 2'001ms});
    lanes.note(slow, kNoted);
  }
  EXPECT_EQ(serve(lanes).size(), 48u);
  lanes.note(good, kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("goodhttp://works/:8"));
}

TEST(Lanes, TheLastOfTheRoomIsForThoseThatHaveNothingOfIt) {
  auto spared = limits(8, 4);
  spared.spare = 2;
  Lanes lanes(spared);
  for (const char* name : {"slow", "slower"}) lanes.note(lane(name), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("slow:3", "slower:3"));
  EXPECT_THAT(serve(lanes), IsEmpty());
  EXPECT_EQ(lanes.idle_time(at(), 5s), 5s);
  lanes.note(lane("third"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("third:1"));
  EXPECT_THAT(serve(lanes), IsEmpty());
  lanes.note(lane("fourth"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("fourth:1"));
  lanes.ended(lane("third"), 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("third:1"));
}

TEST(Lanes, LargeOnesThatFailLeaveBytesToThoseThatWork) {
  auto bytes = webhook_limits();
  bytes.bytes = {100, 60, 20};
  Lanes lanes(bytes);
  const auto good = lane("good", "http://works/");
  const auto broken = lane("f", "http://broken/");
  const auto first = lane("f", "http://new/1");
  const auto second = lane("f", "http://new/2");
  lanes.began(good, 30);
  lanes.ended(good, 30, kWell);
  lanes.began(broken, 30);
  lanes.ended(broken, 30, kBadly);
  EXPECT_EQ(lanes.bytes().of(2), 20u);
  lanes.began(broken, 30);
  EXPECT_EQ(lanes.bytes().of(2), 0u);
  EXPECT_EQ(lanes.bytes().of(1), 30u);
  lanes.note(broken, kNoted);
  lanes.note(first, kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 1u);
  lanes.began(first, 30);
  EXPECT_EQ(lanes.bytes().of(1), 0u);
  lanes.note(second, kNoted);
  EXPECT_THAT(lanes.choose(at()), IsEmpty());
  EXPECT_EQ(lanes.idle_time(at(), 5s), 5s);
  lanes.note(good, kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 1u);
  EXPECT_EQ(lanes.bytes().of(0), 40u);
  lanes.ended(first, 30, kWell);
  EXPECT_EQ(lanes.choose(at()).front().lane, second);
}

TEST(Lanes, WhatWorkedNeedNotProveItAgain) {
  Lanes lanes(webhook_limits());
  const auto hook = lane("f", "http://hook/");
  prove(lanes, hook);
  lanes.note(hook, kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:8"));
}

TEST(Lanes, AFailedOneRestsUntilThenOrUntilItWorks) {
  Lanes lanes(webhook_limits());
  const auto hook = lane("f", "http://hook/");
  prove(lanes, hook);
  lanes.note(hook, kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:8"));
  lanes.rest(hook, kSteady + 15s);
  for (int i = 0; i < 7; ++i) lanes.ended(hook, 1, kBadly);
  EXPECT_THAT(serve(lanes), IsEmpty());
  EXPECT_EQ(lanes.idle_time(at(), 60s), 60s);
  lanes.ended(hook, 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("fhttp://hook/:8"));
}

// What was chosen and had to wait is served next, not again behind the others.
TEST(Lanes, TurnsAreThoseThatBegan) {
  Lanes lanes(limits(8, 1));
  for (const char* name : {"a", "b", "c"}) lanes.note(lane(name), kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 3u);
  lanes.began(lane("a"), 1);
  for (const char* name : {"a", "b", "c"}) lanes.seen(lane(name), kNoted);
  lanes.ended(lane("a"), 1, kWell);
  EXPECT_EQ(lanes.choose(at()).front().lane.function, "b");
}

TEST(Lanes, WhatIsNotedDuringAClaimIsNotLost) {
  Lanes lanes(limits(8, 4));
  lanes.note(lane("a"), kNoted);
  const auto wanted = lanes.choose(at());
  ASSERT_EQ(wanted.size(), 1u);
  lanes.note(lane("a"), kNoted + 1s);
  lanes.seen(lane("a"), std::nullopt);
  EXPECT_EQ(lanes.idle_time(at(), 60s), 1s);
}

TEST(Lanes, OfOneAddressShareItsRoom) {
  auto four = webhook_limits();
  four.each = 4;
  Lanes lanes(four);
  for (const char* url : {"http://x/", "http://y/"}) prove(lanes, lane("z", url));
  for (const char* name : {"a", "b", "c"}) lanes.note(lane(name, "http://x/"), kNoted);
  lanes.note(lane("a", "http://y/"), kNoted);
  EXPECT_THAT(serve(lanes),
              ElementsAre("ahttp://x/:2", "bhttp://x/:1", "chttp://x/:1", "ahttp://y/:4"));
  for (const char* name : {"b", "c", "a", "a"}) lanes.ended(lane(name, "http://x/"), 1, kBadly);
  EXPECT_THAT(serve(lanes), ElementsAre("ahttp://x/:1"));
  EXPECT_THAT(serve(lanes), IsEmpty());
  lanes.ended(lane("a", "http://x/"), 1, kWell);
  EXPECT_THAT(serve(lanes), ElementsAre("bhttp://x/:2", "chttp://x/:1", "ahttp://x/:1"));
}

TEST(Lanes, ARestIsAsLongWhateverTheTimeOfDayIsSetTo) {
  Lanes lanes(limits(4, 4));
  lanes.note(lane("a"), kNoted - 72h);
  lanes.rest(lane("a"), kSteady + 1s);
  EXPECT_THAT(serve(lanes, {kNoted + 1h, kSteady}), IsEmpty());
  EXPECT_EQ(lanes.idle_time({kNoted + 1h, kSteady}, 5s), 1s);
  EXPECT_THAT(serve(lanes, {kNoted - 72h, kSteady + 1s}), ElementsAre("a:4"));
}

// A lane whose events end at once, and others whose events run for a while.
struct Beside {
  LaneKey busy;
  std::map<LaneKey, int> turns{};  // of the others
  std::deque<LaneKey> running{};

  // What is chosen begins; of the others the one that runs longest ends.
  void turn(Lanes& lanes, const Lanes::Ending& ending) {
    for (const auto& wanted : lanes.choose(at())) {
      lanes.began(wanted.lane, 1);
      lanes.seen(wanted.lane, kNoted);
      if (wanted.lane == busy) {
        lanes.ended(busy, 1, kWell);
      } else {
        ++turns[wanted.lane];
        running.push_back(wanted.lane);
      }
    }
    lanes.ended(running.front(), 1, ending);
    running.pop_front();
  }
};

// Whoever begins most often stands no nearer to those that compete elsewhere.
TEST(Lanes, ABusyOneDecidesNothingAboutTheTurnsOfOthers) {
  Lanes lanes(webhook_limits());
  const auto busy = lane("busy", "http://works/050");
  prove(lanes, busy);
  Beside beside{busy};
  const auto broken = [](int i) { return lane("f", "http://broken/" + std::to_string(100 + i)); };
  for (int i = 0; i < 50; ++i) {
    lanes.began(broken(i), 1);
    lanes.note(broken(i), kNoted);
    lanes.ended(broken(i), 1, kBadly);
  }
  for (int turn = 0; turn < 1'000; ++turn) {
    lanes.note(busy, kNoted);
    beside.turn(lanes, kBadly);
  }
  ASSERT_EQ(beside.turns.size(), 50u);
  const auto [least, most] = std::ranges::minmax(beside.turns | std::views::values);
  EXPECT_LE(most - least, 1);
}

TEST(Lanes, TwoOfOneAddressTakeTurnsBesideABusyOne) {
  Lanes lanes(webhook_limits());
  const auto busy = lane("b", "http://y/");
  const std::vector<LaneKey> rivals = {lane("a", "http://x/"), lane("c", "http://x/")};
  prove(lanes, busy);
  prove(lanes, rivals.front());
  Beside beside{busy};
  for (int turn = 0; turn < 100; ++turn) {
    lanes.note(busy, kNoted);
    for (const auto& rival : rivals) lanes.note(rival, kNoted);
    beside.turn(lanes, kWell);
  }
  EXPECT_NEAR(beside.turns[rivals.front()], beside.turns[rivals.back()], 1);
}

// One whose queue is empty now and then is not new each time.
TEST(Lanes, OneThatComesAgainStandsBehindThoseThatWait) {
  Lanes lanes(limits(1, 1));
  lanes.note(lane("often"), kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 1u);
  lanes.began(lane("often"), 1);
  lanes.seen(lane("often"), std::nullopt);
  lanes.note(lane("waits"), kNoted);
  lanes.ended(lane("often"), 1, kWell);
  lanes.note(lane("often"), kNoted);
  EXPECT_THAT(serve(lanes), ElementsAre("waits:1"));
}

TEST(Lanes, WhatWasChosenAndNotClaimedIsChosenAgain) {
  Lanes lanes(limits(4, 4));
  lanes.note(lane("a"), kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 1u);
  EXPECT_THAT(lanes.choose(at()), IsEmpty());
  lanes.look_again(kNoted);
  EXPECT_EQ(lanes.choose(at()).size(), 1u);
}

}  // namespace
}  // namespace lambda::events
