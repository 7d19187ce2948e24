#include "server/loop_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace lambda::server {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::minutes kSayPause{1};
// So long, and callers notice.
constexpr std::chrono::milliseconds kWorthAWarning{100};

}  // namespace

Task<void> LoopWatch::run() {
  const auto executor = co_await asio::this_coro::executor;
  Timer timer(executor);
  while (true) {
    const auto due = Clock::now() + kRound;
    timer.expires_at(due);
    auto [error] = co_await timer.async_wait(kAsTuple);
    if (error) co_return;
    const auto now = Clock::now();
    if (now - due > kLimit) late(std::chrono::duration_cast<microseconds>(now - due), now);
  }
}

void LoopWatch::late(microseconds time, Clock::time_point now) {
  ++stalls_;
  longest_ = std::max(longest_.load(), static_cast<std::int64_t>(time.count()));
  ++unsaid_;
  longest_unsaid_ = std::max(longest_unsaid_, time);
  const bool worth_it = longest_unsaid_ >= kWorthAWarning;
  if (!worth_it || (said_ != Clock::time_point() && now - said_ < kSayPause)) return;
  said_ = now;
  spdlog::warn(
      "{} did not come round for {} ms, the longest of {} times that it was late: "
      "something slow ran on it, or the machine is busy (said at most once a minute)",
      name_, longest_unsaid_.count() / 1000, std::exchange(unsaid_, 0));
  longest_unsaid_ = microseconds(0);
}

}  // namespace lambda::server
