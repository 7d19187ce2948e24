// A clock that is watched: whether the time of day was set back, and whether it jumped ahead of
// late. It is compared with the steady clock whenever somebody asks for it, so that no time that
// was ever used goes unseen, however soon the clock is right again.
//
// Any thread.
#pragma once

#include "base/clock.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace lambda {

class WatchedClock final : public Clock {
 public:
  // What differs by more than that was set; less is how clocks are kept right.
  static constexpr std::chrono::seconds kWasSet{60};
  // How long a clock that jumped ahead is not believed.
  static constexpr std::chrono::hours kDistrust{1};

  // `clock` outlives it.
  explicit WatchedClock(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] WallTime now() const override;
  [[nodiscard]] SteadyTime steady_now() const override { return clock_.steady_now(); }

  // As it is now. By more than kWasSet: what was written with an earlier time may lie in the
  // future.
  [[nodiscard]] std::uint64_t times_set_back() const;
  // As it is now. False where it may be wrong: nothing is over, or too old, because of it.
  [[nodiscard]] bool is_trusted() const;

 private:
  // Of the time of day before the steady clock, where it was an instant ago.
  struct Reading {
    WallTime now;
    SteadyTime steady;
    std::chrono::milliseconds offset;
  };
  [[nodiscard]] Reading read() const;
  void note(const Reading& reading) const;

  const Clock& clock_;
  // The offset that was noted last: readings like it are no news, and take no lock.
  mutable std::atomic<std::chrono::milliseconds> noted_{std::chrono::milliseconds::min()};
  mutable std::mutex mutex_;  // of all below
  // The largest offset since the time of day was set back last.
  mutable std::optional<std::chrono::milliseconds> largest_;
  mutable std::uint64_t set_back_ = 0;
  mutable SteadyTime trusted_from_ = SteadyTime::min();
};

}  // namespace lambda
