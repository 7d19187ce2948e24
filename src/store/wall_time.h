// Times in rows: milliseconds since 1970, UTC.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstdint>

namespace lambda::store {

inline std::int64_t to_ms(WallTime time) {
  return time.time_since_epoch().count();
}
inline WallTime from_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

}  // namespace lambda::store
