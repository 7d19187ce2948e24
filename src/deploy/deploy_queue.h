// One deploy of a function at a time; the others wait in the order in which they came. Any loop.
#pragma once

#include "base/async.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace lambda::deploy {

class DeployQueue {
 public:
  // Held while a deploy runs; the next in line goes on when it is destroyed. Any thread.
  class Turn {
   public:
    Turn(DeployQueue& queue, std::string name) : queue_(&queue), name_(std::move(name)) {}
    Turn(Turn&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), name_(std::move(other.name_)) {}
    Turn& operator=(Turn&&) = delete;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (queue_ != nullptr) queue_->pass_on(name_);
    }

   private:
    DeployQueue* queue_;
    std::string name_;
  };

  Task<Turn> wait_turn(std::string name);

 private:
  struct Waiter {
    explicit Waiter(LoopExecutor loop) : executor(loop) {}
    LoopExecutor executor;
    AsyncEvent called;
  };
  void pass_on(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, std::deque<std::shared_ptr<Waiter>>>
      lines_;  // an entry exists while somebody has the turn
};

}  // namespace lambda::deploy
