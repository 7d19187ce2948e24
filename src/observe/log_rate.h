// How much of what one function writes is kept: so many bytes a second, and a burst. What is over
// it is left out in stretches, so that the log says so now and then and not at every other line.
// Not synchronised: the store's lock.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lambda::observe {

class LogRate {
 public:
  struct LeftOut {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
  };

  // `rate` in bytes a second; 0: no limit. `bytes` of one line.
  bool admits(std::size_t bytes, std::uint64_t rate, std::uint64_t burst, SteadyTime now) {
    if (rate == 0) return true;
    refill(rate, burst, now);
    const auto cost = bytes + kSurroundings;
    // A quarter of a second's room ends a stretch.
    if (closed_ && left_ < std::min(rate, burst) / 4) return leave_out(bytes);
    closed_ = left_ < cost;
    if (closed_) return leave_out(bytes);
    left_ -= cost;
    return true;
  }
  [[nodiscard]] bool has_left_out() const { return left_out_.lines > 0; }
  LeftOut take_left_out() { return std::exchange(left_out_, {}); }

 private:
  // What a line costs besides its text.
  static constexpr std::size_t kSurroundings = 128;

  void refill(std::uint64_t rate, std::uint64_t burst, SteadyTime now) {
    if (!begun_) {
      begun_ = true;
      left_ = burst;
    } else {
      const auto passed =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - filled_).count();
      if (passed <= 0) return;
      const auto milliseconds =
          std::min<std::uint64_t>(static_cast<std::uint64_t>(passed), 1'000'000);
      left_ = std::min(burst, left_ + rate * milliseconds / 1000);
    }
    filled_ = now;
  }
  bool leave_out(std::size_t bytes) {
    ++left_out_.lines;
    left_out_.bytes += bytes;
    return false;
  }

  bool begun_ = false;
  bool closed_ = false;
  std::uint64_t left_ = 0;
  SteadyTime filled_{};
  LeftOut left_out_;
};

}  // namespace lambda::observe
