// A deadline, as the time from now: call(..., in(std::chrono::seconds(5))).
#pragma once

#include <chrono>

namespace lambda {

[[nodiscard]] inline std::chrono::steady_clock::time_point in(
    std::chrono::steady_clock::duration duration) {
  return std::chrono::steady_clock::now() + duration;
}

}  // namespace lambda
