// The trace id of a call: "Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0". Any thread.
#pragma once

#include "base/clock.h"

#include <string>
#include <string_view>

namespace lambda::invoke {

// What the caller sent as X-Amzn-Trace-Id where that is usable, else a new one.
[[nodiscard]] std::string trace_id_for(std::string_view sent, WallTime now);

}  // namespace lambda::invoke
