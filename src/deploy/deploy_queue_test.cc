#include "deploy/deploy_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace lambda::deploy {
namespace {

Task<void> take_turns(DeployQueue& queue, std::string name, int rounds, std::atomic<int>& inside,
                      std::atomic<int>& worst, std::atomic<int>& done) {
  for (int i = 0; i < rounds; ++i) {
    const auto turn = co_await queue.wait_turn(name);
    const int now = ++inside;
    if (now > worst) worst = now;
    co_await sleep_for(std::chrono::microseconds(50));
    --inside;
    ++done;
  }
}

TEST(DeployQueue, LetsOneDeployOfAFunctionRunAtATimeOverAllLoops) {
  DeployQueue queue;
  std::atomic<int> inside = 0;
  std::atomic<int> worst = 0;
  std::atomic<int> done = 0;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<asio::executor_work_guard<LoopExecutor>> guards;
  for (int i = 0; i < 3; ++i) {
    loops.push_back(std::make_unique<Loop>(1));
    guards.push_back(asio::make_work_guard(*loops.back()));
    for (int k = 0; k < 4; ++k) {
      asio::co_spawn(*loops.back(), take_turns(queue, "greet", 20, inside, worst, done),
                     asio::detached);
    }
  }
  std::vector<std::thread> threads;
  for (auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
  while (done < 3 * 4 * 20) std::this_thread::yield();
  guards.clear();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(worst, 1);
}

Task<void> hold(DeployQueue& queue, std::string name, std::atomic<int>& inside,
                AsyncEvent& release) {
  const auto turn = co_await queue.wait_turn(name);
  ++inside;
  co_await release.wait();
}

TEST(DeployQueue, LetsDifferentFunctionsRunSideBySide) {
  DeployQueue queue;
  Loop loop;
  AsyncEvent release;
  std::atomic<int> inside = 0;
  asio::co_spawn(loop, hold(queue, "a", inside, release), asio::detached);
  asio::co_spawn(loop, hold(queue, "b", inside, release), asio::detached);
  asio::co_spawn(loop, hold(queue, "b", inside, release), asio::detached);
  loop.poll();
  EXPECT_EQ(inside, 2);
  release.set();
  loop.restart();
  loop.run();
  EXPECT_EQ(inside, 3);
}

}  // namespace
}  // namespace lambda::deploy
