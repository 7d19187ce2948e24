#include "observe/trace/slow_calls.h"

#include <algorithm>
#include <bit>

namespace lambda::observe {
namespace {

using std::chrono::microseconds;

constexpr std::uint32_t kGeneration = 1000;
constexpr std::uint32_t kLeastKnown = 100;
constexpr std::uint32_t kLookEvery = 32;
// A moment more is nothing that anybody looks for.
constexpr microseconds kLeastSlow{5'000};
// A history is 1.2 KB; that of a function that is gone goes with all the others.
constexpr std::size_t kMostFunctions = 4096;

}  // namespace

// 0-7 µs each for itself; from there eight to an octave.
std::size_t SlowCalls::bucket_of(microseconds took) {
  const auto value = static_cast<std::uint64_t>(std::max<microseconds::rep>(took.count(), 0));
  if (value < 8) return static_cast<std::size_t>(value);
  const auto octave = static_cast<std::size_t>(std::bit_width(value)) - 4;
  const auto place = static_cast<std::size_t>(value >> octave) & 7;
  return std::min((octave + 1) * 8 + place, kBuckets - 1);
}

microseconds SlowCalls::end_of(std::size_t bucket) {
  if (bucket < 8) return microseconds(bucket + 1);
  const auto octave = bucket / 8 - 1;
  return microseconds((8 + bucket % 8 + 1) << octave);
}

microseconds SlowCalls::percentile_99(const History& history) {
  const auto all = history.counted_now + history.counted_before;
  if (all < kLeastKnown) return microseconds::max();
  auto above = all / 100;
  for (std::size_t i = kBuckets; i-- > 0;) {
    const std::uint32_t here = history.now.at(i) + history.before.at(i);
    if (here > above) return std::max(end_of(i), kLeastSlow);
    above -= here;
  }
  return kLeastSlow;
}

bool SlowCalls::count(std::string_view function, microseconds took) {
  auto found = functions_.find(function);
  if (found == functions_.end()) {
    if (functions_.size() >= kMostFunctions) functions_.clear();
    found = functions_.try_emplace(std::string(function)).first;
  }
  auto& history = found->second;
  const bool slow = took > history.limit || (always_.count() > 0 && took > always_);
  ++history.now.at(bucket_of(took));
  if (++history.counted_now >= kGeneration) {
    history.before = history.now;
    history.counted_before = history.counted_now;
    history.now = {};
    history.counted_now = 0;
  }
  if (history.counted_now % kLookEvery == 0) history.limit = percentile_99(history);
  return slow;
}

}  // namespace lambda::observe
