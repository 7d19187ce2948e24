#include "base/loop_runner.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace lambda {
namespace {

using namespace std::chrono_literals;

Task<std::string> say_later() {
  co_await sleep_for(1ms);
  co_return "said";
}

Task<void> fall_later() {
  co_await sleep_for(1ms);
  throw std::runtime_error("no more room");
}

TEST(LoopRunner, GivesWhatACoroutineCameToOneAfterAnother) {
  Loop loop(1);
  EXPECT_EQ(run_on(loop, say_later()), "said");
  EXPECT_EQ(run_on(loop, say_later()), "said");
}

TEST(LoopRunner, AnExceptionComesOutOfWhatRunsTheLoop) {
  Loop loop(1);
  EXPECT_THROW(run_on(loop, fall_later()), std::runtime_error);
}

TEST(LoopRunner, WhatWasBegunGoesOnWhileSomethingElseIsRun) {
  Loop loop(1);
  const auto begun = begin_on(loop, say_later());
  EXPECT_FALSE(begun->done());
  EXPECT_TRUE(run_until(loop, [&] { return begun->done(); }));
  EXPECT_EQ(*begun->value, "said");
}

TEST(LoopRunner, WaitsForWhatAnotherThreadDoesAndNoLongerThanItsTime) {
  Loop loop(1);
  bool told = false;
  std::thread other([&] {
    std::this_thread::sleep_for(5ms);
    asio::post(loop, [&] { told = true; });
  });
  EXPECT_TRUE(run_until(loop, [&] { return told; }));
  other.join();
  EXPECT_FALSE(run_until(
      loop, [] { return false; }, 0s));
}

}  // namespace
}  // namespace lambda
