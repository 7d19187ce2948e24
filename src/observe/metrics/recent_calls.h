// RecentCalls: what calls came to in the last second, minute, hour; for rates, charts and quantiles
// of late. It holds something of a second, ten seconds or a minute only where a call ended in it,
// and nothing that is older than an hour. One thread at a time.
#pragma once

#include "observe/metrics/call_sample.h"
#include "observe/metrics/histogram.h"

#include <chrono>
#include <cstdint>
#include <vector>

namespace lambda::observe {

class RecentCalls {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Answers are no calls.
  void add(const CallSample& sample);
  // Lets go of what is too old. True: nothing is left.
  bool forget_old(Time now);

  struct Counts {
    std::uint64_t invocations = 0;
    std::uint64_t errors = 0;
    std::uint64_t throttles = 0;
    std::uint64_t cold_starts = 0;
    void add(const CallSample& sample);
    void add(const Counts& other);
  };
  struct Window {
    Counts counts;
    Histogram duration;
  };
  // The last minute, five minutes or hour, to the second, ten seconds or minute: it begins earlier
  // rather than later.
  [[nodiscard]] Window last(std::chrono::seconds length, Time now) const;
  // The last sixty, oldest first; the last is the one that is not over yet.
  static constexpr std::size_t kPoints = 60;
  [[nodiscard]] std::vector<Counts> each_second(Time now) const;
  struct Point {
    Counts counts;
    std::chrono::microseconds p50{0}, p99{0};
  };
  [[nodiscard]] std::vector<Point> each_minute(Time now) const;

 private:
  struct Second {
    std::int64_t number = 0;  // of seconds since the steady clock's epoch
    Counts counts;
  };
  struct Stretch {
    std::int64_t number = 0;  // of tens of seconds, or minutes
    Counts counts;
    Histogram duration;
  };
  std::vector<Second> seconds_;
  std::vector<Stretch> tens_;
  std::vector<Stretch> minutes_;
};

}  // namespace lambda::observe
