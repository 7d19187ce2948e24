// How much of logs is kept. Plain values.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lambda::observe {

// What one function says of its own log; absent: as the server's.
struct OwnLogLimits {
  std::optional<std::uint64_t> bytes;
  std::optional<std::chrono::seconds> age;  // 0: its lines stay
  bool operator==(const OwnLogLimits&) const = default;
};
using OwnLogLimitsByFunction = std::map<std::string, OwnLogLimits, std::less<>>;

// In bytes of text and its surroundings.
struct LogLimits {
  std::size_t segment_bytes = 4u << 20;         // one file
  std::size_t segments = 16;                    // of one function on disk
  std::chrono::seconds age{0};                  // older lines go; 0: they stay
  std::uint64_t rate_bytes = 0;                 // a second, of one function; 0: as much as comes
  std::uint64_t burst_bytes = 0;                // on top of that, at once
  std::size_t function_bytes = 1u << 20;        // of one function in memory
  std::size_t memory_bytes = 64u << 20;         // of all functions in memory
  std::size_t queue_bytes = 32u << 20;          // on the way to the disk
  std::size_t function_queue_bytes = 8u << 20;  // the same of one function ...
  std::size_t spared_queue_bytes = 64u << 10;   // ... which always has room for so much
  std::size_t line_bytes = 256u << 10;          // a longer line is cut, and says so
  std::chrono::milliseconds said_after{1000};   // what was left out, where no line follows

  // Of one function on disk.
  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{segment_bytes} * segments; }
  // Whole files go: at least so many, so that little goes at once.
  void set_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t kLargestFile = 4u << 20;
    constexpr std::uint64_t kFiles = 8;
    segment_bytes = std::min(kLargestFile, bytes / kFiles);
    segments = bytes / segment_bytes;
  }
  [[nodiscard]] LogLimits with(const OwnLogLimits& own) const {
    LogLimits limits = *this;
    if (own.bytes) limits.set_bytes(*own.bytes);
    limits.age = own.age.value_or(age);
    return limits;
  }
};

// What is read at once, so that an answer fits into memory whatever its lines are.
inline constexpr std::size_t kMostAnswerBytes = 16u << 20;
// When a reading says how far it has come instead of going on: a log may be large, and a search
// slow.
using ReadingDeadline = std::chrono::steady_clock::time_point;
[[nodiscard]] inline bool is_over(const std::optional<ReadingDeadline>& deadline) {
  return deadline && std::chrono::steady_clock::now() >= *deadline;
}

}  // namespace lambda::observe
