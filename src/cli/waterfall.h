// Where the time of a call went, drawn: a line and a bar for each step. Pure but for
// waterfall_canvas().
#pragma once

#include "cli/canvas.h"

#include <boost/json.hpp>

#include <cstdint>
#include <string>

namespace lambda::cli {

// Of a terminal, and between the widths that are of use; what is none gets '#'. Main thread.
[[nodiscard]] Canvas waterfall_canvas(int descriptor);

// The attempts of one request (the "calls" of GET /_lambda/traces/ID), one below the other, with
// the waits between them. Bars are of eighths, or of '#'.
[[nodiscard]] std::string waterfall(const boost::json::array& calls, const Canvas& canvas);
// A table of calls (GET /_lambda/functions/NAME/traces).
[[nodiscard]] std::string call_table(const boost::json::array& calls);
// "0.12 ms", "12.3 ms", "1.23 s", "2 min 5 s".
[[nodiscard]] std::string duration_text(std::int64_t microseconds);

}  // namespace lambda::cli
