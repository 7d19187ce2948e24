// Times as text, in UTC.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <string>

namespace lambda {

// "2026-01-02T03:04:05.678" (add "Z" or "+0000" as the format at hand wants it).
[[nodiscard]] std::string format_iso(WallTime time);

// What AWS says of what took longer than it may: "Task timed out after 3.00 seconds".
[[nodiscard]] std::string timed_out_text(std::chrono::duration<double> limit);

}  // namespace lambda
