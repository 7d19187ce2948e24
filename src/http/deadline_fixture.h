// What the tests of HTTP say deadlines with.
#pragma once

#include <chrono>

namespace lambda::http {

// in(2s): two seconds from now.
inline std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace lambda::http
