// Times in rows: milliseconds since 1970, UTC.
#pragma once

#include "base/clock.h"

#include <SQLiteCpp/Column.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace lambda::store {

inline std::int64_t to_ms(WallTime time) {
  return time.time_since_epoch().count();
}
inline WallTime from_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

// Nothing where it is NULL.
inline std::optional<WallTime> time_in(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return from_ms(column.getInt64());
}

}  // namespace lambda::store
