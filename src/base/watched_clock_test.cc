#include "base/watched_clock.h"

#include <gtest/gtest.h>

namespace lambda {
namespace {

using namespace std::chrono_literals;

class WatchedClockTest : public testing::Test {
 public:
  WatchedClockTest() { see(); }

  // Somebody asks for the time.
  void see() { EXPECT_EQ(clock_.now(), fake_.now()); }

  FakeClock fake_;
  WatchedClock clock_{fake_};
};

TEST_F(WatchedClockTest, TimeThatPassesIsNoJump) {
  for (int i = 0; i < 3; ++i) {
    fake_.advance(24h);
    see();
  }
  EXPECT_EQ(clock_.times_set_back(), 0u);
  EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(WatchedClockTest, OneThatIsKeptRightIsNotSet) {
  for (const auto step : {59s, -59s, 59s}) {
    fake_.set(step);
    see();
  }
  EXPECT_EQ(clock_.times_set_back(), 0u);
  EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(WatchedClockTest, AJumpAheadIsNotBelievedForAnHour) {
  fake_.set(61s);
  EXPECT_FALSE(clock_.is_trusted());
  fake_.advance(1h - 1s);
  EXPECT_FALSE(clock_.is_trusted());
  fake_.advance(1s);
  EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(WatchedClockTest, ATimeThatWasSeenOnceIsMissedWhenItIsTakenBack) {
  fake_.set(72h);
  see();
  fake_.set(-72h);
  EXPECT_EQ(clock_.times_set_back(), 1u);
  see();
  EXPECT_EQ(clock_.times_set_back(), 1u);
  fake_.set(-61s);
  EXPECT_EQ(clock_.times_set_back(), 2u);
}

}  // namespace
}  // namespace lambda
