#include "base/watched_clock.h"

#include <algorithm>

namespace lambda {

WallTime WatchedClock::look() const {
  // In this order: a thread that is held up between the two sees no jump ahead.
  const auto now = clock_.now();
  const auto steady = clock_.steady_now();
  const auto since_start =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady.time_since_epoch());
  const auto offset = now.time_since_epoch() - since_start;
  if (!largest_) largest_ = offset;
  if (offset > *largest_ + kWasSet) trusted_from_ = steady + kDistrust;
  if (offset + kWasSet < *largest_) {
    ++set_back_;
    largest_ = offset;
  }
  largest_ = std::max(*largest_, offset);
  return now;
}

WallTime WatchedClock::now() const {
  const std::lock_guard lock(mutex_);
  return look();
}

std::uint64_t WatchedClock::times_set_back() const {
  const std::lock_guard lock(mutex_);
  look();
  return set_back_;
}

bool WatchedClock::is_trusted() const {
  const std::lock_guard lock(mutex_);
  look();
  return clock_.steady_now() >= trusted_from_;
}

}  // namespace lambda
