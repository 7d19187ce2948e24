#include "sandbox/native/stem_demand.h"

#include <algorithm>

namespace lambda::sandbox::native {
namespace {

std::int64_t second_of(StemDemand::Time time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

void StemDemand::note(Time now) {
  const auto second = second_of(now);
  const auto slot = static_cast<std::size_t>(second) % kSeconds;
  if (of_second_[slot] != second) counts_[slot] = 0;
  of_second_[slot] = second;
  ++counts_[slot];
  last_ = now;
}

std::size_t StemDemand::wanted(const StemLimits& limits, Time now) const {
  if (!last_ || now - *last_ > limits.forget) return 0;
  const auto second = second_of(now);
  std::size_t recent = 0;
  for (std::size_t slot = 0; slot < kSeconds; ++slot) {
    if (second - of_second_[slot] < static_cast<std::int64_t>(kSeconds)) recent += counts_[slot];
  }
  return std::clamp(recent, std::min(limits.least, limits.most), limits.most);
}

}  // namespace lambda::sandbox::native
