#include "observe/metrics/histogram.h"

#include <algorithm>
#include <cmath>

namespace lambda::observe {
namespace {

using std::chrono::microseconds;

constexpr microseconds kLeast{100};
constexpr microseconds kMost = std::chrono::minutes(15);  // AWS's longest timeout

std::vector<microseconds> make_bounds() {
  std::vector<microseconds> bounds;
  for (std::size_t i = 0;; ++i) {
    const auto octaves = static_cast<double>(i) / static_cast<double>(kBucketsPerOctave);
    const microseconds bound(
        std::llround(static_cast<double>(kLeast.count()) * std::exp2(octaves)));
    if (bound >= kMost) break;
    bounds.push_back(bound);
  }
  bounds.push_back(kMost);
  return bounds;
}

}  // namespace

const std::vector<microseconds>& bucket_bounds() {
  static const std::vector<microseconds> bounds = make_bounds();
  return bounds;
}

std::size_t bucket_of(microseconds value) {
  const auto& bounds = bucket_bounds();
  return static_cast<std::size_t>(std::ranges::lower_bound(bounds, value) - bounds.begin());
}

void Histogram::add_to(std::size_t bucket, std::uint64_t count, microseconds sum) {
  if (count == 0 || bucket > bucket_bounds().size()) return;
  const auto key = static_cast<std::uint16_t>(bucket);
  auto at = std::ranges::lower_bound(cells_, key, {}, &Cell::first);
  if (at == cells_.end() || at->first != key) at = cells_.insert(at, Cell(key, 0));
  at->second += count;
  count_ += count;
  sum_ += sum;
}

void Histogram::add(const Histogram& other) {
  for (const auto& [bucket, count] : other.cells_) add_to(bucket, count, microseconds(0));
  sum_ += other.sum_;
}

microseconds Histogram::quantile(double part) const {
  if (count_ == 0) return microseconds(0);
  if (count_ == 1) return std::clamp(sum_, microseconds(0), kMost);
  const auto& bounds = bucket_bounds();
  // The first that so many do not exceed: of three the p50 is the second, of two the p99 the last.
  const double wanted = std::clamp(part, 0.0, 1.0) * static_cast<double>(count_);
  double below = 0;
  for (const auto& [bucket, count] : cells_) {
    const auto here = static_cast<double>(count);
    if (below + here < wanted) {
      below += here;
      continue;
    }
    if (bucket >= bounds.size()) return bounds.back();
    if (bucket == 0) return bounds.front() / 2;
    // Nothing in it is further away than this, whatever of it was seen.
    const auto upper = static_cast<double>(bounds[bucket].count());
    const auto lower = static_cast<double>(bounds[bucket - 1].count());
    return microseconds(std::llround(std::sqrt(lower * upper)));
  }
  return bounds.back();
}

}  // namespace lambda::observe
