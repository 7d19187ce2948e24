#include "base/watched_clock.h"

namespace lambda {

WallTime WatchedClock::now() const {
  // In this order: a thread that is held up between the two sees no jump ahead.
  const auto now = clock_.now();
  const auto steady = clock_.steady_now();
  const auto since_start =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady.time_since_epoch());
  const auto offset = (now.time_since_epoch() - since_start).count();
  constexpr auto kSet = std::chrono::milliseconds(kWasSet).count();
  auto largest = largest_.load();
  while (largest == kNone || offset > largest || offset + kSet < largest) {
    if (!largest_.compare_exchange_weak(largest, offset)) continue;
    if (largest == kNone) break;
    if (offset < largest) ++set_back_;
    if (offset > largest + kSet) trusted_from_ = steady + kDistrust;
    break;
  }
  return now;
}

bool WatchedClock::is_trusted() const {
  return clock_.steady_now() >= trusted_from_.load();
}

}  // namespace lambda
