// CallTotals: what calls came to, counted up since the function was made, over restarts.
// Values; one thread at a time.
#pragma once

#include "base/result.h"
#include "observe/metrics/call_sample.h"
#include "observe/metrics/histogram.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::observe {

// How often which status was answered. What a function answers is its own: beyond so many different
// ones the rest is counted by its class, 4 for 400 to 499. Values; one thread at a time.
class StatusCounts {
 public:
  static constexpr std::size_t kMostStatuses = 32;
  using Cell = std::pair<std::uint16_t, std::uint64_t>;  // status or class, how often

  void add(std::uint16_t status, std::uint64_t count = 1);
  // In their order; none is zero.
  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
  // As people know it: "404", "4xx" for a class, "0" for requests without an answer.
  [[nodiscard]] static std::string name_of(std::uint16_t status);

 private:
  std::vector<Cell> cells_;
};

struct CallTotals {
  std::uint64_t invocations = 0;  // carried out, well or not; as on AWS throttled ones are not
  std::array<std::uint64_t, kCallErrorNames.size()> errors{};    // by CallError
  std::array<std::uint64_t, kThrottleNames.size()> throttles{};  // by Throttle
  std::uint64_t cold_starts = 0;
  std::uint64_t memory_peak_bytes = 0;  // the largest that was seen
  Histogram duration;
  Histogram init;
  StatusCounts answers;  // to requests at the function's URL

  void add(const CallSample& sample);
  [[nodiscard]] std::uint64_t error_count() const;
  [[nodiscard]] std::uint64_t throttle_count() const;
};

// As it is kept on disk: JSON. Kinds that the reader does not know are passed over.
[[nodiscard]] std::string to_text(const CallTotals& totals);
// Errors: invalid.
[[nodiscard]] Result<CallTotals> totals_from_text(std::string_view text);

}  // namespace lambda::observe
