#include "server/loop_watch.h"

#include <gtest/gtest.h>

#include <thread>

namespace lambda::server {
namespace {

using namespace std::chrono_literals;

TEST(LoopWatch, CountsALoopThatDoesNotComeRoundAndKnowsTheLongest) {
  Loop loop(1);
  LoopWatch watch("loop-7");
  asio::co_spawn(loop, watch.run(), asio::detached);
  loop.run_for(30ms);
  const auto before = watch.stalls();  // of a busy machine
  // The timer is due in the middle of it.
  asio::post(loop, [] { std::this_thread::sleep_for(120ms); });
  loop.restart();
  loop.run_for(200ms);
  EXPECT_EQ(watch.name(), "loop-7");
  EXPECT_GE(watch.stalls(), before + 1);
  EXPECT_GE(watch.longest(), 100ms);
  loop.abandon();
}

}  // namespace
}  // namespace lambda::server
