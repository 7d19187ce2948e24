// Histogram: how long things took, in buckets that are the same everywhere, so that histograms can
// be added up and compared. They grow by a fourth of an octave (19 %) from 100 us to 15 minutes;
// what is outside is in the first or in the last, which is open. What was never seen costs nothing.
//
// Threads: one at a time. Values, freely copied.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lambda::observe {

// Buckets an octave. Prometheus is shown every fourth bound: twice the one before.
inline constexpr std::size_t kBucketsPerOctave = 4;

// The upper bounds, rising: 100 us, 119 us, 141 us ... 838.9 s, 900 s. The last bucket has none.
[[nodiscard]] const std::vector<std::chrono::microseconds>& bucket_bounds();
// Which bucket it belongs to: the first whose bound is not below it.
[[nodiscard]] std::size_t bucket_of(std::chrono::microseconds value);

class Histogram {
 public:
  using Cell = std::pair<std::uint16_t, std::uint64_t>;  // bucket, how many are in it

  void add(std::chrono::microseconds value) { add_to(bucket_of(value), 1, value); }
  void add(const Histogram& other);
  // From what cells() and sum() said once; buckets that there are not are passed over.
  void add_to(std::size_t bucket, std::uint64_t count, std::chrono::microseconds sum);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::chrono::microseconds sum() const { return sum_; }
  // In the order of their buckets; none is empty.
  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
  // `part` of 0.99: what 99 of 100 did not exceed. Of one value it is that; else it is off by half
  // a bucket (9 %) at most between the first bound and the last, and says the middle of the first,
  // and the last bound, of what is outside. Zero where nothing was added.
  [[nodiscard]] std::chrono::microseconds quantile(double part) const;

 private:
  std::vector<Cell> cells_;
  std::uint64_t count_ = 0;
  std::chrono::microseconds sum_{0};
};

}  // namespace lambda::observe
