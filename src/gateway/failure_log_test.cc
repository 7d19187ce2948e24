#include "gateway/failure_log.h"

#include <gtest/gtest.h>

namespace lambda::gateway {
namespace {

TEST(FailureLog, TellsOfAFunctionOnceAMinuteAndHowManyThereWere) {
  FakeClock clock;
  FailureLog log(clock);
  EXPECT_EQ(log.line_for("greet", "1", "it ended"), "request 1 of function greet: it ended");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(log.line_for("greet", "2", "it ended"));
  EXPECT_TRUE(log.line_for("other", "3", "it ended")) << "each has its own minute";
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(log.line_for("greet", "4", "it ended"),
            "request 4 of function greet: it ended (and 1000 more failed since the last one told "
            "here)");
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(log.line_for("greet", "5", "it ended"), "request 5 of function greet: it ended");
}

TEST(FailureLog, HasRoomForSoMuchOfAMessage) {
  FakeClock clock;
  FailureLog log(clock);
  EXPECT_LT(log.line_for("greet", "1", std::string(100'000, 'x'))->size(), 2000u);
}

}  // namespace
}  // namespace lambda::gateway
