// SlowCalls: which calls of a function took longer than its calls use to. One loop.
//
// For each function the durations of its last one to two thousand calls are counted in buckets that
// are an eighth of their octave wide; a call is slow when it took longer than the bucket of their
// 99th percentile reaches. Before a hundred calls are known none is slow by that.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lambda::observe {

class SlowCalls {
 public:
  // What took longer than `always` is slow whatever the function uses to take; 0: nothing is.
  explicit SlowCalls(std::chrono::microseconds always) : always_(always) {}

  // Counts it, and says whether it was slow by what was known before it.
  bool count(std::string_view function, std::chrono::microseconds took);

 private:
  static constexpr std::size_t kBuckets = 36 * 8;
  struct History {
    std::array<std::uint16_t, kBuckets> now{};
    std::array<std::uint16_t, kBuckets> before{};
    std::uint32_t counted_now = 0;
    std::uint32_t counted_before = 0;
    std::chrono::microseconds limit = std::chrono::microseconds::max();
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  static std::size_t bucket_of(std::chrono::microseconds took);
  static std::chrono::microseconds end_of(std::size_t bucket);
  static std::chrono::microseconds percentile_99(const History& history);

  std::chrono::microseconds always_;
  std::unordered_map<std::string, History, Hash, std::equal_to<>> functions_;
};

}  // namespace lambda::observe
