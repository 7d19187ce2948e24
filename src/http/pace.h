// Pace: how long a transfer may still stand. Standing uses its slack up, and bytes give it back at
// the lowest rate that is accepted; so neither silence nor a byte now and then goes on for long.
// One loop.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace lambda::http {

class Pace {
 public:
  using Duration = std::chrono::steady_clock::duration;
  // A rate of zero: each wait may take the whole slack. A slack of zero: any time.
  Pace(Duration slack, std::size_t bytes_per_second)
      : slack_(slack), left_(slack), rate_(bytes_per_second) {}

  // For the next wait.
  [[nodiscard]] Duration left() const {
    if (slack_.count() == 0) return slack_;
    return std::max<Duration>(left_, std::chrono::milliseconds(1));
  }
  // That wait took so long, and brought so many bytes.
  void moved(Duration waited, std::size_t bytes) {
    if (rate_ == 0) return;
    const std::chrono::duration<double> earned(static_cast<double>(bytes) /
                                               static_cast<double>(rate_));
    const auto more = std::min<std::chrono::duration<double>>(earned, slack_);
    left_ = std::min(slack_, left_ - waited + std::chrono::duration_cast<Duration>(more));
  }

 private:
  Duration slack_;
  Duration left_;
  std::size_t rate_;
};

}  // namespace lambda::http
