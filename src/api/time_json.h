// Times in our own answers: "2026-01-02T03:04:05.678Z". Any thread.
#pragma once

#include "base/clock.h"
#include "base/time_text.h"

#include <boost/json/value.hpp>

#include <optional>
#include <string>

namespace lambda::api {

inline std::string iso_z(WallTime time) {
  return format_iso(time) + "Z";
}
// null where there is none.
inline boost::json::value time_json(const std::optional<WallTime>& time) {
  if (!time) return nullptr;
  return boost::json::value(iso_z(*time));
}

}  // namespace lambda::api
