#include "server/loop_threads.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <pthread.h>
#include <string>

namespace lambda::server {

LoopThreads::LoopThreads(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Loop>(1));
    guards_.push_back(asio::make_work_guard(*loops_.back()));
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
    threads_.emplace_back([loop = loops_[i].get(), i] {
      ::pthread_setname_np(::pthread_self(), ("loop-" + std::to_string(i)).c_str());
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
