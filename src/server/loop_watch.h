// LoopWatch: whether an event loop comes round in time. A timer on the loop is due every few
// milliseconds; how late it is, is how long something kept the loop from everything else on it.
//
// A stall that is longer than a round and the limit together is always seen, a shorter one by
// chance. On a machine whose processors are all busy a loop is late too, without doing anything
// wrong. Threads: run() on the loop that is watched; the rest on any.
#pragma once

#include "base/async.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace lambda::server {

class LoopWatch {
 public:
  static constexpr std::chrono::milliseconds kRound{10};
  static constexpr std::chrono::milliseconds kLimit{5};

  explicit LoopWatch(std::string name) : name_(std::move(name)) {}
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;

  // Until the loop ends.
  Task<void> run();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t stalls() const { return stalls_; }
  [[nodiscard]] std::chrono::microseconds longest() const {
    return std::chrono::microseconds(longest_.load());
  }

 private:
  using Clock = std::chrono::steady_clock;
  void late(std::chrono::microseconds time, Clock::time_point now);

  const std::string name_;
  std::atomic<std::uint64_t> stalls_{0};
  std::atomic<std::int64_t> longest_{0};
  // The loop's own: when it was said last, and what has been since.
  Clock::time_point said_{};
  std::uint64_t unsaid_ = 0;
  std::chrono::microseconds longest_unsaid_{0};
};

}  // namespace lambda::server
