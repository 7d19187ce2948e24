// FailureLimit: how many wrong credentials an address may show. It decides what a wrong one is
// answered with and nothing else: a right one from the same address (of many behind one proxy) is
// never kept waiting. Addresses of IPv6 count by /64, which is one customer's. Callers on the unix
// socket are known by the kernel and not counted.
//
// Any thread. Holds a lock for a look-up, on the way of wrong credentials alone; memory is bounded.
#pragma once

#include "base/clock.h"
#include "http/message.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lambda::access {

// So many at once, then one in so long.
inline constexpr int kFailuresAtOnce = 30;
inline constexpr std::chrono::seconds kFailurePause{6};
// The errors of one that was too many carry it: AWS's word for such a limit.
inline constexpr std::string_view kTooManyFailures = "CallerRateLimitExceeded";

class FailureLimit {
 public:
  static constexpr std::size_t kMostAddresses = 10'000;

  explicit FailureLimit(const Clock& clock) : clock_(clock) {}
  // One more wrong credential; false where that was one too many.
  bool note(const http::Peer& peer);
  [[nodiscard]] std::size_t addresses() const;

 private:
  struct Entry {
    std::string network;
    double left = kFailuresAtOnce;
    SteadyTime at{};
  };
  using Entries = std::list<Entry>;  // the newest first

  const Clock& clock_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_network_;
};

// What is counted together: an IPv4 address (also one written as IPv6), or the /64 of an IPv6 one.
[[nodiscard]] std::string network_of(const std::string& address);

}  // namespace lambda::access
