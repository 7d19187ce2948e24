// How many stems of a kind should wait: as many as were asked for within the last ten seconds,
// between StemLimits::least and most; none of a kind that nobody has asked for in a while. A value.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lambda::sandbox::native {

struct StemLimits {
  std::size_t least = 2;             // of a kind that is in use
  std::size_t most = 0;              // of a kind; 0: there are no stems
  std::size_t of_all_kinds = 64;     // they take memory and room from instances
  std::chrono::seconds forget{600};  // a kind that nobody asked for so long is not in use
  // After one was taken none is made for so long, while half of what is wanted still waits.
  std::chrono::milliseconds rest{25};
};

class StemDemand {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One was asked for.
  void note(Time now);
  // One will be.
  void expect(Time now) { last_ = now; }
  [[nodiscard]] std::size_t wanted(const StemLimits& limits, Time now) const;

 private:
  static constexpr std::size_t kSeconds = 10;
  std::array<std::size_t, kSeconds> counts_{};
  std::array<std::int64_t, kSeconds> of_second_{};
  std::optional<Time> last_;
};

}  // namespace lambda::sandbox::native
