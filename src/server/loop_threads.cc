#include "server/loop_threads.h"

#include "base/background.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <pthread.h>

namespace lambda::server {

LoopThreads::LoopThreads(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Loop>(1));
    guards_.push_back(asio::make_work_guard(*loops_.back()));
    watches_.push_back(std::make_unique<LoopWatch>(fmt::format("loop-{}", i)));
  }
}

LoopThreads::~LoopThreads() {
  stop();
}

std::vector<Loop*> LoopThreads::loops() const {
  std::vector<Loop*> all;
  for (const auto& loop : loops_) all.push_back(loop.get());
  return all;
}

void LoopThreads::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto& watch = *watches_[i];
    asio::co_spawn(*loops_[i], watch.run(), in_background("the watch of a loop"));
    threads_.emplace_back([loop = loops_[i].get(), &watch] {
      ::pthread_setname_np(::pthread_self(), watch.name().c_str());
      while (true) {
        try {
          loop->run();
          return;
        } catch (const std::exception& error) {
          // Out of a posted closure: a defect. What else is on the loop goes on. What a coroutine
          // lets out never comes here: see base/background.h.
          spdlog::error("an exception reached the event loop: {}", error.what());
        }
      }
    });
  }
}

void LoopThreads::abandon() {
  // What goes may wake others: those of the other loops, or new ones. A few rounds see all of them.
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    for (auto& loop : loops_) loop->abandon();
  }
}

void LoopThreads::stop() {
  for (auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace lambda::server
