// What the metrics keep of one call that has ended. Values; any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::observe {

// How a call failed. The words are labels of lambda_errors_total: they stay what they are.
enum class CallError : std::uint8_t {
  none,
  handled,
  init,
  timeout,
  exit,
  out_of_memory,
  response_too_large,
  sandbox,  // the platform's own: the function's code was not at fault
};
inline constexpr std::array<std::string_view, 8> kCallErrorNames = {
    "none", "handled", "init", "timeout", "exit", "out_of_memory", "response_too_large", "sandbox"};

// Why a call was refused before it got an instance; the labels of lambda_throttles_total.
enum class Throttle : std::uint8_t {
  none,
  reserved_concurrency,  // the function's own limit
  line_full,             // too many wait for it already
  wait_expired,          // none became free in time
};
inline constexpr std::array<std::string_view, 4> kThrottleNames = {"none", "reserved_concurrency",
                                                                   "line_full", "wait_expired"};

[[nodiscard]] constexpr std::size_t index(CallError error) {
  return static_cast<std::size_t>(error);
}
[[nodiscard]] constexpr std::size_t index(Throttle reason) {
  return static_cast<std::size_t>(reason);
}

// Whose call it was; one for all calls of a version on a loop.
struct SeriesName {
  std::string function;
  std::string version;  // "$LATEST", "7"
};

struct CallSample {
  std::shared_ptr<const SeriesName> series;
  std::chrono::steady_clock::time_point ended{};
  std::optional<std::chrono::microseconds> duration;  // of the handler, where it began
  std::optional<std::chrono::microseconds> init;      // where the call waited for it
  std::uint64_t memory_peak_bytes = 0;                // 0: not known
  CallError error = CallError::none;
  Throttle throttle = Throttle::none;  // anything else: it was not carried out
  bool cold = false;
  // No call, but what a request at the function's URL was answered with; 0: it ended before.
  std::optional<std::uint16_t> answer;
};

}  // namespace lambda::observe
