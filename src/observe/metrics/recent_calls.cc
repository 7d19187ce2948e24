#include "observe/metrics/recent_calls.h"

#include <algorithm>

namespace lambda::observe {
namespace {

using std::chrono::seconds;

// Kept of each: one more than is shown, because the current one is not over.
constexpr std::int64_t kSecondsKept = 61;
constexpr std::int64_t kTensKept = 31;
constexpr std::int64_t kMinutesKept = 61;

std::int64_t number_of(RecentCalls::Time time, std::int64_t width) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count() / width;
}

// The one of that number, at its place: calls of different loops come a little out of order.
template <class Slot>
Slot& slot(std::vector<Slot>& slots, std::int64_t number) {
  auto at = slots.end();
  while (at != slots.begin() && std::prev(at)->number >= number) --at;
  if (at == slots.end() || at->number != number) {
    at = slots.insert(at, Slot());
    at->number = number;
  }
  return *at;
}

template <class Slot>
void keep_from(std::vector<Slot>& slots, std::int64_t first) {
  const auto begin =
      std::ranges::find_if(slots, [first](const Slot& one) { return one.number >= first; });
  slots.erase(slots.begin(), begin);
}

}  // namespace

void RecentCalls::Counts::add(const CallSample& sample) {
  if (sample.throttle != Throttle::none) {
    ++throttles;
    return;
  }
  ++invocations;
  if (sample.error != CallError::none) ++errors;
  if (sample.cold) ++cold_starts;
}

void RecentCalls::Counts::add(const Counts& other) {
  invocations += other.invocations;
  errors += other.errors;
  throttles += other.throttles;
  cold_starts += other.cold_starts;
}

void RecentCalls::add(const CallSample& sample) {
  if (sample.answer) return;
  slot(seconds_, number_of(sample.ended, 1)).counts.add(sample);
  for (auto* stretch :
       {&slot(tens_, number_of(sample.ended, 10)), &slot(minutes_, number_of(sample.ended, 60))}) {
    stretch->counts.add(sample);
    if (sample.duration) stretch->duration.add(*sample.duration);
  }
  forget_old(sample.ended);
}

bool RecentCalls::forget_old(Time now) {
  keep_from(seconds_, number_of(now, 1) - kSecondsKept + 1);
  keep_from(tens_, number_of(now, 10) - kTensKept + 1);
  keep_from(minutes_, number_of(now, 60) - kMinutesKept + 1);
  return minutes_.empty();
}

RecentCalls::Window RecentCalls::last(seconds length, Time now) const {
  Window window;
  const bool by_tens = length <= seconds(300);
  const std::int64_t width = by_tens ? 10 : 60;
  const auto first = number_of(now, width) - length.count() / width;
  const bool by_seconds = length <= seconds(60);
  for (const auto& stretch : by_tens ? tens_ : minutes_) {
    if (stretch.number < first) continue;
    if (!by_seconds) window.counts.add(stretch.counts);
    window.duration.add(stretch.duration);
  }
  if (!by_seconds) return window;
  for (const auto& second : seconds_) {
    if (second.number > number_of(now, 1) - length.count()) window.counts.add(second.counts);
  }
  return window;
}

std::vector<RecentCalls::Counts> RecentCalls::each_second(Time now) const {
  std::vector<Counts> points(kPoints);
  const auto first = number_of(now, 1) - static_cast<std::int64_t>(kPoints) + 1;
  for (const auto& second : seconds_) {
    const auto at = second.number - first;
    if (at >= 0 && at < static_cast<std::int64_t>(kPoints))
      points[static_cast<std::size_t>(at)] = second.counts;
  }
  return points;
}

std::vector<RecentCalls::Point> RecentCalls::each_minute(Time now) const {
  std::vector<Point> points(kPoints);
  const auto first = number_of(now, 60) - static_cast<std::int64_t>(kPoints) + 1;
  for (const auto& minute : minutes_) {
    const auto at = minute.number - first;
    if (at < 0 || at >= static_cast<std::int64_t>(kPoints)) continue;
    auto& point = points[static_cast<std::size_t>(at)];
    point.counts = minute.counts;
    point.p50 = minute.duration.quantile(0.5);
    point.p99 = minute.duration.quantile(0.99);
  }
  return points;
}

}  // namespace lambda::observe
