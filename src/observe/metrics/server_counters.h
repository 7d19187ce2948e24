// What is counted beside calls: HTTP requests, deploys, firings of schedules. From zero at each
// start of the server.
//
// Threads: an HttpCounts is written on its loop; the others on any. All are read on any.
#pragma once

#include "observe/metrics/histogram.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace lambda::observe {

// One loop's HTTP requests, by the door that they came to and the status that they got.
class HttpCounts {
 public:
  // Indices of `door`: not so far, the API, NAME.<domain>, /fn/NAME.
  static constexpr std::array<std::string_view, 4> kDoors = {"none", "api", "host", "path"};

  void add(std::size_t door, unsigned status, std::uint64_t received, std::uint64_t sent) {
    if (door >= kDoors.size()) return;
    auto& of = doors_[door];
    raise(of.requests[status < kLeast || status - kLeast >= kStatuses ? 0 : status - kLeast], 1);
    raise(of.received, received);
    raise(of.sent, sent);
  }

  // Calls see(door, status, count) for all there are. Status 0: none that HTTP knows.
  template <class See>
  void each(See see) const {
    for (std::size_t door = 0; door < kDoors.size(); ++door) {
      for (unsigned i = 0; i < kStatuses; ++i) {
        const auto count = doors_[door].requests[i].load(std::memory_order_relaxed);
        if (count != 0) see(door, i == 0 ? 0 : i + kLeast, count);
      }
    }
  }
  [[nodiscard]] std::uint64_t received(std::size_t door) const {
    return doors_.at(door).received.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t sent(std::size_t door) const {
    return doors_.at(door).sent.load(std::memory_order_relaxed);
  }

 private:
  using Count = std::atomic<std::uint64_t>;
  static constexpr unsigned kLeast = 99;  // 100 is the least status; 0 stands for others
  static constexpr unsigned kStatuses = 501;
  struct Of {
    std::array<Count, kStatuses> requests{};
    Count received{0};
    Count sent{0};
  };
  // One thread writes: no locked instruction is needed.
  static void raise(Count& count, std::uint64_t by) {
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<Of, kDoors.size()> doors_{};
};

enum class DeployResult : std::uint8_t { succeeded, unchanged, function_failed, failed };
inline constexpr std::array<std::string_view, 4> kDeployResultNames = {"succeeded", "unchanged",
                                                                       "function_failed", "failed"};

// What was decided of a schedule's time.
enum class FiringOutcome : std::uint8_t { fired, queued, skipped, missed };
inline constexpr std::array<std::string_view, 4> kFiringOutcomeNames = {"fired", "queued",
                                                                        "skipped", "missed"};

class ServerCounters {
 public:
  void deployed(DeployResult result) {
    const std::lock_guard guard(mutex_);
    ++values_.deploys[static_cast<std::size_t>(result)];
  }
  void decided(FiringOutcome outcome, std::uint64_t count) {
    const std::lock_guard guard(mutex_);
    values_.firings[static_cast<std::size_t>(outcome)] += count;
  }
  // From a schedule's time to its event's being on disk.
  void fired_late(std::chrono::microseconds lateness) {
    const std::lock_guard guard(mutex_);
    values_.lateness.add(lateness);
  }

  struct Values {
    std::array<std::uint64_t, kDeployResultNames.size()> deploys{};
    std::array<std::uint64_t, kFiringOutcomeNames.size()> firings{};
    Histogram lateness;
  };
  [[nodiscard]] Values values() const {
    const std::lock_guard guard(mutex_);
    return values_;
  }

 private:
  mutable std::mutex mutex_;  // none of it is on a request's way
  Values values_;
};

}  // namespace lambda::observe
