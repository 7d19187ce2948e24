#include "base/watched_clock.h"

#include <algorithm>

namespace lambda {
namespace {

// How clocks are read apart, and kept right.
constexpr std::chrono::milliseconds kNoNews{100};

}  // namespace

WatchedClock::Reading WatchedClock::read() const {
  // In this order: a thread that is held up between the two sees no jump ahead.
  const auto now = clock_.now();
  const auto steady = clock_.steady_now();
  const auto since_start =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady.time_since_epoch());
  return {now, steady, now.time_since_epoch() - since_start};
}

// With the lock.
void WatchedClock::note(const Reading& reading) const {
  const auto offset = reading.offset;
  if (!largest_) largest_ = offset;
  if (offset > *largest_ + kWasSet) trusted_from_ = reading.steady + kDistrust;
  if (offset + kWasSet < *largest_) {
    ++set_back_;
    largest_ = offset;
  }
  largest_ = std::max(*largest_, offset);
  noted_ = offset;
}

WallTime WatchedClock::now() const {
  const auto reading = read();
  const auto noted = noted_.load();
  if (reading.offset < noted + kNoNews && noted < reading.offset + kNoNews) return reading.now;
  const std::lock_guard lock(mutex_);
  // That one was used, and may be another by now.
  note(reading);
  note(read());
  return reading.now;
}

std::uint64_t WatchedClock::times_set_back() const {
  const std::lock_guard lock(mutex_);
  note(read());
  return set_back_;
}

bool WatchedClock::is_trusted() const {
  const std::lock_guard lock(mutex_);
  const auto reading = read();
  note(reading);
  return reading.steady >= trusted_from_;
}

}  // namespace lambda
